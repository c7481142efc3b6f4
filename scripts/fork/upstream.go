// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/sumdb/dirhash"
)

// upstreamModule is the path of the module that the fork is laid over (and that it bears itself).
const upstreamModule = "github.com/hyperledger/fabric"

// upstream is a tree of upstream Fabric, or of another project that the delta is laid over, on disk.
type upstream struct {
	dir   string
	name  string // for people: v2.5.9 for the pin, else the tag, the module version or the folder
	pin   string // the tag of the default upstream
	spec  *upstreamSpec
	folds []string  // the folders of the modules of spec.Fold
	cache []fetched // what of it is in Go's module cache

	tree   string // the assembled tree's folder, as a slash path from the root
	noPerf bool   // leave out what is of class perf
}

// fetched is a module that the go command has downloaded and verified.
type fetched struct{ Path, Version, Dir, Sum string }

// pin is what scripts/fork/go.mod requires.
type pin struct {
	version string // module version
	tag     string // upstream's release tag, from the comment behind the requirement
}

// readPin reads the pinned version and its tag from the nested module's go.mod.
func readPin(goMod string) (pin, error) {
	data, err := os.ReadFile(goMod)
	if err != nil {
		return pin{}, fmt.Errorf("reading the pin: %w", err)
	}
	file, err := modfile.Parse(goMod, data, nil)
	if err != nil {
		return pin{}, fmt.Errorf("reading the pin: %w", err)
	}
	for _, r := range file.Require {
		if r.Mod.Path != upstreamModule {
			continue
		}
		for _, c := range r.Syntax.Suffix {
			_, tag, _ := strings.Cut(c.Token, ";")
			if tag = strings.TrimSpace(tag); strings.HasPrefix(tag, "v") {
				return pin{r.Mod.Version, tag}, nil
			}
		}
		return pin{}, fmt.Errorf("%s:%d: name upstream's tag in the comment behind the version: // indirect; v2.5.9", goMod, r.Syntax.Start.Line)
	}
	return pin{}, fmt.Errorf("%s: requires no version of %s", goMod, upstreamModule)
}

// openUpstream finds the upstream tree: the pin when which is empty or the pin's tag, one of scripts/fork/upstreams by its
// name, a folder when which names one, else a module version. Modules are fetched and verified by the go command. With
// checkout, a named upstream is taken from that folder, whose content must have the recorded checksum.
func openUpstream(toolDir, which, checkout string) (*upstream, error) {
	p, err := readPin(filepath.Join(toolDir, "go.mod"))
	if err != nil {
		return nil, err
	}
	fabric := &upstreamSpec{pinned: pinned{Module: upstreamModule}}
	spec, named, err := readUpstreamSpec(toolDir, which)
	switch {
	case err != nil:
		return nil, err
	case named:
		return openNamed(spec, p, checkout)
	case checkout != "":
		return nil, fmt.Errorf("a checkout is verified against an upstream of scripts/fork/upstreams: name one with UPSTREAM (%s)", knownNames(toolDir))
	}
	if which == "" || which == p.version || which == p.tag || "v"+which == p.tag {
		// Without a version in the argument the go command takes it from go.mod and checks it against go.sum.
		m, err := download(toolDir, upstreamModule)
		return &upstream{dir: m.Dir, name: p.tag, pin: p.tag, spec: fabric, cache: []fetched{m}}, err
	}
	if info, err := os.Stat(which); err == nil && info.IsDir() {
		dir, err := realFolder(which)
		return &upstream{dir: dir, name: dir, pin: p.tag, spec: fabric}, err
	}
	if strings.ContainsAny(which, "/\\") || !strings.HasPrefix(which, "v") {
		return nil, fmt.Errorf("UPSTREAM=%s is neither a known upstream (%s), a folder, nor a module version such as %s", which, knownNames(toolDir), p.version)
	}
	m, err := download(os.TempDir(), upstreamModule+"@"+which)
	return &upstream{dir: m.Dir, name: which, pin: p.tag, spec: fabric, cache: []fetched{m}}, err
}

// realFolder is the absolute path of a folder that may be named by a link: what walks folders does not follow links.
func realFolder(name string) (string, error) {
	dir, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// openNamed finds the trees of an upstream that has a folder in upstreams, and of the modules that are folded into it.
func openNamed(spec *upstreamSpec, p pin, checkout string) (*upstream, error) {
	up := &upstream{name: spec.Tag, pin: p.tag, spec: spec}
	if checkout != "" {
		dir, err := realFolder(checkout)
		if err != nil {
			return nil, fmt.Errorf("CHECKOUT: %w", err)
		}
		if err := verifyCheckout(dir, spec.pinned, spec.Tag); err != nil {
			return nil, err
		}
		up.dir = dir
	} else {
		m, err := fetchPinned(spec.pinned)
		if err != nil {
			return nil, err
		}
		up.dir, up.cache = m.Dir, []fetched{m}
	}
	for _, f := range spec.Fold {
		m, err := fetchPinned(f.pinned)
		if err != nil {
			return nil, err
		}
		up.folds, up.cache = append(up.folds, m.Dir), append(up.cache, m)
	}
	return up, nil
}

// fetchPinned has the go command fetch a module and compares its checksum with the recorded one.
func fetchPinned(p pinned) (fetched, error) {
	m, err := download(os.TempDir(), p.Module+"@"+p.Version, "GONOSUMDB="+os.Getenv("GONOSUMDB")+","+p.Module) // our record stands in for the database
	if err != nil {
		return fetched{}, err
	}
	if m.Sum != p.Sum {
		return fetched{}, fmt.Errorf("%s %s has the checksum %s, recorded is %s. Find out which proxy served it (go env GOPROXY), clear that copy "+
			"(go clean -modcache) and try again", p.Module, p.Version, m.Sum, p.Sum)
	}
	return m, nil
}

// verifyCache compares the files in Go's module cache with the checksums of the modules. The go command does so only when it unpacks
// them, and an edit there would be in each binary.
func (u *upstream) verifyCache() error {
	for _, m := range u.cache {
		sum, err := dirhash.HashDir(m.Dir, m.Path+"@"+m.Version, dirhash.Hash1)
		if err != nil {
			return err
		}
		if sum != m.Sum {
			return fmt.Errorf("files in %s were changed or added after the download of %s %s. Remove this folder ('go clean -modcache' removes all "+
				"modules), and run 'make fork' again", m.Dir, m.Path, m.Version)
		}
	}
	return nil
}

// knownUpstreams lists the names in scripts/fork/upstreams.
func knownUpstreams(toolDir string) []string {
	found, _ := filepath.Glob(filepath.Join(upstreamsDir(toolDir), "*", specFile))
	var names []string
	for _, f := range found {
		names = append(names, filepath.Base(filepath.Dir(f)))
	}
	return names
}

// knownNames is knownUpstreams for messages.
func knownNames(toolDir string) string {
	if names := knownUpstreams(toolDir); len(names) > 0 {
		return strings.Join(names, ", ")
	}
	return "none is recorded"
}

// download has the go command fetch a module into its cache.
func download(dir, name string, env ...string) (fetched, error) {
	cmd := exec.Command("go", "mod", "download", "-json", name)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
	var reply struct {
		fetched
		Error string
	}
	if err := json.Unmarshal(stdout.Bytes(), &reply); err == nil && reply.Error == "" && runErr == nil {
		return reply.fetched, nil
	}
	text := strings.TrimSpace(reply.Error + "\n" + stderr.String())
	return fetched{}, fmt.Errorf("fetching %s failed: %s\n%s", name, text, downloadRemedy(text))
}

// downloadRemedy says what to do about a failed fetch.
func downloadRemedy(text string) string {
	switch {
	case strings.Contains(text, "checksum mismatch"), strings.Contains(text, "SECURITY ERROR"):
		return "The bytes received are not those that scripts/fork/go.sum or the checksum database records. Do not edit go.sum: " +
			"find out which proxy served them (go env GOPROXY), clear that copy (go clean -modcache) and try again."
	case strings.Contains(text, "invalid version"), strings.Contains(text, "unknown revision"), strings.Contains(text, "not found"):
		return "No such version of upstream: name an exact module version, or the folder of a checkout (make fork UPSTREAM=folder, or " +
			"CHECKOUT=folder with UPSTREAM=name)."
	case strings.Contains(text, "server response:"):
		return "The module proxy answers, but does not serve this version. Set GOPROXY to one that does (go env GOPROXY), or use a checkout: " +
			"CHECKOUT=folder with UPSTREAM=name."
	default:
		return "No module proxy could be reached. Set GOPROXY to one that can be, or use a mirror made elsewhere by " +
			"'make mirror' (GOPROXY=file:///path/of/mirror), or a local checkout (make fork UPSTREAM=folder, or CHECKOUT=folder with UPSTREAM=name)."
	}
}

// files lists the files of upstream, folded modules included: their paths in the tree, as slash paths, and on disk. What
// never belongs to the assembled tree is left out: vendored modules, version control, nested modules, and upstream's own
// go.mod and go.sum.
func (u *upstream) files() (map[string]string, error) {
	if data, err := os.ReadFile(filepath.Join(u.dir, "go.mod")); err != nil {
		return nil, fmt.Errorf("%s is not a checkout of %s: %w", u.dir, u.spec.Module, err)
	} else if got := modfile.ModulePath(data); got != u.spec.Module {
		return nil, fmt.Errorf("%s is not a checkout of %s: its go.mod names module %s", u.dir, u.spec.Module, got)
	}
	all, err := moduleFiles(u.dir)
	if err != nil {
		return nil, err
	}
	for i, f := range u.spec.Fold {
		paths, err := moduleFiles(u.folds[i])
		if err != nil {
			return nil, err
		}
		used := map[string]bool{}
		for name, source := range paths {
			to, ok := remap(f.Folders, name)
			if !ok {
				continue
			}
			for from := range f.Folders {
				used[from] = used[from] || holds(from, name)
			}
			if all[to] != "" {
				return nil, fmt.Errorf("folding %s: upstream has %s already; fold it into another folder", f.Module, to)
			}
			all[to] = source
		}
		for from := range f.Folders {
			if !used[from] {
				return nil, fmt.Errorf("folding %s: it has no folder %s", f.Module, from)
			}
		}
	}
	return all, nil
}

// moduleFiles lists a module's files by their slash paths.
func moduleFiles(dir string) (map[string]string, error) {
	list := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if skipUpstreamDir(dir, rel) {
				return filepath.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() && rel != "go.mod" && rel != "go.sum" {
			list[rel] = path
		}
		return nil
	})
	return list, err
}

// skipUpstreamDir leaves out what a module's checksum does not cover, and what builds write into a checkout.
func skipUpstreamDir(root, rel string) bool {
	switch {
	case rel == ".":
		return false
	case rel == "build":
		return true
	}
	switch path.Base(rel) {
	case "vendor", ".git", ".hg", ".svn", ".bzr":
		return true
	}
	info, err := os.Lstat(filepath.Join(root, rel, "go.mod"))
	return err == nil && !info.IsDir()
}

// version is upstream's version as binaries print it: the tag of the pin, the commit of another module version, or
// what git calls a checkout.
func (u *upstream) version() string {
	if filepath.IsAbs(u.name) {
		return gitDescribe(u.dir)
	}
	if i := strings.LastIndexByte(u.name, '-'); i > 0 {
		return "upstream-" + u.name[i+1:]
	}
	return u.name
}

func gitDescribe(dir string) string {
	cmd := exec.Command("git", "describe", "--always", "--dirty", "--tags")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "upstream-local"
	}
	return strings.TrimSpace(string(out))
}
