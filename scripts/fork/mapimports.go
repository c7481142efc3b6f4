// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"go/parser"
	"go/token"
	"path"
	"strconv"
)

// mapImports rewrites the import paths of a Go file by a map of paths, each of which stands for all below it too. Local
// names stay what they were. A file that does not parse, as fixtures may not, is returned as it is.
func mapImports(name string, src []byte, paths map[string]string) []byte {
	if path.Ext(name) != ".go" || !mentions(src, paths) {
		return src
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ImportsOnly)
	if err != nil {
		return src
	}
	var edits []edit
	for _, spec := range file.Imports {
		old := importPath(spec)
		to, ok := remap(paths, old)
		if !ok || to == old {
			continue
		}
		text := strconv.Quote(to)
		if was := packageNames(old)[0]; spec.Name == nil && was != packageNames(to)[0] {
			text = was + " " + text
		}
		edits = append(edits, edit{fset.Position(spec.Path.Pos()).Offset, fset.Position(spec.Path.End()).Offset, text, specFile})
	}
	out, err := applyEdits(src, edits)
	if err != nil {
		return src
	}
	return out
}

func mentions(src []byte, paths map[string]string) bool {
	for old := range paths {
		if bytes.Contains(src, []byte(`"`+old)) {
			return true
		}
	}
	return false
}
