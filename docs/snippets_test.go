// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os/exec"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// checkSnippet reads a block of a document in its language.
func checkSnippet(language, text string) error {
	switch language {
	case "sh":
		shell := exec.Command("sh", "-n")
		shell.Stdin = strings.NewReader(text)
		if out, err := shell.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	case "go":
		if !strings.HasPrefix(text, "package ") {
			text = "package p\nfunc f() error {\n" + text + "\n}\n" // statements
		}
		_, err := parser.ParseFile(token.NewFileSet(), "", text, parser.AllErrors)
		return err
	case "json":
		return json.Unmarshal([]byte(text), new(any))
	case "yaml":
		var content any
		return yaml.Unmarshal([]byte(text), &content)
	}
	return nil
}

// TestSnippets: what documents show is well-formed. That it also works is for the tests that run it: TestOpenSSLCommands and
// TestSystemdUnits here, and those of the README in integration/e2e.
func TestSnippets(t *testing.T) {
	seen := map[string]int{}
	for _, name := range files(t, ".md") {
		for _, match := range fence.FindAllStringSubmatch(read(t, name), -1) {
			seen[match[1]]++
			if err := checkSnippet(match[1], match[2]); err != nil {
				t.Errorf("%s: %v in\n%s", name, err, match[2])
			}
		}
	}
	for _, language := range []string{"sh", "go", "yaml", "ini", "json"} {
		if seen[language] == 0 {
			t.Errorf("no block of %s found", language)
		}
		delete(seen, language)
	}
	delete(seen, "") // drawings and output
	for language := range seen {
		t.Errorf("there are blocks of %s, which nothing checks", language)
	}
}

// TestSnippetCheck: the check above sees faults.
func TestSnippetCheck(t *testing.T) {
	for language, text := range map[string]string{"sh": "if true; then", "go": "x := (", "json": "[1,]", "yaml": "a: [b"} {
		if checkSnippet(language, text) == nil {
			t.Errorf("%s: %q is accepted", language, text)
		}
	}
}
