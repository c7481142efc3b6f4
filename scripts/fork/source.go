// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"strings"
)

// goFile is one parsed Go file.
type goFile struct {
	path       string // slash path relative to the tree's root
	label      string // what messages call it
	src        []byte
	fset       *token.FileSet
	ast        *ast.File
	constraint string // the //go:build expression in its normal form, or ""
	test       bool   // name ends in _test.go
}

func parseGo(path string, src []byte) (*goFile, error) {
	f := &goFile{path: path, label: path, src: src, fset: token.NewFileSet(), test: strings.HasSuffix(path, "_test.go")}
	var err error
	f.ast, err = parser.ParseFile(f.fset, path, src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	for _, group := range f.ast.Comments {
		if group.Pos() > f.ast.Package {
			break
		}
		for _, c := range group.List {
			if !constraint.IsGoBuild(c.Text) {
				continue
			}
			expr, err := constraint.Parse(c.Text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.at(c.Pos()), err)
			}
			f.constraint = expr.String()
		}
	}
	return f, nil
}

// at gives path:line of a position.
func (f *goFile) at(pos token.Pos) string {
	return fmt.Sprintf("%s:%d", f.label, f.fset.Position(pos).Line)
}

func (f *goFile) offset(pos token.Pos) int { return f.fset.Position(pos).Offset }

// pkg is what makes two files one package: the clause's name, and whether the file is a test.
type pkg struct {
	name string
	test bool
}

func (f *goFile) pkg() pkg { return pkg{f.ast.Name.Name, f.test} }

// declName names a package-level declaration or, with a receiver, a method.
type declName struct {
	recv, name string
}

func (n declName) String() string {
	if n.recv == "" {
		return n.name
	}
	return "(" + n.recv + ")." + n.name
}

// declKind is func (methods too), type or value (var and const).
type declKind string

const (
	kindFunc  declKind = "func"
	kindType  declKind = "type"
	kindValue declKind = "value"
)

// decl is one declared name.
type decl struct {
	file *goFile
	name declName
	kind declKind
	id   *ast.Ident
	fn   *ast.FuncDecl // kindFunc
	gen  *ast.GenDecl  // otherwise
	spec ast.Spec      // otherwise
}

func (d *decl) at() string { return d.file.at(d.id.Pos()) }

// decls lists what a file declares at package level. Blank names are left out.
func (f *goFile) decls() []*decl {
	var list []*decl
	add := func(d decl) {
		if d.id.Name != "_" {
			d.file = f
			list = append(list, &d)
		}
	}
	for _, top := range f.ast.Decls {
		switch top := top.(type) {
		case *ast.FuncDecl:
			name := declName{receiver(top), top.Name.Name}
			add(decl{name: name, kind: kindFunc, id: top.Name, fn: top})
		case *ast.GenDecl:
			for _, spec := range top.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					add(decl{name: declName{"", spec.Name.Name}, kind: kindType, id: spec.Name, gen: top, spec: spec})
				case *ast.ValueSpec:
					for _, id := range spec.Names {
						add(decl{name: declName{"", id.Name}, kind: kindValue, id: id, gen: top, spec: spec})
					}
				}
			}
		}
	}
	return list
}

// receiver returns the name of a method's receiver type without pointer and type parameters, or "".
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	expr := fn.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.ParenExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}

// grouped reports whether d shares its declaration with others, so that it cannot be removed whole.
func (d *decl) grouped() bool { return d.gen != nil && len(d.gen.Specs) > 1 }

// span returns the byte range of the declaration without its comments. Members of a const group stand for the whole
// group, since iota and implied repetition make their meaning depend on it.
func (d *decl) span() (start, end int) {
	switch {
	case d.fn != nil:
		return d.file.offset(d.fn.Pos()), d.file.offset(d.fn.End())
	case d.grouped() && d.gen.Tok != token.CONST:
		return d.file.offset(d.spec.Pos()), d.file.offset(d.spec.End())
	default:
		return d.file.offset(d.gen.Pos()), d.file.offset(d.gen.End())
	}
}

// removal returns the edit that takes the declaration out of its file. A name that shares its specification with
// others, or sits in a const group, becomes the blank identifier instead: the others keep their values.
func (d *decl) removal(cause string) edit {
	if value, ok := d.spec.(*ast.ValueSpec); ok && (len(value.Names) > 1 || d.gen.Tok == token.CONST && d.grouped()) {
		return edit{d.file.offset(d.id.Pos()), d.file.offset(d.id.End()), "_", cause}
	}
	start, end := d.span()
	if doc := d.doc(); doc != nil {
		start = d.file.offset(doc.Pos())
	}
	start, end = wholeLines(d.file.src, start, end)
	return edit{start, end, "", cause}
}

// doc returns the comment that belongs to what removal takes out.
func (d *decl) doc() *ast.CommentGroup {
	switch {
	case d.fn != nil:
		return d.fn.Doc
	case !d.grouped():
		return d.gen.Doc
	}
	switch spec := d.spec.(type) {
	case *ast.TypeSpec:
		return spec.Doc
	case *ast.ValueSpec:
		return spec.Doc
	}
	return nil
}

// wholeLines widens a range to the lines it covers when nothing but white space or a trailing comment shares them,
// and takes one of two blank lines that would then meet.
func wholeLines(src []byte, start, end int) (int, int) {
	lineStart := start
	for lineStart > 0 && (src[lineStart-1] == ' ' || src[lineStart-1] == '\t') {
		lineStart--
	}
	if lineStart > 0 && src[lineStart-1] != '\n' {
		return start, end
	}
	lineEnd := end
	for lineEnd < len(src) && src[lineEnd] != '\n' {
		lineEnd++
	}
	rest := strings.TrimSpace(string(src[end:lineEnd]))
	if rest != "" && !strings.HasPrefix(rest, "//") {
		return start, end
	}
	if lineEnd < len(src) {
		lineEnd++
	}
	blankBefore := lineStart == 0 || lineStart >= 2 && src[lineStart-2] == '\n'
	if blankBefore && lineEnd < len(src) && src[lineEnd] == '\n' {
		lineEnd++
	}
	return lineStart, lineEnd
}
