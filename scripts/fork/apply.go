// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// applyDirectives works through the //fork: lines of the folder and reports declarations of ours that would clash
// with upstream's without saying so.
func (f *folder) applyDirectives() {
	claimed := map[*ast.Ident]*directive{}
	said := map[*ast.Ident]bool{}
	for _, own := range f.own {
		for _, d := range directives(own, f.report) {
			said[d.decl.id] = true
			if d.class == classPerf && f.a.up.noPerf {
				f.stripOwn(d.decl, d.where)
				continue
			}
			for _, target := range f.targets(d) {
				if other := claimed[target.id]; other != nil {
					f.report.add(d.where, "claims upstream's %s (%s), which %s claims too; keep one of them", target.name, target.at(), other.where)
					continue
				}
				claimed[target.id] = d
				f.apply(d, target)
			}
		}
	}
	for _, own := range f.own {
		for _, d := range own.decls() {
			if !said[d.id] {
				f.reportClash(d)
			}
		}
	}
}

// targets finds the upstream declarations that a directive names: same package, name and kind. When upstream
// declares the name under several build constraints, ours without one stands for all of them, and ours with one for
// those in files with the same.
func (f *folder) targets(d *directive) []*decl {
	var all, same []*decl
	for _, theirs := range f.declared(d.decl) {
		if theirs.kind != d.decl.kind {
			f.report.add(d.where, "%s is a %s, but upstream's at %s is a %s", d.decl.name, d.decl.kind, theirs.at(), theirs.kind)
			return nil
		}
		all = append(all, theirs)
		if own := d.decl.file.constraint; own == "" || own == theirs.file.constraint {
			same = append(same, theirs)
		}
	}
	switch {
	case len(all) == 0:
		f.report.add(d.where, "%s", f.nothingNamed(d))
	case len(same) == 0:
		f.report.add(d.where, "upstream's %s at %s is under another build constraint (%q) than ours (%q); use the same, or none",
			all[0].name, all[0].at(), all[0].file.constraint, d.decl.file.constraint)
	case d.decl.name.name == "init" && d.decl.name.recv == "" && len(same) > 1:
		f.report.add(d.where, "upstream has several init functions in this package (%s); none can be named alone", places(same))
		return nil
	}
	return same
}

// declared lists upstream's declarations of d's name in d's package.
func (f *folder) declared(d *decl) []*decl {
	var list []*decl
	for _, theirs := range f.theirs {
		if theirs.pkg() != d.file.pkg() {
			continue
		}
		for _, t := range theirs.decls() {
			if t.name == d.name {
				list = append(list, t)
			}
		}
	}
	return list
}

func places(list []*decl) string {
	var out []string
	for _, d := range list {
		out = append(out, d.at())
	}
	return strings.Join(out, ", ")
}

// nothingNamed explains a directive that names nothing, with what upstream has under the same last name.
func (f *folder) nothingNamed(d *directive) string {
	msg := "//fork:" + string(d.verb) + " names " + d.decl.name.String() + ", which upstream's package " +
		d.decl.file.ast.Name.Name + " in " + f.dir + " does not declare"
	var near []string
	for _, theirs := range f.theirs {
		for _, t := range theirs.decls() {
			if t.name.name == d.decl.name.name {
				near = append(near, t.name.String()+" at "+t.at())
			}
		}
	}
	sort.Strings(near)
	if len(near) > 0 {
		return msg + "; it has " + strings.Join(near, ", ")
	}
	return msg + "; 'make fork-drift' looks for it elsewhere. Name what upstream calls it now, or remove the directive"
}

// reportClash reports a declaration of ours that upstream has too.
func (f *folder) reportClash(d *decl) {
	if d.name.name == "init" && d.name.recv == "" {
		return
	}
	for _, theirs := range f.declared(d) {
		if d.file.constraint == "" || theirs.file.constraint == "" || d.file.constraint == theirs.file.constraint {
			f.report.add(d.at(), "declares %s, which upstream declares at %s; write //fork:replace or //fork:wrap with a reason "+
				"as the last line of its doc comment, or rename it", d.name, theirs.at())
			return
		}
	}
}

// apply carries one directive out on one upstream declaration.
func (f *folder) apply(d *directive, target *decl) {
	start, end := target.span()
	f.a.touched.add(touch{kind: touchKind(d.verb), class: d.class, file: target.file.path, name: target.name.String(), where: d.where,
		text: target.file.src[start:end], constraint: target.file.constraint})
	switch d.verb {
	case verbReplace:
		f.change(target.file, target.removal(d.where))
	case verbWrap:
		f.wrap(d, target)
	case verbFields:
		f.addFields(d, target)
	}
}

func (f *folder) wrap(d *directive, target *decl) {
	if target.kind != kindFunc {
		f.report.add(d.where, "//fork:wrap works on functions and methods; use //fork:replace for %s", target.name)
		return
	}
	name := upstreamName(target.name.name)
	for _, theirs := range f.theirs {
		for _, t := range theirs.decls() {
			if t.name == (declName{target.name.recv, name}) && theirs.pkg() == target.file.pkg() {
				f.report.add(d.where, "upstream declares %s itself at %s; use //fork:replace", t.name, t.at())
				return
			}
		}
	}
	id := target.fn.Name
	f.change(target.file, edit{target.file.offset(id.Pos()), target.file.offset(id.End()), name, d.where})
}

// addFields appends the fields of our struct to upstream's of the same name and takes our declaration away.
func (f *folder) addFields(d *directive, target *decl) {
	ours, theirs := structOf(d.decl), structOf(target)
	if ours == nil || theirs == nil || ours.Fields.NumFields() == 0 {
		f.report.add(d.where, "//fork:fields needs a struct with fields of ours, and a struct upstream (%s)", target.at())
		return
	}
	if d.decl.grouped() {
		f.report.add(d.where, "//fork:fields needs a separate type declaration, outside a group")
		return
	}
	has := map[string]string{}
	for _, field := range theirs.Fields.List {
		for _, id := range field.Names {
			has[id.Name] = target.file.at(id.Pos())
		}
	}
	for _, field := range ours.Fields.List {
		for _, id := range field.Names {
			if at, ok := has[id.Name]; ok {
				f.report.add(d.decl.file.at(id.Pos()), "upstream's %s has a field %s already, at %s", target.name, id.Name, at)
				return
			}
		}
	}
	own := d.decl.file
	body := strings.TrimRight(string(own.src[own.offset(ours.Fields.Opening)+1:own.offset(ours.Fields.Closing)]), " \t\n")
	closing := target.file.offset(theirs.Fields.Closing)
	f.change(target.file, edit{closing, closing, body + "\n", d.where})
	f.importFor(d, target, ours)
	f.stripOwn(d.decl, d.where)
}

// stripOwn takes a declaration of ours out of its copy in the tree, once: upstream may declare its like under several
// build constraints.
func (f *folder) stripOwn(d *decl, cause string) {
	base := path.Base(d.file.path)
	if gone := d.removal(cause); !slices.Contains(f.strip[base], gone) {
		f.strip[base] = append(f.strip[base], gone)
	}
}

func structOf(d *decl) *ast.StructType {
	if spec, ok := d.spec.(*ast.TypeSpec); ok {
		st, _ := spec.Type.(*ast.StructType)
		return st
	}
	return nil
}

// importFor gives upstream's file the imports that our fields' types need.
func (f *folder) importFor(d *directive, target *decl, fields *ast.StructType) {
	own, theirs := d.decl.file, target.file
	for _, spec := range own.ast.Imports {
		local := ""
		ast.Inspect(fields, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if id, ok := sel.X.(*ast.Ident); ok && anyIn(localNames(spec), map[string]bool{id.Name: true}) {
					local = id.Name
				}
			}
			return true
		})
		if local == "" || hasImport(theirs, importPath(spec), local) {
			continue
		}
		end := theirs.offset(theirs.ast.Name.End())
		text := "; import " + local + " " + spec.Path.Value
		if !f.inserted(theirs, end, text) {
			f.change(theirs, edit{end, end, text, d.where})
		}
	}
}

// inserted reports whether the very same insertion was made before, by another field.
func (f *folder) inserted(file *goFile, at int, text string) bool {
	for _, e := range f.edits[path.Base(file.path)] {
		if e.start == at && e.end == at && e.text == text {
			return true
		}
	}
	return false
}

func hasImport(f *goFile, wanted, local string) bool {
	for _, spec := range f.ast.Imports {
		if importPath(spec) == wanted && anyIn(localNames(spec), map[string]bool{local: true}) {
			return true
		}
	}
	return false
}

// applySubstitutions works through the folder's fork.yaml.
func (f *folder) applySubstitutions() {
	if f.spec == nil {
		return
	}
	for _, sub := range f.spec.Substitutions {
		if sub == nil || !sub.isFor(f.a.up.short()) || sub.Class == classPerf && f.a.up.noPerf {
			continue
		}
		for _, base := range sub.Files {
			file := f.byName[base]
			if file == nil {
				f.report.add(sub.where, "upstream has no Go file %s; name the file that holds this code now", f.path(base))
				continue
			}
			f.a.touched.add(touch{kind: touchFile, class: sub.Class, file: file.path, where: sub.where, text: file.src})
			f.substitute(sub, file)
		}
	}
}

func (f *folder) substitute(sub *substitution, file *goFile) {
	if len(sub.Imports) > 0 {
		edits, err := importEdits(file, sub.Imports, sub.where)
		if err != nil {
			f.report.add(sub.where, "%v", err)
		}
		for _, e := range edits {
			f.change(file, e)
		}
	}
	var removed []edit
	for _, e := range f.edits[path.Base(file.path)] {
		if e.text == "" {
			removed = append(removed, e)
		}
	}
	for _, x := range sub.Expressions {
		if x == nil {
			continue
		}
		found, err := findTokens(file.src, x.Find, removed)
		if err != nil {
			f.report.add(x.where, "find %q: %v", x.Find, err)
			continue
		}
		if len(found) != x.Count {
			f.report.add(x.where, "%q occurs %s in upstream's %s, not %s; look at what changed there and adjust find or count",
				x.Find, times(len(found)), file.path, times(x.Count))
			continue
		}
		for _, span := range found {
			f.change(file, edit{span[0], span[1], x.Replace, x.where})
		}
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}
