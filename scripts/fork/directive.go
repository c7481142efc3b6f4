// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"strings"
)

// verb is what a directive asks for.
type verb string

const (
	verbReplace verb = "replace" // upstream's declaration goes, ours stands
	verbWrap    verb = "wrap"    // upstream's is renamed, ours takes the name and may call it
	verbFields  verb = "fields"  // our fields are appended to upstream's struct
)

const directivePrefix = "//fork:"

// directive is one //fork: line of ours with the declaration it stands on.
type directive struct {
	verb   verb
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
			word, reason, _ := strings.Cut(strings.TrimPrefix(c.Text, directivePrefix), " ")
			v, reason := verb(word), strings.TrimSpace(reason)
			switch {
			case v != verbReplace && v != verbWrap && v != verbFields:
				report.add(where, "unknown directive //fork:%s; known are replace, wrap and fields", word)
			case reason == "":
				report.add(where, "//fork:%s gives no reason; write one behind it", word)
			case docs[c] == nil:
				report.add(where, "//fork:%s must be the last line of the doc comment of a package-level declaration", word)
			default:
				for _, d := range docs[c] {
					list = append(list, &directive{v, reason, where, d})
				}
			}
		}
	}
	return list
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
