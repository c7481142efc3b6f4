// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/zip"
)

const fabricModule = "github.com/hyperledger/fabric"

// kit is a part of the repository that others use as a separate Go module. Its packages keep their import paths: the
// module's path is a prefix of them that upstream publishes no module under, so that a program may require upstream too.
type kit struct {
	folder string   // from the repository's root; the module's path is Fabric's with it behind
	parts  []string // folders in it, with all below; none: the folder itself
}

var kits = []kit{
	{folder: "common/crypto", parts: []string{"gmtls", "gmx509", "keyd", "material", "sm2table", "sm3", "sm4"}},
	{folder: "internal/settings"},
	{folder: "pkg", parts: []string{"gmgateway", "gmshim", "internal"}},
}

func (k kit) path() string { return fabricModule + "/" + k.folder }

func (k kit) roots() []string {
	if len(k.parts) == 0 {
		return []string{k.folder}
	}
	list := make([]string, len(k.parts))
	for i, part := range k.parts {
		list[i] = path.Join(k.folder, part)
	}
	return list
}

// kitOf returns the kit that holds a package.
func kitOf(importPath string) (kit, bool) {
	for _, k := range kits {
		for _, root := range k.roots() {
			if rest, ok := strings.CutPrefix(importPath, fabricModule+"/"+root); ok && (rest == "" || rest[0] == '/') {
				return k, true
			}
		}
	}
	return kit{}, false
}

// runKits writes the kits into target as a module proxy in files (go help goproxy). The bytes depend on the commit and the
// version alone.
func runKits(out io.Writer, root, version, target string) error {
	if semver.Canonical(version) != version {
		return fmt.Errorf("kits: %q is not a version of a module: want v1.2.3 or v1.2.3-suffix", version)
	}
	stamp, err := output(root, "git", "log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ")
	if err != nil {
		return err
	}
	ours, err := candidates(root)
	if err != nil {
		return err
	}
	slices.Sort(ours)
	for _, k := range kits {
		requirements, err := k.goMod(root, version)
		if err != nil {
			return fmt.Errorf("kits: %s: %w", k.folder, err)
		}
		files := k.files(root, ours, requirements)
		if err := k.publish(target, version, strings.TrimSpace(string(stamp)), requirements, files); err != nil {
			return fmt.Errorf("kits: %s: %w", k.folder, err)
		}
		fmt.Fprintf(out, "fork: %s %s, %d files\n", k.path(), version, len(files))
	}
	return nil
}

// output runs a command in a folder, in UTC.
func output(dir string, command ...string) ([]byte, error) {
	cmd := exec.Command(command[0], command[1:]...)
	var words bytes.Buffer
	cmd.Dir, cmd.Stderr, cmd.Env = dir, &words, append(os.Environ(), "TZ=UTC")
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, bytes.TrimSpace(words.Bytes()))
	}
	return text, nil
}

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Module     *struct{ Path, Version, GoVersion string }
}

// goMod makes the kit's go.mod: the modules that its packages need, at the versions that the repository has, and no other.
func (k kit) goMod(root, version string) ([]byte, error) {
	args := []string{"go", "list", "-deps", "-json=ImportPath,Standard,Imports,Module"}
	for _, folder := range k.roots() {
		args = append(args, "./"+folder+"/...")
	}
	text, err := output(root, args...)
	if err != nil {
		return nil, err
	}
	direct := map[string]bool{}
	var others []listed
	file := &modfile.File{}
	if err := file.AddModuleStmt(k.path()); err != nil {
		return nil, err
	}
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		switch owner, own := kitOf(p.ImportPath); {
		case p.Standard:
		case own && owner.folder == k.folder:
			for _, i := range p.Imports {
				direct[i] = true
			}
			if err := file.AddGoStmt(p.Module.GoVersion); err != nil {
				return nil, err
			}
		case own:
			p.Module.Path, p.Module.Version = owner.path(), version
			others = append(others, p)
		case p.Module.Path == fabricModule:
			return nil, fmt.Errorf("it imports %s, which is in no kit", p.ImportPath)
		default:
			others = append(others, p)
		}
	}
	needed := map[module.Version]bool{} // and whether a package of ours imports it
	for _, p := range others {
		m := module.Version{Path: p.Module.Path, Version: p.Module.Version}
		needed[m] = needed[m] || direct[p.ImportPath]
	}
	var requirements []*modfile.Require
	for m, isDirect := range needed {
		requirements = append(requirements, &modfile.Require{Mod: m, Indirect: !isDirect})
	}
	slices.SortFunc(requirements, func(a, b *modfile.Require) int { return strings.Compare(a.Mod.Path, b.Mod.Path) })
	file.SetRequireSeparateIndirect(requirements)
	return file.Format()
}

// files are those of the module: what git tracks, without tests, and what every module has.
func (k kit) files(root string, ours []string, goMod []byte) []zip.File {
	list := []zip.File{
		inMemory{name: "go.mod", data: goMod},
		onDisk{name: "LICENSE", file: filepath.Join(root, "LICENSE")},
	}
	for _, name := range ours {
		if owner, ok := kitOf(path.Join(fabricModule, path.Dir(name))); !ok || owner.folder != k.folder ||
			strings.HasSuffix(name, "_test.go") || slices.Contains(strings.Split(name, "/"), "testdata") {
			continue
		}
		inModule := strings.TrimPrefix(name, k.folder+"/")
		list = append(list, onDisk{name: inModule, file: filepath.Join(root, filepath.FromSlash(name))})
	}
	return list
}

// publish writes the files that the go command asks a proxy for.
func (k kit) publish(target, version, stamp string, goMod []byte, files []zip.File) error {
	escaped, err := module.EscapePath(k.path())
	if err != nil {
		return err
	}
	dir := filepath.Join(target, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var content bytes.Buffer
	if err := zip.Create(&content, module.Version{Path: k.path(), Version: version}, files); err != nil {
		return err
	}
	info, err := json.Marshal(struct{ Version, Time string }{version, stamp})
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"list": []byte(version + "\n"), version + ".info": info, version + ".mod": goMod, version + ".zip": content.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// onDisk is a file of the repository under the name that it has in a module.
type onDisk struct{ name, file string }

func (f onDisk) Path() string                 { return f.name }
func (f onDisk) Lstat() (fs.FileInfo, error)  { return os.Lstat(f.file) }
func (f onDisk) Open() (io.ReadCloser, error) { return os.Open(f.file) }

// inMemory is a file that only the module has.
type inMemory struct {
	name string
	data []byte
}

func (f inMemory) Path() string                 { return f.name }
func (f inMemory) Lstat() (fs.FileInfo, error)  { return fileInfo{f}, nil }
func (f inMemory) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f.data)), nil }

type fileInfo struct{ inMemory }

func (f fileInfo) Name() string     { return path.Base(f.name) }
func (f fileInfo) Size() int64      { return int64(len(f.data)) }
func (fileInfo) Mode() fs.FileMode  { return 0o644 }
func (fileInfo) ModTime() time.Time { return time.Time{} }
func (fileInfo) IsDir() bool        { return false }
func (fileInfo) Sys() any           { return nil }
