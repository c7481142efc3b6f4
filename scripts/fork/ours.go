// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// notLaidOver are the folders of ours that stay out of the assembled tree: they are about the repository, or need nothing
// of upstream (integration and examples drive built binaries).
var notLaidOver = map[string]bool{
	"docs": true, "docker": true, "scripts": true, "integration": true, "examples": true, "clients": true, "deploy": true, ".ci": true, ".github": true, "build": true,
	"ca": true, // laid over Fabric CA, see scripts/fork/upstreams
}

// forkFile is the name of the file that holds a folder's substitutions.
const forkFile = "fork.yaml"

// ourFiles lists the files of the delta over an upstream, by their paths in the tree and in the repository: everything that
// git tracks or would track in the folders that are laid over, plus fork.yaml files, which the caller reads and does not copy.
// Files of spec.Files take the place of those that have the same path in the tree, but a fork.yaml may not: the changes that the hidden
// one describes would be missing, and nothing would say so.
func ourFiles(root string, spec *upstreamSpec) (map[string]string, error) {
	all, err := candidates(root)
	if err != nil {
		return nil, err
	}
	list := map[string]string{}
	used := map[string]bool{} // entries of spec, see unused
	special := make([]map[string]string, len(spec.Files))
	for _, name := range all {
		info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			continue // tracked, but deleted in the working tree
		}
		to, ok := treePlace(name, spec)
		layer := list
		for i, folder := range spec.Files {
			if rest, in := strings.CutPrefix(name, upstreamsFolder+folder+"/"); in {
				if special[i] == nil {
					special[i] = map[string]string{}
				}
				to, ok, layer = rest, true, special[i]
			}
		}
		for from := range spec.Ours {
			used["ours "+from] = used["ours "+from] || holds(from, name)
		}
		if !ok || spec.omits(to, used) {
			continue
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: only regular files can be laid over upstream; replace this link or device by a file", name)
		}
		if layer[to] != "" {
			return nil, fmt.Errorf("%s and %s of ours have one place in the tree, %s", layer[to], name, to)
		}
		layer[to] = name
	}
	for i, files := range special {
		if files == nil {
			return nil, fmt.Errorf("%s%s holds no files", upstreamsFolder, spec.Files[i])
		}
		for to, name := range files {
			if hidden := list[to]; hidden != "" && path.Base(to) == forkFile {
				return nil, fmt.Errorf("%s hides %s: move the entries of one into the other, with upstreams: for those that are not for all", name, hidden)
			}
		}
		maps.Copy(list, files)
	}
	return list, spec.unused(used)
}

// upstreamsFolder holds what belongs to upstreams other than the default.
const upstreamsFolder = "scripts/fork/upstreams/"

// treePlace says where in the tree a file of the repository stands. ok is false when it is not laid over.
func treePlace(name string, spec *upstreamSpec) (to string, ok bool) {
	if spec.Ours != nil {
		return remap(spec.Ours, name)
	}
	top, _, nested := strings.Cut(name, "/")
	return name, nested && !notLaidOver[top]
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
			if rel == "build" || rel == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		list = append(list, filepath.ToSlash(rel))
		return nil
	})
	return list, err
}
