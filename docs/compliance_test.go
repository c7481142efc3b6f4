// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile("`(Test[A-Z]\\w*)`")
	testFunc  = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	clauseRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|(.*)\\|$")
)

// TestNamedTests: tests that documents name are there.
func TestNamedTests(t *testing.T) {
	known := map[string]bool{}
	for _, name := range files(t, "_test.go") {
		for _, match := range testFunc.FindAllStringSubmatch(read(t, name), -1) {
			known[match[1]] = true
		}
	}
	checked := 0
	for _, name := range files(t, ".md") {
		for _, match := range namedTest.FindAllStringSubmatch(read(t, name), -1) {
			checked++
			if !known[match[1]] {
				t.Errorf("%s names the test %s, and there is none", name, match[1])
			}
		}
	}
	if checked < 50 {
		t.Fatalf("only %d names found", checked)
	}
}

// TestClausesHaveEvidence: no clause is called met, and none the operator's to meet, without a test that shows it. Each says what remains.
// The sixteen places of the public analysis are marked.
func TestClausesHaveEvidence(t *testing.T) {
	rows := clauseRow.FindAllStringSubmatch(read(t, "docs/compliance.md"), -1)
	if len(rows) < 60 {
		t.Fatalf("only %d rows found", len(rows))
	}
	marked := 0
	for _, row := range rows {
		cells := strings.Split(row[2], " | ")
		if len(cells) != 4 {
			t.Errorf("%s has %d cells", row[1], len(cells))
			continue
		}
		if strings.HasPrefix(strings.TrimSpace(cells[0]), "●") {
			marked++
		}
		switch state := cells[1]; state {
		case "met", "operator":
			if !namedTest.MatchString(cells[2]) {
				t.Errorf("%s is called %s, and names no test", row[1], state)
			}
		case "open", "organisational":
		default:
			t.Errorf("%s: %q is not a state", row[1], state)
		}
		if strings.TrimSpace(cells[3]) == "" {
			t.Errorf("%s does not say what remains", row[1])
		}
	}
	if marked != 16 {
		t.Errorf("%d rows are marked, and the analysis names 16 places", marked)
	}
}
