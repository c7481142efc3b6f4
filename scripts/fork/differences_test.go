// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDifferences checks that each change of upstream is listed with its reason, tests are not, text by hand stays, and that a
// change of the delta is noticed.
func TestDifferences(t *testing.T) {
	toy := newToy(t, map[string]string{
		"shapes/o.go":      spdx + "package shapes\n\n//fork:wrap gm: counts | twice\nfunc scale(n int) int { return upstreamScale(n) }\n",
		"shapes/o_test.go": spdx + "package shapes\n\n//fork:replace gm: tests stay out\nfunc TestSum(t *testing.T) {}\n",
		"free/f.go":        spdx + "// Package free needs nothing. And more.\npackage free\n",
	})
	if err := runDifferences(toy.root, toy.up, false); err == nil {
		t.Fatal("no error without the document")
	}
	toy.write("docs/differences.md", "# By hand\n")
	if err := runDifferences(toy.root, toy.up, false); err == nil || !strings.Contains(err.Error(), "lacks the line") {
		t.Fatalf("without the mark: %v", err)
	}
	toy.write("docs/differences.md", "# By hand\n"+differencesMark+"old\n")
	if err := runDifferences(toy.root, toy.up, true); err == nil || !strings.Contains(err.Error(), "make fork-differences") {
		t.Fatalf("an old list: %v", err)
	}
	if err := runDifferences(toy.root, toy.up, false); err != nil {
		t.Fatal(err)
	}
	if err := runDifferences(toy.root, toy.up, true); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(toy.root, "docs", "differences.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, w := range []string{
		"# By hand\n" + differencesMark,
		"### shapes\n", "| gm | wrapped | `scale` | counts \\| twice | [o.go](../shapes/o.go) |\n",
		"| [free](../free) | Package free needs nothing. |\n",
	} {
		if !strings.Contains(text, w) {
			t.Errorf("%q lacks %q", text, w)
		}
	}
	if strings.Contains(text, "tests stay out") || strings.Contains(text, "\nold\n") {
		t.Errorf("too much in %q", text)
	}
	toy.write("shapes/o.go", spdx+"package shapes\n\n//fork:wrap gm: another reason\nfunc scale(n int) int { return upstreamScale(n) }\n")
	if err := runDifferences(toy.root, toy.up, true); err == nil {
		t.Error("a changed reason is not noticed")
	}
}
