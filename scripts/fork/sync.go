// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// unfinished is in the tree's go.mod while files are being written: the go command refuses it and shows this line.
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
	var report problems
	for _, name := range sortedKeys(a.files) {
		file := a.files[name]
		same := sameCopy
		if a.isLink(name, file) {
			same = sameLink
		}
		ok, err := false, error(nil)
		if !behindLink(out, path.Dir(name)) {
			ok, err = same(filepath.Join(out, filepath.FromSlash(name)), file)
		}
		var lost *lostEdit
		switch {
		case errors.As(err, &lost):
			report.add(lost.tree, "%v", lost)
		case err != nil:
			return c, err
		case !ok:
			c.write = append(c.write, name)
		}
	}
	if err := report.err(); err != nil {
		return c, err
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
	return c, err
}

// behindLink reports whether a folder of the tree, or one above it, is a link. Such a link is removed, and what seemed to be there is written.
func behindLink(out, dir string) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		if info, err := os.Lstat(filepath.Join(out, filepath.FromSlash(dir))); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

// sourceCode are the extensions of files that are linked. Copies of all others: go:embed refuses links, and folders such as
// sampleconfig are copied out of the tree.
var sourceCode = map[string]bool{".go": true, ".s": true}

// isLink reports whether the tree holds a symbolic link to a file of ours, so that an edit through either path is one edit.
func (a *assembly) isLink(name string, file *outFile) bool {
	return file.ours && file.data == nil && a.inRepo[name] != "" && sourceCode[filepath.Ext(name)]
}

// sameCopy reports whether target holds what file says.
func sameCopy(target string, file *outFile) (bool, error) {
	data, err := file.content()
	if err != nil {
		return false, err
	}
	info, err := os.Lstat(target)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(data)) || info.Mode().Perm() != fileMode(data) {
		return false, nil
	}
	old, err := os.ReadFile(target)
	return err == nil && bytes.Equal(old, data), nil
}

// sameLink reports whether target is a link to the file's source. Some editors save by putting a new file in the place of the
// link: such an edit is newer than the source, and is not taken back in silence.
func sameLink(target string, file *outFile) (bool, error) {
	info, err := os.Lstat(target)
	if err != nil {
		return false, nil
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		have, err := os.Readlink(target)
		if err != nil {
			return false, err
		}
		want, err := linkText(target, file)
		return have == want, err
	}
	if !info.Mode().IsRegular() {
		return false, nil
	}
	source, err := os.Stat(file.source)
	if err != nil {
		return false, err
	}
	if same, err := sameText(target, file.source); same || err != nil || !info.ModTime().After(source.ModTime()) {
		return false, err
	}
	return false, &lostEdit{tree: target, source: file.source}
}

// lostEdit is an edit in the tree that writing the tree would take back.
type lostEdit struct{ tree, source string }

func (e *lostEdit) Error() string {
	return fmt.Sprintf("this file is in place of a link to %[2]s and is newer. Keep it with 'mv %[1]s %[2]s', "+
		"or remove it, and run 'make fork' again", e.tree, e.source)
}

func sameText(one, two string) (bool, error) {
	a, err := os.ReadFile(one)
	if err != nil {
		return false, err
	}
	b, err := os.ReadFile(two)
	return bytes.Equal(a, b), err
}

// linkText is what the link at target says: the source by a relative path, so that a clone can be moved.
func linkText(target string, file *outFile) (string, error) {
	return filepath.Rel(filepath.Dir(target), file.source)
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
	out, err := realFolder(out)
	if err != nil {
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
	file := a.files[name]
	target := filepath.Join(out, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	tmp := target + ".fork-tmp"
	if a.isLink(name, file) {
		text, err := linkText(target, file)
		if err != nil {
			return err
		}
		if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(text, tmp); err != nil {
			return err
		}
		return os.Rename(tmp, target)
	}
	data, err := file.content()
	if err != nil {
		return err
	}
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
