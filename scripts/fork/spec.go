// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
)

// upstreamSpec is the content of scripts/fork/upstreams/NAME/upstream.yaml: an upstream other than the default one, and how the
// delta is laid over it. The zero value, with the module's path, is the default.
type upstreamSpec struct {
	pinned `yaml:",inline"`
	// Tag is upstream's name for the version, which binaries print.
	Tag string `yaml:"tag"`
	// Ours maps folders of the repository to folders of the tree, both as slash paths from the root; "." is the root.
	// Absent: everything of the repository that is laid over the default upstream, at the same paths.
	Ours map[string]string `yaml:"ours"`
	// Omit names files of ours, by their path in the tree, that this upstream goes without. Globs as in path.Match.
	Omit []string `yaml:"omit"`
	// Files names folders below scripts/fork/upstreams whose files are laid over as well, each at the path that it has there. They
	// take the place of files of ours with the same path in the tree; a later folder counts before an earlier one.
	Files []string `yaml:"files"`
	// Fold lists modules whose packages become packages of the tree, so that the delta reaches them.
	Fold []*folded `yaml:"fold"`
	// Imports maps import paths, and all paths below them, in every Go file of the tree, ours and upstream's. The longest
	// match counts. Folded packages need no entry.
	Imports map[string]string `yaml:"imports"`
	// Binaries are the commands that 'make build' builds, as folders of the tree. Absent: those of Fabric.
	Binaries []string `yaml:"binaries"`
	// Differences is the document that lists the changes. Absent: none is written.
	Differences string `yaml:"differences"`

	dir string // of upstream.yaml; empty for the default
}

// pinned is a module at a version whose content is known by its checksum, as in go.sum.
type pinned struct {
	Module  string `yaml:"module"`
	Version string `yaml:"version"`
	Sum     string `yaml:"sum"`
}

// folded is a module that is folded into the tree, in whole or in part.
type folded struct {
	pinned `yaml:",inline"`
	// Folders maps folders of the module to folders of the tree, with everything below.
	Folders map[string]string `yaml:"folders"`
}

const specFile = "upstream.yaml"

// upstreamsDir holds a folder for each upstream other than the default.
func upstreamsDir(toolDir string) string { return filepath.Join(toolDir, "upstreams") }

// readUpstreamSpec reads scripts/fork/upstreams/NAME/upstream.yaml. found is false when there is no such folder.
func readUpstreamSpec(toolDir, name string) (spec *upstreamSpec, found bool, err error) {
	if name != filepath.Base(name) || name == "" {
		return nil, false, nil
	}
	dir := filepath.Join(upstreamsDir(toolDir), name)
	data, err := os.ReadFile(filepath.Join(dir, specFile))
	if os.IsNotExist(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	spec = &upstreamSpec{dir: dir}
	if err := decodeStrictly(data, spec); err != nil {
		return nil, false, fmt.Errorf("%s: %w", spec.where(), err)
	}
	var report problems
	spec.validate(spec.where(), &report)
	return spec, true, report.err()
}

func (s *upstreamSpec) validate(where string, report *problems) {
	s.pinned.validate(where, report)
	if s.Tag == "" {
		report.add(where, "names no tag: upstream's own name for this version, such as v1.5.21")
	}
	for _, f := range s.Fold {
		if f == nil {
			report.add(where, "fold holds an empty entry")
			continue
		}
		f.pinned.validate(where, report)
		if len(f.Folders) == 0 {
			report.add(where, "folding %s needs folders: which of the module's go where", f.Module)
		}
		for from, to := range f.Folders {
			checkFolder(where, from, report)
			checkFolder(where, to, report)
		}
	}
	for _, name := range s.Files {
		checkFolder(where, name, report)
	}
	for from, to := range s.Ours {
		checkFolder(where, from, report)
		checkFolder(where, to, report)
	}
	for _, glob := range s.Omit {
		if _, err := path.Match(glob, ""); err != nil {
			report.add(where, "omit: %q is not a valid glob", glob)
		}
	}
}

func (p *pinned) validate(where string, report *problems) {
	if module.CheckPath(p.Module) != nil {
		report.add(where, "%q is not a module path", p.Module)
	}
	if module.CanonicalVersion(p.Version) != p.Version || module.Check(p.Module, p.Version) != nil {
		report.add(where, "%s: version %q is not an exact module version of it; 'go list -m %s@COMMIT' prints that of a release's commit", p.Module, p.Version, p.Module)
	}
	if !strings.HasPrefix(p.Sum, "h1:") {
		report.add(where, "%s: sum %q is not a checksum as go.sum has it (h1:...); 'go mod download -json %s@%s' prints it. "+
			"Where no proxy serves it, write h1:none: 'make fork' with CHECKOUT then names that of a new clone", p.Module, p.Sum, p.Module, p.Version)
	}
}

func checkFolder(where, name string, report *problems) {
	if name == "" || path.Clean(name) != name || path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") {
		report.add(where, "%q is not a folder below the root, written without ./ and trailing slash", name)
	}
}

// remap maps name, a slash path, by the longest folder of folders that holds it. ok is false when none does.
func remap(folders map[string]string, name string) (to string, ok bool) {
	for best := name; ; best = path.Dir(best) {
		if to, ok := folders[best]; ok {
			rest := name
			if best != "." {
				rest = strings.TrimPrefix(name[len(best):], "/")
			}
			return path.Join(to, rest), true
		}
		if best == "." || best == "/" {
			return "", false
		}
	}
}

// holds reports whether a file is in a folder, "." for the root, or below it.
func holds(folder, name string) bool { return folder == "." || strings.HasPrefix(name, folder+"/") }

// importMap is Imports with what follows from the folded modules.
func (s *upstreamSpec) importMap() map[string]string {
	all := map[string]string{}
	for _, f := range s.Fold {
		for from, to := range f.Folders {
			all[path.Join(f.Module, from)] = path.Join(s.Module, to)
		}
	}
	for from, to := range s.Imports {
		all[from] = to
	}
	return all
}

// omits reports whether this upstream goes without a file of ours, and notes the globs that say so.
func (s *upstreamSpec) omits(name string, used map[string]bool) bool {
	found := false
	for _, glob := range s.Omit {
		if ok, _ := path.Match(glob, name); ok {
			found, used["omit "+glob] = true, true
		}
	}
	return found
}

// unused reports entries that name nothing of ours, any more or by a slip: what they are to leave out or bring would be in the tree, or
// missing there.
func (s *upstreamSpec) unused(used map[string]bool) error {
	var report problems
	for _, glob := range s.Omit {
		if !used["omit "+glob] {
			report.add(s.where(), "omit: %q matches no file of ours; write the path that the file has in the tree now, or remove the entry", glob)
		}
	}
	for _, from := range sortedKeys(s.Ours) {
		if !used["ours "+from] {
			report.add(s.where(), "ours: the repository has no files in %q; write the folder's present name, or remove the entry", from)
		}
	}
	return report.err()
}

// where names the file in messages.
func (s *upstreamSpec) where() string {
	return upstreamsFolder + filepath.Base(s.dir) + "/" + specFile
}

// Paths of what belongs to one upstream. The default's stand where they stood before there were others.

func (u *upstream) lockPath(root string) string {
	if u.spec.dir == "" {
		return filepath.Join(root, "scripts", "fork", "lock.txt")
	}
	return filepath.Join(u.spec.dir, "lock.txt")
}

// driftLock is the lock that drift compares this upstream with: that of the default for another Fabric, as ours was written
// against it.
func (u *upstream) driftLock(root string) string {
	if u.spec.Module == upstreamModule {
		return filepath.Join(root, "scripts", "fork", "lock.txt")
	}
	return u.lockPath(root)
}

// lockName is the lock's path in messages.
func (u *upstream) lockName() string {
	if u.spec.dir == "" {
		return "scripts/fork/lock.txt"
	}
	return path.Join("scripts/fork/upstreams", filepath.Base(u.spec.dir), "lock.txt")
}

func (u *upstream) testList(root, name string) string {
	if u.spec.dir == "" {
		return filepath.Join(root, "scripts", "fork", "upstream-tests", name)
	}
	return filepath.Join(u.spec.dir, "upstream-tests", name)
}

// moduleFile is go.mod or go.sum of the tree.
func (u *upstream) moduleFile(root, name string) string {
	if u.spec.dir == "" {
		return filepath.Join(root, name)
	}
	return filepath.Join(u.spec.dir, name)
}

// short is the name by which fork.yaml entries know this upstream. A folder or a module version counts as the default, whose lock it is
// compared with too: ours is written against that.
func (u *upstream) short() string {
	if u.spec.dir == "" {
		return u.defaultShort()
	}
	return filepath.Base(u.spec.dir)
}

func (u *upstream) defaultShort() string { return strings.TrimPrefix(u.pin, "v") }

// makeFlag is what to add to a make target to mean this upstream.
func (u *upstream) makeFlag() string {
	if u.spec.dir == "" {
		return ""
	}
	return " UPSTREAM=" + filepath.Base(u.spec.dir)
}
