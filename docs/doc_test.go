// SPDX-License-Identifier: Apache-2.0

// Package docs holds no code: its tests compare what the documentation says with the code and the configuration.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = ".."

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files lists the repository's files with an ending, as slash paths, without what is built.
func files(t *testing.T, ending string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		if d.IsDir() && (name == "build" || name == ".git") {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, ending) {
			list = append(list, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatalf("no files ending in %s", ending)
	}
	return list
}

func parseGo(t *testing.T, name string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, read(t, name), parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// stringsIn lists the string literals of a syntax tree.
func stringsIn(node ast.Node) []string {
	var list []string
	ast.Inspect(node, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				list = append(list, text)
			}
		}
		return true
	})
	return list
}

// table returns the cells of the rows of the table behind the marker <!-- keys: NAME -->, without the head.
func table(t *testing.T, document, name string) [][]string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, document), "<!-- keys: "+name+" -->\n")
	if !found {
		t.Fatalf("%s has no table marked %q", document, name)
	}
	var rows [][]string
	for line := range strings.Lines(rest) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("%s: the table %q has no rows", document, name)
	}
	return rows[2:]
}

var inCode = regexp.MustCompile("`([^`]+)`")

// code returns the texts in backticks.
func code(cell string) []string {
	var list []string
	for _, match := range inCode.FindAllStringSubmatch(cell, -1) {
		list = append(list, match[1])
	}
	return list
}

// same reports what one list has and the other has not.
func same(t *testing.T, what string, documented, real []string) {
	t.Helper()
	if len(real) == 0 {
		t.Fatalf("%s: nothing found in the code: the test looks in the wrong place", what)
	}
	for _, name := range real {
		if !slices.Contains(documented, name) {
			t.Errorf("%s: %s is not documented", what, name)
		}
	}
	for i, name := range documented {
		if !slices.Contains(real, name) {
			t.Errorf("%s: %s is documented but does not exist", what, name)
		}
		if slices.Contains(documented[:i], name) {
			t.Errorf("%s: %s is documented twice", what, name)
		}
	}
}
