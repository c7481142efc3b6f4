// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// forkSpec is the content of a fork.yaml: what changes in upstream's files of its folder.
type forkSpec struct {
	Substitutions []*substitution `yaml:"substitutions"`
	// ReplacePackage drops every upstream file of the folder (not of folders below) that no glob of Keep matches.
	ReplacePackage bool     `yaml:"replace_package"`
	Keep           []string `yaml:"keep"`
	Class          class    `yaml:"class"`
	Reason         string   `yaml:"reason"`

	path string // of the fork.yaml
}

// substitution swaps imports and expressions in the named upstream files.
type substitution struct {
	Files       []string          `yaml:"files"`
	Class       class             `yaml:"class"`
	Upstreams   []string          `yaml:"upstreams"` // globs of names; absent: all
	Reason      string            `yaml:"reason"`
	Imports     map[string]string `yaml:"imports"`
	Expressions []*expression     `yaml:"expressions"`

	where string // file:line of ours
}

// expression replaces Find, a token sequence that must stand Count times in each file.
type expression struct {
	Find    string `yaml:"find"`
	Replace string `yaml:"replace"`
	Count   int    `yaml:"count"`

	where string
}

// parseForkSpec reads a fork.yaml. Unknown keys and missing ones are reported.
func parseForkSpec(name string, data []byte, report *problems) *forkSpec {
	spec := &forkSpec{path: name}
	if err := decodeStrictly(data, spec); err != nil && !errors.Is(err, io.EOF) {
		report.add(name, "%v", err)
		return nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		report.add(name, "%v", err)
		return nil
	}
	spec.locate(&doc)
	spec.validate(report)
	return spec
}

// decodeStrictly reads a file of one YAML document without unknown keys. A second document would not be read.
func decodeStrictly(data []byte, into any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return errors.New("holds a second document behind a line ---; join the two")
	}
	return nil
}

// locate gives each substitution and expression its file:line.
func (s *forkSpec) locate(doc *yaml.Node) {
	if len(doc.Content) == 0 {
		return
	}
	_, list := lookup(doc.Content[0], "substitutions")
	for i, sub := range s.Substitutions {
		if sub == nil {
			continue
		}
		node := list.Content[i]
		sub.where = fmt.Sprintf("%s:%d", s.path, node.Line)
		_, exprs := lookup(node, "expressions")
		for j, e := range sub.Expressions {
			if e != nil {
				e.where = fmt.Sprintf("%s:%d", s.path, exprs.Content[j].Line)
			}
		}
	}
}

func (s *forkSpec) validate(report *problems) {
	if s.ReplacePackage && s.Reason == "" {
		report.add(s.path, "replace_package gives no reason; add a reason key")
	}
	if s.ReplacePackage && s.Class != classGM && s.Class != classFix {
		report.add(s.path, "replace_package needs a class key, gm or fix: a whole package cannot be left out with PERF=off")
	}
	if !s.ReplacePackage && len(s.Keep) > 0 {
		report.add(s.path, "keep has a meaning with replace_package: true alone")
	}
	for _, glob := range s.Keep {
		if _, err := path.Match(glob, ""); err != nil {
			report.add(s.path, "keep: %q is not a valid glob", glob)
		}
	}
	for _, sub := range s.Substitutions {
		if sub == nil {
			report.add(s.path, "holds an empty substitution")
			continue
		}
		for _, glob := range sub.Upstreams {
			if _, err := path.Match(glob, ""); err != nil {
				report.add(sub.where, "upstreams: %q is not a valid glob", glob)
			}
		}
		if !sub.Class.known() {
			report.add(sub.where, "the substitution names no class; add a class key and %s", classRemedy)
		}
		if sub.Reason == "" {
			report.add(sub.where, "the substitution gives no reason")
		}
		if len(sub.Files) == 0 || len(sub.Imports)+len(sub.Expressions) == 0 {
			report.add(sub.where, "the substitution needs files, and imports or expressions")
		}
		for _, e := range sub.Expressions {
			if e == nil || e.Find == "" || e.Count < 1 {
				report.add(sub.where, "an expression needs find, replace and a count of 1 or more")
			}
		}
	}
}

// checkUpstreams returns the entries that are for some upstreams, and reports globs that match the name of none: such an entry is made
// nowhere.
func (s *forkSpec) checkUpstreams(known []string, report *problems) (named []*substitution) {
	if s == nil {
		return nil
	}
	for _, sub := range s.Substitutions {
		if sub == nil || len(sub.Upstreams) == 0 {
			continue
		}
		named = append(named, sub)
		for _, glob := range sub.Upstreams {
			matches := func(name string) bool { ok, _ := path.Match(glob, name); return ok }
			if !slices.ContainsFunc(known, matches) {
				report.add(sub.where, "upstreams: %q matches no upstream; there are %s. Correct it, or remove what is for an upstream that is gone",
					glob, strings.Join(known, ", "))
			}
		}
	}
	return named
}

// mapImports maps the import paths that substitutions name, as those of the Go files are.
func (s *forkSpec) mapImports(paths map[string]string) {
	if s == nil || len(paths) == 0 {
		return
	}
	to := func(path string) string {
		if now, ok := remap(paths, path); ok {
			return now
		}
		return path
	}
	for _, sub := range s.Substitutions {
		if sub == nil {
			continue
		}
		now := map[string]string{}
		for from, path := range sub.Imports {
			now[to(from)] = to(path)
		}
		sub.Imports = now
	}
}

// isFor reports whether the substitution is made in the upstream of this name.
func (s *substitution) isFor(upstream string) bool {
	for _, glob := range s.Upstreams {
		if ok, _ := path.Match(glob, upstream); ok {
			return true
		}
	}
	return len(s.Upstreams) == 0
}

// keeps reports whether an upstream file of this name in the folder stays.
func (s *forkSpec) keeps(base string) bool {
	if s == nil || !s.ReplacePackage {
		return true
	}
	for _, glob := range s.Keep {
		if ok, _ := path.Match(glob, base); ok {
			return true
		}
	}
	return false
}
