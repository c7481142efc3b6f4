// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

// notLaidOver are the folders of ours that stay out of the assembled tree: they are about the repository, or need nothing
// of upstream (integration and examples drive built binaries).
var notLaidOver = map[string]bool{
	"docs": true, "docker": true, "scripts": true, "integration": true, "examples": true, "clients": true, ".ci": true, ".github": true, "build": true,
}

// forkFile is the name of the file that holds a folder's substitutions.
const forkFile = "fork.yaml"

// ourFiles lists the files of the delta as slash paths relative to root: everything that git tracks or would track,
// in folders that are laid over, plus fork.yaml files, which the caller reads and does not copy.
func ourFiles(root string) ([]string, error) {
	all, err := candidates(root)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, name := range all {
		top, _, nested := strings.Cut(name, "/")
		if !nested || notLaidOver[top] {
			continue
		}
		info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			continue // tracked, but deleted in the working tree
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: only regular files can be laid over upstream; replace this link or device by a file", name)
		}
		list = append(list, name)
	}
	sort.Strings(list)
	return list, nil
}

func candidates(root string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		return walkFiles(root) // a source archive
	}
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing our files with git: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

func walkFiles(root string) ([]string, error) {
	var list []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if notLaidOver[rel] {
				return filepath.SkipDir
			}
			return nil
		}
		list = append(list, filepath.ToSlash(rel))
		return nil
	})
	return list, err
}
