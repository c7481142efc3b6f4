// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"slices"
	"strings"
)

// verb is what a directive asks for.
type verb string

const (
	verbReplace verb = "replace" // upstream's declaration goes, ours stands
	verbWrap    verb = "wrap"    // upstream's is renamed, ours takes the name and may call it
	verbFields  verb = "fields"  // our fields are appended to upstream's struct
)

// class says what a change is for. It decides whether 'make build PERF=off' leaves the change out.
type class string

const (
	classGM   class = "gm"   // needed for the national algorithms, or to run this fork
	classPerf class = "perf" // makes stock Fabric faster, with the same results
	classFix  class = "fix"  // mends a fault of upstream's
)

var classes = []class{classGM, classPerf, classFix}

func (c class) known() bool { return slices.Contains(classes, c) }

const classRemedy = "say what the change is for: gm, perf or fix (docs/fork.md#classes)"

const directivePrefix = "//fork:"

// verbFile marks a whole file of ours with a class. The comment is above the package clause.
const verbFile verb = "file"

// directive is one //fork: line of ours with the declaration it stands on.
type directive struct {
	verb   verb
	class  class
	reason string
	where  string // file:line of ours
	decl   *decl
}

// directives reads the //fork: lines of one of our files. Each must be the last line of the doc comment of a
// package-level declaration and give its reason.
func directives(f *goFile, report *problems) []*directive {
	docs := map[*ast.Comment][]*decl{}
	for _, d := range f.decls() {
		for _, doc := range d.docs() {
			last := doc.List[len(doc.List)-1]
			docs[last] = append(docs[last], d)
		}
	}
	var list []*directive
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			if !strings.HasPrefix(c.Text, directivePrefix) {
				continue
			}
			where := f.at(c.Pos())
			v, class, reason := parseDirective(c.Text)
			switch {
			case v != verbReplace && v != verbWrap && v != verbFields && v != verbFile:
				report.add(where, "unknown directive //fork:%s; known are replace, wrap, fields and file", v)
			case !class.known():
				report.add(where, "//fork:%s names no class; write //fork:%s gm: reason, and %s", v, v, classRemedy)
			case reason == "":
				report.add(where, "//fork:%s gives no reason; write one behind the class", v)
			case v == verbFile && c.Pos() > f.ast.Package:
				report.add(where, "//fork:file must stand above the package clause")
			case v == verbFile:
			case docs[c] == nil:
				report.add(where, "//fork:%s must be the last line of the doc comment of a package-level declaration", v)
			default:
				for _, d := range docs[c] {
					list = append(list, &directive{v, class, reason, where, d})
				}
			}
		}
	}
	return list
}

// parseDirective splits a line such as "//fork:wrap gm: the reason". The class is empty where none is named.
func parseDirective(text string) (v verb, c class, reason string) {
	word, rest, _ := strings.Cut(strings.TrimPrefix(text, directivePrefix), " ")
	named, reason, ok := strings.Cut(rest, ":")
	if !ok {
		return verb(word), "", rest
	}
	return verb(word), class(strings.TrimSpace(named)), strings.TrimSpace(reason)
}

// class is that of a file of ours as a whole: gm unless a //fork:file line says otherwise.
func (f *goFile) class() class {
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			if c.Pos() < f.ast.Package && strings.HasPrefix(c.Text, directivePrefix+string(verbFile)+" ") {
				_, named, _ := parseDirective(c.Text)
				return named
			}
		}
	}
	return classGM
}

// docs lists the comments that may carry a directive for d: its own, and that of the group it stands in.
func (d *decl) docs() []*ast.CommentGroup {
	var list []*ast.CommentGroup
	add := func(doc *ast.CommentGroup) {
		if doc != nil {
			list = append(list, doc)
		}
	}
	if d.fn != nil {
		add(d.fn.Doc)
		return list
	}
	add(d.gen.Doc)
	switch spec := d.spec.(type) {
	case *ast.TypeSpec:
		add(spec.Doc)
	case *ast.ValueSpec:
		add(spec.Doc)
	}
	return list
}

// upstreamName is the name that a wrapped declaration keeps: upstream and the name with its first letter raised.
func upstreamName(name string) string {
	return "upstream" + strings.ToUpper(name[:1]) + name[1:]
}
