// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"syscall"
)

// unfinished stands in the tree's go.mod while files are being written: the go command refuses it and shows this line.
const unfinished = "this-tree-is-half-written-so-run-make-fork-again x\n"

// changes is what bringing a tree on disk up to date means.
type changes struct {
	write []string
	stale []string
}

func (c changes) empty() bool { return len(c.write)+len(c.stale) == 0 }

// compare lists the files of out that differ from the assembly. Files that are equal stay untouched, so that Go's
// build cache holds.
func (a *assembly) compare(out string) (changes, error) {
	var c changes
	for name, file := range a.files {
		data, err := file.content()
		if err != nil {
			return c, err
		}
		target := filepath.Join(out, filepath.FromSlash(name))
		info, err := os.Lstat(target)
		if err == nil && info.Mode().IsRegular() && info.Size() == int64(len(data)) && info.Mode().Perm() == fileMode(data) {
			old, err := os.ReadFile(target)
			if err == nil && bytes.Equal(old, data) {
				continue
			}
		}
		c.write = append(c.write, name)
	}
	err := filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(out, path)
		if err != nil {
			return err
		}
		if name := filepath.ToSlash(rel); a.files[name] == nil {
			c.stale = append(c.stale, name)
		}
		return nil
	})
	sort.Strings(c.write)
	return c, err
}

func (f *outFile) content() ([]byte, error) {
	if f.data != nil {
		return f.data, nil
	}
	return os.ReadFile(f.source)
}

// fileMode is 0755 for scripts, since module archives carry no modes, and 0644 for everything else.
func fileMode(data []byte) fs.FileMode {
	if bytes.HasPrefix(data, []byte("#!")) {
		return 0o755
	}
	return 0o644
}

// sync brings the tree at out up to date. While it writes, go.mod holds a line that no go command accepts: a tree that
// was interrupted cannot be built, and the next run mends it.
func (a *assembly) sync(out string) (changes, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return changes{}, cannotWrite(out, err)
	}
	release, err := exclusive(out)
	if err != nil {
		return changes{}, err
	}
	defer release()
	c, err := a.compare(out)
	if err != nil || c.empty() {
		return c, err
	}
	if err := a.writeAll(out, c); err != nil {
		return c, cannotWrite(out, err)
	}
	return c, nil
}

func cannotWrite(out string, err error) error {
	return fmt.Errorf("the assembled tree cannot be written: %w\nMake %s writable, or remove it ('make clean'), and run 'make fork' again; "+
		"until then it cannot be built", err, out)
}

// exclusive keeps two assemblies out of one tree.
func exclusive(out string) (release func(), err error) {
	name := filepath.Clean(out) + ".lock"
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, cannotWrite(out, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("locking %s: %w", name, err)
	}
	return func() { file.Close() }, nil
}

func (a *assembly) writeAll(out string, c changes) error {
	goMod, aside := filepath.Join(out, "go.mod"), filepath.Clean(out)+".go.mod"
	if err := os.Rename(goMod, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(goMod, []byte(unfinished), 0o644); err != nil {
		return err
	}
	for _, name := range c.stale {
		if err := os.Remove(filepath.Join(out, filepath.FromSlash(name))); err != nil {
			return err
		}
		removeEmpty(out, filepath.Dir(filepath.FromSlash(name)))
	}
	for _, name := range c.write {
		if name == "go.mod" {
			continue
		}
		if err := a.writeFile(out, name); err != nil {
			return err
		}
	}
	// The old go.mod goes back when it is still right, so that its time stays.
	want := a.files["go.mod"].data
	if old, err := os.ReadFile(aside); err == nil && bytes.Equal(old, want) {
		return os.Rename(aside, goMod)
	}
	os.Remove(aside)
	return a.writeFile(out, "go.mod")
}

// writeFile writes one file by way of a temporary neighbour.
func (a *assembly) writeFile(out, name string) error {
	data, err := a.files[name].content()
	if err != nil {
		return err
	}
	target := filepath.Join(out, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	tmp := target + ".fork-tmp"
	if err := os.WriteFile(tmp, data, fileMode(data)); err != nil {
		return err
	}
	if err := os.Chmod(tmp, fileMode(data)); err != nil {
		return err
	}
	return os.Rename(tmp, target)
}

// removeEmpty removes dir and its parents below out as long as they are empty.
func removeEmpty(out, dir string) {
	for dir != "." && os.Remove(filepath.Join(out, dir)) == nil {
		dir = filepath.Dir(dir)
	}
}
