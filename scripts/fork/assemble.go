// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"go/build/constraint"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"golang.org/x/mod/modfile"
)

// outFile is one file of the assembled tree.
type outFile struct {
	data   []byte // nil: the content of source, as it is
	source string // path on disk
	ours   bool   // laid over; otherwise upstream's, changed when data is set
	// treeOnly marks a file of ours under the treeTag constraint, which the copy in the tree lacks.
	treeOnly bool
}

// assembly is the outcome of laying the delta over upstream, in memory.
type assembly struct {
	root     string
	up       *upstream
	files    map[string]*outFile // by slash path
	touched  *touches            // what of upstream the delta depends on
	ourPaths []string            // ours, by their paths in the tree, sorted
	inRepo   map[string]string   // the same: their paths in the repository
	imports  map[string]string   // for every Go file, see mapImports
	// upstreams are the names by which entries of a fork.yaml know upstreams, and named are the entries that name some.
	upstreams []string
	named     []*substitution
}

// ourFile is the place on disk of a file of ours, named by its path in the tree.
func (a *assembly) ourFile(name string) string {
	return filepath.Join(a.root, filepath.FromSlash(a.inRepo[name]))
}

// assemble lays the delta in root over up. Everything wrong is reported in one error.
func assemble(root string, up *upstream) (*assembly, error) {
	a := &assembly{root: root, up: up, files: map[string]*outFile{}, touched: newTouches(), imports: up.spec.importMap()}
	a.upstreams = append(knownUpstreams(filepath.Join(root, "scripts", "fork")), up.defaultShort())
	sort.Strings(a.upstreams)
	upPaths, err := up.files()
	if err != nil {
		return nil, err
	}
	if a.inRepo, err = ourFiles(root, up.spec); err != nil {
		return nil, err
	}
	a.ourPaths = sortedKeys(a.inRepo)
	folders := map[string]*folder{}
	at := func(name string) *folder {
		dir := path.Dir(name)
		if folders[dir] == nil {
			folders[dir] = &folder{a: a, dir: dir, sources: map[string]string{}}
		}
		return folders[dir]
	}
	for _, name := range sortedKeys(upPaths) {
		f := at(name)
		f.upstream = append(f.upstream, path.Base(name))
		f.sources[path.Base(name)] = upPaths[name]
	}
	for _, name := range a.ourPaths {
		f := at(name)
		f.ours = append(f.ours, path.Base(name))
	}
	var report problems
	for _, dir := range sortedKeys(folders) {
		if err := folders[dir].assemble(&report); err != nil {
			return nil, err
		}
	}
	a.checkName(&report)
	if err := a.moduleFiles(); err != nil {
		return nil, err
	}
	return a, report.err()
}

// checkName reports an upstream for which no entry with upstreams: is made. Such entries come in sets, of which each line of versions has
// one: under a name that is in none of them, all these changes would be missing.
func (a *assembly) checkName(report *problems) {
	name := a.up.short()
	if len(a.named) == 0 || slices.ContainsFunc(a.named, func(s *substitution) bool { return s.isFor(name) }) {
		return
	}
	report.add(a.named[0].where, "no entry with upstreams: in a fork.yaml is for %q, so their changes would be missing; give the upstream's folder a "+
		"name that the globs of its line of versions match (here %s), or add its name to the entries", name, strings.Join(a.named[0].Upstreams, ", "))
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// moduleFiles adds our go.mod, without the ignore directives that only mean something at the root, and our go.sum.
func (a *assembly) moduleFiles() error {
	name := a.up.moduleFile(a.root, "go.mod")
	data, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return fmt.Errorf("%s is missing: put upstream's go.mod and go.sum there, and run 'make tidy%s'", name, a.up.makeFlag())
	}
	if err != nil {
		return fmt.Errorf("reading our module file: %w", err)
	}
	file, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return fmt.Errorf("reading our module file: %w", err)
	}
	for _, r := range file.Replace {
		if r.New.Version == "" {
			return fmt.Errorf("go.mod:%d: a replacement by a folder cannot work in the assembled tree", r.Syntax.Start.Line)
		}
	}
	for _, ignored := range append([]*modfile.Ignore(nil), file.Ignore...) {
		if err := file.DropIgnore(ignored.Path); err != nil {
			return err
		}
	}
	file.Cleanup()
	out, err := file.Format()
	if err != nil {
		return err
	}
	a.files["go.mod"] = &outFile{data: out, source: name, ours: true}
	a.files["go.sum"] = &outFile{source: a.up.moduleFile(a.root, "go.sum"), ours: true}
	return nil
}

// folder is one directory of the tree with the files that upstream and we have in it.
type folder struct {
	a              *assembly
	dir            string
	upstream, ours []string          // base names
	sources        map[string]string // upstream's on disk, by base name
	spec           *forkSpec
	report         *problems

	own, theirs []*goFile          // parsed Go files
	edits       map[string][]edit  // by base name of an upstream file
	strip       map[string][]edit  // by base name of a file of ours: declarations that move into upstream's
	cause       map[string]string  // base name: the first of ours that changed it
	mapped      map[string]bool    // base name of an upstream file: its imports are mapped
	byName      map[string]*goFile // upstream's Go files by base name
}

func (f *folder) path(base string) string { return path.Join(f.dir, base) }

// upstreamText reads a file of upstream's, its imports mapped.
func (f *folder) upstreamText(base string) ([]byte, error) {
	data, err := os.ReadFile(f.sources[base])
	return mapImports(base, data, f.a.imports), err
}

// label is how messages name a file of ours: by its path in the repository.
func (f *folder) label(base string) string { return f.a.inRepo[f.path(base)] }

// ourText reads a file of ours, its imports mapped.
func (f *folder) ourText(base string) ([]byte, error) {
	data, err := os.ReadFile(f.a.ourFile(f.path(base)))
	return mapImports(base, data, f.a.imports), err
}

// assemble puts the folder's files into the assembly.
func (f *folder) assemble(report *problems) error {
	f.report = report
	f.mapped = map[string]bool{}
	f.edits, f.strip, f.cause, f.byName = map[string][]edit{}, map[string][]edit{}, map[string]string{}, map[string]*goFile{}
	if err := f.readSpec(); err != nil {
		return err
	}
	if err := f.layUpstream(); err != nil {
		return err
	}
	if err := f.layOurs(); err != nil {
		return err
	}
	if len(f.own) == 0 && f.spec == nil {
		return nil
	}
	if err := f.parseUpstream(); err != nil {
		return err
	}
	f.applyDirectives()
	f.applySubstitutions()
	f.writeChanged()
	return nil
}

func (f *folder) readSpec() error {
	for _, base := range f.ours {
		if base != forkFile {
			continue
		}
		data, err := f.ourText(base)
		if err != nil {
			return err
		}
		f.spec = parseForkSpec(f.label(base), data, f.report)
		f.a.named = append(f.a.named, f.spec.checkUpstreams(f.a.upstreams, f.report)...)
		f.spec.mapImports(f.a.imports)
	}
	return nil
}

// layUpstream enters upstream's files, without those that a replaced package drops.
func (f *folder) layUpstream() error {
	var kept []string
	for _, base := range f.upstream {
		if f.spec.keeps(base) {
			if err := f.layOne(base); err != nil {
				return err
			}
			kept = append(kept, base)
			continue
		}
		data, err := f.upstreamText(base)
		if err != nil {
			return err
		}
		f.a.touched.add(touch{kind: touchDropped, file: f.path(base), class: f.spec.Class, where: f.spec.path, text: data})
	}
	if f.spec != nil && f.spec.ReplacePackage && len(kept) == len(f.upstream) {
		f.report.add(f.spec.path, "replace_package drops no file of upstream's")
	}
	f.upstream = kept
	return nil
}

// layOne enters one file of upstream's, with the notice at its head if its imports are mapped.
func (f *folder) layOne(base string) error {
	out := &outFile{source: f.sources[base]}
	f.a.files[f.path(base)] = out
	if len(f.a.imports) == 0 || path.Ext(base) != ".go" {
		return nil
	}
	raw, err := os.ReadFile(out.source)
	if err != nil {
		return err
	}
	if data := mapImports(base, raw, f.a.imports); !bytes.Equal(data, raw) {
		f.mapped[base] = true
		out.data = append([]byte(f.changeNotice(base)), data...)
	}
	return nil
}

// layOurs enters our files and parses the Go ones.
func (f *folder) layOurs() error {
	for _, base := range f.ours {
		name := f.path(base)
		taken := f.a.files[name] != nil
		switch {
		case base == forkFile:
			continue
		case taken && path.Dir(name) == "sampleconfig" && path.Ext(name) == ".yaml":
			if err := f.mergeSample(base); err != nil {
				return err
			}
			continue
		case taken:
			f.report.add(f.label(base)+":1", "upstream has a file of this name; give ours another one, or replace single declarations "+
				"with //fork:replace")
			continue
		}
		out := &outFile{source: f.a.ourFile(name), ours: true}
		f.a.files[name] = out
		if path.Ext(base) != ".go" {
			continue
		}
		data, err := os.ReadFile(out.source)
		if err != nil {
			return err
		}
		if now := mapImports(name, data, f.a.imports); !bytes.Equal(now, data) {
			data = append([]byte(f.writtenFrom(base)+"\n\n"), now...)
			out.data = data
		}
		file, err := f.parseOwn(base, data)
		if err != nil {
			f.report.add(f.label(base), "%v", err)
			continue
		}
		if file.class() == classPerf && f.a.up.noPerf {
			delete(f.a.files, name)
			continue
		}
		if file.constraint == treeTag {
			out.treeOnly = true
			out.data = file.unconstrained(f.writtenFrom(base))
			if file, err = f.parseOwn(base, out.data); err != nil {
				return err
			}
		}
		f.own = append(f.own, file)
	}
	return nil
}

// parseOwn parses a file of ours, which messages name by its path in the repository.
func (f *folder) parseOwn(base string, data []byte) (*goFile, error) {
	file, err := parseGo(f.path(base), data)
	if err == nil {
		file.label = f.label(base)
	}
	return file, err
}

// treeTag is the build constraint of files of ours that compile in the assembled tree alone although their folder takes
// part in './...' at the root. It is taken out at assembly.
const treeTag = "fork"

// unconstrained returns the source with a notice in the place of its //go:build line.
func (f *goFile) unconstrained(notice string) []byte {
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			if constraint.IsGoBuild(c.Text) {
				start, end := f.offset(c.Pos()), f.offset(c.End())
				return slices.Concat(f.src[:start], []byte(notice), f.src[end:])
			}
		}
	}
	return f.src
}

func (f *folder) mergeSample(base string) error {
	name := f.path(base)
	upText, err := f.upstreamText(base)
	if err != nil {
		return err
	}
	ourText, err := f.ourText(base)
	if err != nil {
		return err
	}
	merged, touched, err := mergeYAML(upText, ourText)
	if err != nil {
		f.report.add(f.label(base), "merging into upstream's file: %v", err)
		return nil
	}
	for _, t := range touched {
		f.a.touched.add(touch{kind: touchYAML, class: classGM, file: name, name: t.path, where: fmt.Sprintf("%s:%d", f.label(base), t.line), text: []byte(t.text)})
	}
	f.a.files[name] = &outFile{data: merged, source: f.sources[base]}
	return nil
}

func (f *folder) parseUpstream() error {
	for _, base := range f.upstream {
		if path.Ext(base) != ".go" {
			continue
		}
		data, err := f.upstreamText(base)
		if err != nil {
			return err
		}
		file, err := parseGo(f.path(base), data)
		if err != nil {
			return fmt.Errorf("upstream's %w", err)
		}
		f.theirs = append(f.theirs, file)
		f.byName[base] = file
	}
	return nil
}

// change notes an edit of one of upstream's files.
func (f *folder) change(file *goFile, e edit) {
	base := path.Base(file.path)
	f.edits[base] = append(f.edits[base], e)
	if f.cause[base] == "" {
		f.cause[base] = e.cause
	}
}

// writeChanged makes the collected edits.
func (f *folder) writeChanged() {
	for _, base := range sortedKeys(f.edits) {
		file := f.byName[base]
		data, err := f.edited(file, f.edits[base], f.cause[base])
		if err != nil {
			f.report.add(f.cause[base], "changing upstream's %s: %v", file.path, err)
			continue
		}
		f.a.files[file.path].data = append([]byte(f.changeNotice(base)), data...)
	}
	for _, file := range f.own {
		base := path.Base(file.path)
		if len(f.strip[base]) == 0 {
			continue
		}
		data, err := f.edited(file, f.strip[base], file.path)
		if err != nil {
			f.report.add(file.path, "%v", err)
			continue
		}
		if out := f.a.files[file.path]; out.data == nil {
			out.data = append([]byte(f.writtenFrom(base)+"\n\n"), data...)
		} else {
			out.data = data
		}
	}
}

// writtenFrom is the line in a file of ours that assembly changes: it says which file to edit.
func (f *folder) writtenFrom(base string) string {
	return "// Written at assembly from " + f.label(base) + ", which is the file to edit."
}

func (f *folder) edited(file *goFile, edits []edit, cause string) ([]byte, error) {
	data, err := applyEdits(file.src, edits)
	if err != nil {
		return nil, err
	}
	return dropUnusedImports(file, data, cause)
}

// changeNotice is the line at the head of a changed upstream file: the licence asks for a prominent notice.
func (f *folder) changeNotice(base string) string {
	names := map[string]bool{}
	if f.mapped[base] {
		names[specFile] = true
	}
	for _, e := range f.edits[base] {
		name, _, _ := strings.Cut(e.cause, ":")
		names[path.Base(name)] = true
	}
	return "// Changed by the fork at assembly; see " + strings.Join(sortedKeys(names), ", ") + ".\n\n"
}
