// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"go/doc"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// differencesMark ends the part of docs/differences.md that is written by hand; what follows is made from the delta.
const differencesMark = "<!-- Below this line: written by 'make fork-differences'. -->\n"

// runDifferences writes the list of changes with their reasons into docs/differences.md or, with check, fails if the list
// there is another.
func runDifferences(root string, up *upstream, check bool) error {
	doc := "docs/differences.md"
	if up.spec.dir != "" {
		doc = up.spec.Differences
	}
	if doc == "" {
		return fmt.Errorf("%s names no document for its differences", filepath.Join(up.spec.dir, specFile))
	}
	name := filepath.Join(root, filepath.FromSlash(doc))
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	head, _, found := bytes.Cut(old, []byte(differencesMark))
	if !found {
		return fmt.Errorf("%s lacks the line %q, below which the list belongs", doc, strings.TrimSpace(differencesMark))
	}
	a, err := assemble(root, up)
	if err != nil {
		return err
	}
	list, err := a.differences()
	if err != nil {
		return err
	}
	text := append(append(bytes.Clone(head), differencesMark...), list...)
	if bytes.Equal(text, old) {
		return nil
	}
	if check {
		return fmt.Errorf("%s does not describe the present delta; run 'make fork-differences%s'", doc, up.makeFlag())
	}
	return os.WriteFile(name, text, 0o644)
}

// differences lists, for each folder that both sides have, what of upstream's changes, and then the packages that only we
// have. Tests are left out, and the inner packages of a command.
func (a *assembly) differences() ([]byte, error) {
	var changed, added bytes.Buffer
	folders := map[string][]string{}
	for _, name := range a.ourPaths {
		folders[path.Dir(name)] = append(folders[path.Dir(name)], path.Base(name))
	}
	for _, dir := range sortedKeys(folders) {
		var rows []string
		synopsis := ""
		for _, base := range folders[dir] {
			more, about, err := a.rowsOf(path.Join(dir, base))
			if err != nil {
				return nil, err
			}
			rows = append(rows, more...)
			if synopsis == "" {
				synopsis = about
			}
		}
		switch {
		case len(rows) > 0:
			fmt.Fprintf(&changed, "\n### %s\n\n| class | change | what of upstream | why | ours |\n|---|---|---|---|---|\n%s", dir, strings.Join(rows, ""))
		case synopsis != "" && !strings.Contains(dir, "/internal/"):
			repo := path.Dir(a.inRepo[path.Join(dir, folders[dir][0])])
			fmt.Fprintf(&added, "| [%s](../%s) | %s |\n", dir, repo, cell(synopsis))
		}
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "\n## Changes to upstream's packages\n%s", changed.Bytes())
	fmt.Fprintf(&out, "\n## Packages of our own\n\n| package | what it is |\n|---|---|\n%s", added.Bytes())
	return out.Bytes(), nil
}

// rowsOf returns a table row for each change that a file of ours makes, and what its package comment begins with.
func (a *assembly) rowsOf(name string) (rows []string, synopsis string, err error) {
	isSpec := path.Base(name) == forkFile
	if !isSpec && (path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go")) {
		return nil, "", nil
	}
	data, err := os.ReadFile(a.ourFile(name))
	if err != nil {
		return nil, "", err
	}
	row := func(c class, change, what, why string) {
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | [%s](../%s) |\n", c, change, what, cell(why), path.Base(name), a.inRepo[name]))
	}
	var report problems // assemble has reported them already
	if isSpec {
		spec := parseForkSpec(name, data, &report)
		if spec.ReplacePackage {
			row(spec.Class, "replaced", "the package", spec.Reason)
		}
		for _, sub := range spec.Substitutions {
			if !sub.isFor(a.up.short()) {
				continue
			}
			var files []string
			for _, file := range sub.Files {
				if !strings.HasSuffix(file, "_test.go") {
					files = append(files, "`"+file+"`")
				}
			}
			if len(files) > 0 {
				row(sub.Class, "substituted", strings.Join(files, ", "), sub.Reason)
			}
		}
		return rows, "", nil
	}
	file, err := parseGo(name, data)
	if err != nil {
		return nil, "", err
	}
	labels := map[verb]string{verbReplace: "replaced", verbWrap: "wrapped", verbFields: "fields added"}
	for _, d := range directives(file, &report) {
		row(d.class, labels[d.verb], "`"+d.decl.name.String()+"`", d.reason)
	}
	return rows, new(doc.Package).Synopsis(file.ast.Doc.Text()), nil
}

// cell makes text fit for a table of Markdown.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
