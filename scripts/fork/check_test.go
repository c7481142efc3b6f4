// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const spdx = "// SPDX-License-Identifier: Apache-2.0\n\n"

// TestCheck checks that left-over lock entries, wrong ignore directives and long files are found.
func TestCheck(t *testing.T) {
	ours := map[string]string{
		"shapes/o.go":    spdx + "package shapes\n\n//fork:wrap gm: r\nfunc scale(n int) int { return upstreamScale(n) }\n",
		"free/f.go":      spdx + "package free\n",
		"bound/b.go":     spdx + "package bound\n\nimport \"github.com/hyperledger/fabric/shapes\"\n\nvar _ = shapes.Name\n",
		"hashes/h.go":    spdx + "package hashes\n",
		"hashes/in/i.go": spdx + "package in\n",
	}
	mod := "module github.com/hyperledger/fabric\n\ngo 1.26\n\nignore ./shapes\n"
	toy := newToy(t, ours)
	toy.write("go.mod", mod)
	toy.accept()
	toy.write("long/l.go", spdx+"package long\n"+strings.Repeat("\n", maxLines))
	toy.write("bare/l.go", "package bare\n")
	toy.write("dos/l.go", strings.ReplaceAll(spdx+"package dos\n", "\n", "\r\n"))
	toy.write("go.mod", mod+"ignore ./free\n")
	data, err := os.ReadFile(toy.up.lockPath(toy.root))
	if err != nil {
		t.Fatal(err)
	}
	toy.write("scripts/fork/lock.txt", string(data)+"wrap shapes/shapes.go Gone 00\n")
	err = runCheck(toy.root, toy.up)
	if err == nil {
		t.Fatal("nothing found")
	}
	for _, w := range []string{
		`scripts/fork/lock.txt: nothing of ours depends on "wrap shapes/shapes.go Gone"`,
		"go.mod: bound builds in the assembled tree alone (it imports shapes); add: ignore ./bound",
		"go.mod: free needs no upstream",
		"hashes/h.go:1: builds in the assembled tree alone, in a folder that cannot be ignored",
		"long/l.go:1003: has 1003 lines", "bare/l.go:1: begin the file with", "dos/l.go:1: ends lines with CR LF",
	} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q lacks %q", err, w)
		}
	}
	if n := strings.Count(err.Error(), "\n"); n != 6 {
		t.Errorf("%d further findings in %q", n-6, err)
	}
}

// TestDrift checks each verdict, the list of what would stop the assembly, and the closing advice.
func TestDrift(t *testing.T) {
	toy := newToy(t, map[string]string{
		"shapes/o.go": `package shapes

//fork:wrap gm: r
func scale(n int) int { return upstreamScale(n) }

//fork:wrap gm: r
func Scaled(n int) int { return upstreamScaled(n) }

//fork:wrap gm: r
func Sum(a, b int) int { return upstreamSum(a, b) }

//fork:wrap gm: r
func (s *Shape) Area() (int, error) { return s.upstreamArea() }

//fork:wrap gm: r
func Twin() string { return upstreamTwin() }
`,
		"hashes/fork.yaml":       "substitutions:\n  - files: [hashes.go]\n    class: gm\n    reason: r\n    imports: {crypto/md5: crypto/sha1}\n",
		"sampleconfig/core.yaml": "peer:\n  id: ours\noperations:\n  listen: x\n",
	})
	toy.accept()
	var same strings.Builder
	if err := runDrift(&same, toy.root, toy.up); err != nil || strings.Contains(same.String(), "To accept") {
		t.Fatal(err, same.String())
	}
	name := filepath.Join(toy.up.dir, "shapes", "shapes.go")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"return scale(n) + Sum(n, left+right)", "return scale(n)", // changed
		"func Sum(a, b int) int { return a + b }\n", "", // moved
		"func (s *Shape) Area() ", "func (s *Shape) Surface() ", // gone
	).Replace(string(data))
	writeFile(t, toy.up.dir, "shapes/shapes.go", text)
	writeFile(t, toy.up.dir, "shapes/sum.go", "package shapes\n\n// Sum moved.\nfunc Sum(a, b int) int { return a + b }\n")
	if err := os.Rename(filepath.Join(toy.up.dir, "hashes/hashes.go"), filepath.Join(toy.up.dir, "hashes/digest.go")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, toy.up.dir, "sampleconfig/core.yaml", "peer:\n    id: other\noperations: {}\n")
	var out strings.Builder
	if err := runDrift(&out, toy.root, toy.up); err == nil {
		t.Error("drift is not an error")
	}
	for _, w := range []string{
		"same     wrap shapes/shapes.go scale\n", "changed  wrap shapes/shapes.go Scaled\n",
		"moved    wrap shapes/shapes.go Sum -> shapes/sum.go\n", "gone     wrap shapes/shapes.go (Shape).Area\n",
		"same     wrap shapes/twin_a.go Twin\n", "same     wrap shapes/twin_b.go Twin\n",
		"moved    file hashes/hashes.go -> hashes/digest.go\n",
		"changed  yaml sampleconfig/core.yaml peer.id\n", "gone     yaml sampleconfig/core.yaml operations.listen\n",
		"would stop with", "shapes/o.go:12: //fork:wrap names (Shape).Area", "hashes/fork.yaml:2: upstream has no Go file hashes/hashes.go",
		"3 same, 2 changed, 2 moved, 2 gone in v0-toy", "make fork-accept",
	} {
		if !strings.Contains(out.String(), w) {
			t.Errorf("%s\nlacks %q", out.String(), w)
		}
	}
}

// TestStat checks the counts.
func TestStat(t *testing.T) {
	ours := wrapping()
	ours["shapes/p.go"] = "package shapes\n\n// Sum adds.\n//\n//fork:wrap perf: r\nfunc Sum(a, b int) int { return upstreamSum(a, b) }\n"
	ours["extra/q.go"] = "//fork:file perf: r\n\npackage extra\n"
	ours["scripts/fork/upstreams/shared/own/shapes/p.go"] = "package shapes\n\nconst Own = 1\n"
	toy := newToy(t, ours)
	toy.accept()
	var out strings.Builder
	if err := runStat(&out, toy.root, toy.up); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(out.String()), " ")
	for _, w := range []string{
		"Go of ours files lines gm perf fix", "commands of Fabric, and other packages 4 14 7 7 0", "what differs over other upstreams 1 3 3 0 0",
		"what of upstream changes entries gm perf fix", "declarations wrapped 2 1 1 0", "substitutions, by file 2 2 0 0",
	} {
		if !strings.Contains(got, w) {
			t.Errorf("%q lacks %q", got, w)
		}
	}
}

// TestLint checks that words about upstream's files are dropped, and that those about ours, and failures, are errors.
func TestLint(t *testing.T) {
	toy := newToy(t, map[string]string{
		"extra/e.go": "package extra\n\nimport _ \"github.com/hyperledger/fabric/shapes\"\n",
		"free/f.go":  "package free\n",
	})
	toy.accept()
	lint := func(script string) (string, error) {
		writeFile(t, toy.root, "lint.sh", "#!/bin/sh\n"+script)
		var out strings.Builder
		err := runLint(&out, toy.root, toy.up, []string{"sh", filepath.Join(toy.root, "lint.sh")})
		return out.String(), err
	}
	for script, want := range map[string]struct {
		text   string
		passes bool
	}{
		"exit 0":                          {"", true},
		"test \"$*\" = ./extra || exit 3": {"", true},
		"echo '# pkg'; echo shapes/shapes.go:3:1: x; exit 1": {"", true},
		"echo ./extra/e.go:3:1: x; exit 1":                   {"./extra/e.go:3:1: x\n", false},
		"echo vet: extra/e.go:3:1: x; exit 1":                {"vet: extra/e.go:3:1: x\n", false},
		"echo vet: ./shapes/shapes_test.go:3:1: x; exit 1":   {"vet: ./shapes/shapes_test.go:3:1: x\n", false},
		"echo go: downloading a v1.0.0; exit 0":              {"", true},
		"echo cannot load packages; exit 1":                  {"cannot load packages\n", false},
		"exit 1":                                             {"", false},
	} {
		if out, err := lint(script); out != want.text || (err == nil) != want.passes {
			t.Errorf("%s: %q, %v", script, out, err)
		}
	}
}

// TestOutcome checks how upstream's test results are judged.
func TestOutcome(t *testing.T) {
	compare := func(o *outcome, partial bool, must ...string) string {
		required := map[string]bool{}
		for _, m := range must {
			required[m] = true
		}
		if err := o.compare(&strings.Builder{}, required, partial); err != nil {
			return err.Error()
		}
		return ""
	}
	good := &outcome{result: map[string]string{"a": "pass", "a TestGood": "pass", "a TestLeft": "skip"}}
	if got := compare(good, false, "a TestGood"); got != "" {
		t.Error(got)
	}
	for _, c := range []struct {
		must    string
		partial bool
		missed  bool
	}{
		{"a TestVanished", false, true}, {"a TestVanished", true, true}, {"a TestLeft", true, true},
		{"c TestElsewhere", false, true}, {"c TestElsewhere", true, false},
	} {
		if got := compare(good, c.partial, c.must); strings.Contains(got, c.must+": is in the must-pass list") != c.missed {
			t.Errorf("%+v: %q", c, got)
		}
	}
	first := &outcome{
		result: map[string]string{"a": "fail", "a TestRace": "fail", "a TestGone": "pass", "b": "pass", "b TestX": "pass"},
		output: map[string][]string{"a TestRace": {"lost"}},
	}
	if got := compare(first, false); !strings.Contains(got, "a TestRace: failed") || !strings.Contains(got, "a: failed") {
		t.Error(got)
	}
	if again := first.failed(); len(again) != 1 || again[0] != "./a" {
		t.Errorf("would run %q again", again)
	}
	first.replace(&outcome{result: map[string]string{"a": "pass", "a TestRace": "pass"}})
	if got := compare(first, false, "b TestX", "a TestRace"); got != "" {
		t.Error(got)
	}
	if got := compare(first, false, "a TestGone"); got == "" {
		t.Error("a test that did not run in the second run is not missed")
	}
}

// TestRecordSome: a list recorded of some packages keeps what it says of the others, and of those that were run nothing that did not pass.
func TestRecordSome(t *testing.T) {
	name := filepath.Join(t.TempDir(), "must-pass.txt")
	before := map[string]bool{"a TestGone": true, "b TestX": true}
	ran := &outcome{result: map[string]string{"a": "pass", "a TestNew": "pass", "a TestNew/case": "pass"}}
	for partial, want := range map[bool]string{true: "a TestNew, b TestX", false: "a TestNew"} {
		if err := ran.record(&strings.Builder{}, name, before, partial); err != nil {
			t.Fatal(err)
		}
		list, err := readTestList(name)
		if got := strings.Join(sortedKeys(list), ", "); err != nil || got != want {
			t.Errorf("some: %v: %s %v", partial, got, err)
		}
	}
}

// TestUpstreamTests runs the toy's tests under lists.
func TestUpstreamTests(t *testing.T) {
	toy := newToy(t, map[string]string{
		"shapes/o.go":                          "package shapes\n\n//fork:replace gm: r\nfunc Sum(a, b int) int { return a - b }\n",
		"scripts/fork/upstream-tests/skip.txt": "# why\nshapes TestSum # ours subtracts\n",
		"hashes/sum_test.go":                   "package hashes\n\nimport \"testing\"\n\nfunc TestSum(*testing.T) {}\n",
	})
	toy.accept()
	t.Setenv("GOPROXY", "off")
	run := func(record bool) error {
		return runUpstreamTests(&strings.Builder{}, toy.root, toy.up, nil, record)
	}
	// testPackages asks for comm's dependants; the toy has no comm, and shapes is touched.
	if err := run(true); err != nil {
		t.Fatal(err)
	}
	list, err := readTestList(toy.up.testList(toy.root, "must-pass.txt"))
	if err != nil || len(list) != 1 || !list["shapes TestHelper"] {
		t.Fatal(list, err)
	}
	if err := run(false); err != nil {
		t.Error(err)
	}
	toy.write("scripts/fork/upstream-tests/skip.txt", "")
	if err := run(false); err == nil || !strings.Contains(err.Error(), "shapes TestSum: failed") {
		t.Error(err)
	}
	toy.write("scripts/fork/upstream-tests/skip.txt", "hashes TestSum/case\nshapes TestSum\n") // go test alone would run TestSum for its case
	if err := run(false); err != nil {
		t.Error(err)
	}
	got := forAll(map[string]bool{"a TestX": true, "b TestX": true, "a TestY": true}, map[string]bool{"b TestX": true, "c TestY/case": true})
	if want := "a TestY, b TestX"; strings.Join(sortedKeys(got), ", ") != want {
		t.Errorf("left out everywhere: %v, want %s", got, want)
	}
	toy.write("scripts/fork/upstream-tests/skip.txt", "shapes TestSum\nshapes TestHelper\n")
	if err := run(false); err == nil || !strings.Contains(err.Error(), "shapes TestHelper: is in the must-pass list but did not run") {
		t.Error(err)
	}
}
