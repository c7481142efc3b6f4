// SPDX-License-Identifier: Apache-2.0

// Package safefile replaces files so that a crash of the program or of the machine leaves each with its old or its new content, and never
// with a part of it.
package safefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// unfinishedSuffix ends the names of files that do not have their own names yet.
	unfinishedSuffix = ".unfinished"
	// abandonedAfter is when an unfinished file is held to be what a crash has left: nothing takes so long to write.
	abandonedAfter = time.Hour
)

// File is a file and what it is to hold.
type File struct {
	Name string
	Data []byte
	Mode os.FileMode
}

// Replace writes all files beside those that are there, and then gives them their names, one directly after the other. If one cannot be
// written, as on a full disk, none is replaced. When Replace returns nil, a crash of the machine does not take the files back. A crash while
// they get their names may leave some of them old: who cannot bear that has to look for it at the next start.
func Replace(files ...File) (err error) {
	var written []string
	defer func() {
		for _, name := range written { // those that have got their names are there no longer
			if e := os.Remove(name); e != nil && !errors.Is(e, os.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}()
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = target(f.Name)
		name, err := write(names[i], f)
		if name != "" {
			written = append(written, name)
		}
		if err != nil {
			return err
		}
	}
	for i, name := range names {
		if err := os.Rename(written[i], name); err != nil {
			return err
		}
	}
	return syncFolders(names)
}

// Create writes a file that must not be there; if it is, the error wraps os.ErrExist. Of a file that cannot be written whole, as on a full
// disk, nothing stays.
func Create(f File) error {
	out, err := os.OpenFile(f.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.Mode)
	if err != nil {
		return err
	}
	_, err = out.Write(f.Data)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", f.Name, err), os.Remove(f.Name))
	}
	return nil
}

// target is the file that a link leads to, so that the link stays; other names are as they were.
func target(name string) string {
	if file, err := filepath.EvalSymlinks(name); err == nil {
		return file
	}
	return name
}

// Unfinished reports whether a file is one that Replace has not given its name yet, or that a crash has left. Who reads all files of a folder
// passes over it.
func Unfinished(name string) bool {
	base := filepath.Base(name)
	return strings.HasPrefix(base, ".") && strings.HasSuffix(base, unfinishedSuffix)
}

// write writes f's content to disk, into a new file in the folder of name.
func write(name string, f File) (beside string, err error) {
	removeAbandoned(name)
	out, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*"+unfinishedSuffix)
	if err != nil {
		return "", err
	}
	_, err = out.Write(f.Data)
	err = errors.Join(err, out.Chmod(f.Mode), out.Sync(), out.Close())
	return out.Name(), err
}

// removeAbandoned removes what crashes have left of the file with this name, as it may be a key. What cannot be removed stays, as readers
// pass over it.
func removeAbandoned(name string) {
	folder := filepath.Dir(name)
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		if !Unfinished(entry.Name()) || !strings.HasPrefix(entry.Name(), "."+filepath.Base(name)+".") {
			continue
		}
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > abandonedAfter {
			_ = os.Remove(filepath.Join(folder, entry.Name()))
		}
	}
}

// Sync makes a file last that another has written, and its name.
func Sync(name string) error {
	if err := syncOne(name); err != nil {
		return err
	}
	return syncOne(filepath.Dir(name))
}

// syncFolders makes new names last.
func syncFolders(names []string) error {
	done := map[string]bool{}
	for _, name := range names {
		folder := filepath.Dir(name)
		if done[folder] {
			continue
		}
		done[folder] = true
		if err := syncOne(folder); err != nil {
			return err
		}
	}
	return nil
}

func syncOne(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
