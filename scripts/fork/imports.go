// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// qualifiers returns the names that stand before a dot in f and are declared nowhere in f: its imports' local names,
// among them names of package-level variables of sibling files.
func qualifiers(f *goFile) map[string]bool {
	open := map[*ast.Ident]bool{}
	for _, id := range f.ast.Unresolved {
		open[id] = true
	}
	names := map[string]bool{}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && open[id] {
				names[id.Name] = true
			}
		}
		return true
	})
	return names
}

var versionElement = regexp.MustCompile(`^v[0-9]+$`)

// localNames returns the names by which a file may know an import: its alias, or what packages at such a path are
// usually called. Without type information the package clause is not known.
func localNames(spec *ast.ImportSpec) []string {
	if spec.Name != nil {
		return []string{spec.Name.Name}
	}
	return packageNames(importPath(spec))
}

func packageNames(importPath string) []string {
	base := path.Base(importPath)
	if versionElement.MatchString(base) {
		base = path.Base(path.Dir(importPath))
	}
	if i := strings.LastIndex(base, ".v"); i > 0 {
		base = base[:i]
	}
	names := []string{base}
	for _, variant := range []string{
		strings.TrimPrefix(base, "go-"), strings.TrimSuffix(base, "-go"), strings.TrimSuffix(base, ".go"),
		strings.ReplaceAll(base, "-", ""), strings.ReplaceAll(base, "-", "_"), base[strings.LastIndex(base, "-")+1:],
	} {
		if variant != base {
			names = append(names, variant)
		}
	}
	return names
}

func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return p
}

func anyIn(names []string, set map[string]bool) bool {
	for _, n := range names {
		if set[n] {
			return true
		}
	}
	return false
}

// dropUnusedImports parses the result of edits to before and removes the imports that the edits left without a use.
func dropUnusedImports(before *goFile, after []byte, cause string) ([]byte, error) {
	now, err := parseGo(before.path, after)
	if err != nil {
		return nil, fmt.Errorf("%s: the changes to upstream's %s leave no valid Go: %w", cause, before.path, err)
	}
	used, still := qualifiers(before), qualifiers(now)
	var edits []edit
	for _, top := range now.ast.Decls {
		gen, ok := top.(*ast.GenDecl)
		if !ok || gen.Tok != token.IMPORT {
			continue
		}
		var gone []*ast.ImportSpec
		for _, s := range gen.Specs {
			spec := s.(*ast.ImportSpec)
			names := localNames(spec)
			if names[0] != "_" && names[0] != "." && anyIn(names, used) && !anyIn(names, still) {
				gone = append(gone, spec)
			}
		}
		if len(gone) == len(gen.Specs) && len(gone) > 0 {
			start, end := wholeLines(after, now.offset(gen.Pos()), now.offset(gen.End()))
			edits = append(edits, edit{start, end, "", cause})
			continue
		}
		for _, spec := range gone {
			from := spec.Pos()
			if spec.Doc != nil {
				from = spec.Doc.Pos()
			}
			start, end := wholeLines(after, now.offset(from), now.offset(spec.End()))
			edits = append(edits, edit{start, end, "", cause})
		}
	}
	return applyEdits(after, edits)
}

// importEdits swaps import paths in f. The local name stays what it was: an alias is written when the new path would
// give another one. A path that f does not import is an error.
func importEdits(f *goFile, swap map[string]string, cause string) ([]edit, error) {
	seen := map[string]bool{}
	names := qualifiers(f)
	var edits []edit
	for _, spec := range f.ast.Imports {
		old := importPath(spec)
		to, ok := swap[old]
		if !ok {
			continue
		}
		seen[old] = true
		text := strconv.Quote(to)
		if spec.Name == nil {
			local := ""
			for _, n := range packageNames(old) {
				if names[n] {
					local = n
					break
				}
			}
			if local == "" {
				return nil, fmt.Errorf("cannot tell by which name %s knows %s", f.path, old)
			}
			if local != packageNames(to)[0] {
				text = local + " " + text
			}
		}
		edits = append(edits, edit{f.offset(spec.Path.Pos()), f.offset(spec.Path.End()), text, cause})
	}
	for old := range swap {
		if !seen[old] {
			return nil, fmt.Errorf("upstream's %s does not import %s", f.path, old)
		}
	}
	return edits, nil
}
