// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// upstreamModule is the path of the module that the fork is laid over (and that it bears itself).
const upstreamModule = "github.com/hyperledger/fabric"

// upstream is a tree of upstream Fabric on disk.
type upstream struct {
	dir  string
	name string // for people: v2.5.9 for the pin, else the module version or the folder

	tree   string // the assembled tree's folder, as a slash path from the root
	noPerf bool   // leave out what is of class perf
}

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

// openUpstream finds the upstream tree: the pin when which is empty, a folder when which names one, else a module
// version. Modules are fetched and verified by the go command.
func openUpstream(toolDir, which string) (*upstream, error) {
	p, err := readPin(filepath.Join(toolDir, "go.mod"))
	if err != nil {
		return nil, err
	}
	if which == "" || which == p.version || which == p.tag {
		// Without a version in the argument the go command takes it from go.mod and checks it against go.sum.
		dir, err := download(toolDir, upstreamModule)
		return &upstream{dir: dir, name: p.tag}, err
	}
	if info, err := os.Stat(which); err == nil && info.IsDir() {
		dir, err := filepath.Abs(which)
		return &upstream{dir: dir, name: dir}, err
	}
	if strings.ContainsAny(which, "/\\") || !strings.HasPrefix(which, "v") {
		return nil, fmt.Errorf("UPSTREAM=%s is neither a folder nor a module version such as %s", which, p.version)
	}
	dir, err := download(os.TempDir(), upstreamModule+"@"+which)
	return &upstream{dir: dir, name: which}, err
}

// download has the go command fetch a module into its cache and returns the folder it stands in.
func download(dir, module string) (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
	var reply struct{ Dir, Error string }
	if err := json.Unmarshal(stdout.Bytes(), &reply); err == nil && reply.Error == "" && runErr == nil {
		return reply.Dir, nil
	}
	text := strings.TrimSpace(reply.Error + "\n" + stderr.String())
	return "", fmt.Errorf("fetching %s failed: %s\n%s", module, text, downloadRemedy(text))
}

// downloadRemedy says what to do about a failed fetch.
func downloadRemedy(text string) string {
	switch {
	case strings.Contains(text, "checksum mismatch"), strings.Contains(text, "SECURITY ERROR"):
		return "The bytes received are not those that scripts/fork/go.sum or the checksum database records. Do not edit go.sum: " +
			"find out which proxy served them (go env GOPROXY), clear that copy (go clean -modcache) and try again."
	case strings.Contains(text, "invalid version"), strings.Contains(text, "unknown revision"), strings.Contains(text, "not found"):
		return "No such version of upstream: name an exact module version, or the folder of a checkout (make fork UPSTREAM=...)."
	default:
		return "No module proxy could be reached. Set GOPROXY to one that can be, or use a mirror made elsewhere by " +
			"'make mirror' (GOPROXY=file:///path/of/mirror), or a local checkout (make fork UPSTREAM=folder)."
	}
}

// files lists the regular files of the tree, as slash paths, without what never belongs to the assembled tree:
// vendored modules, version control, nested modules, and upstream's own go.mod and go.sum.
func (u *upstream) files() ([]string, error) {
	if data, err := os.ReadFile(filepath.Join(u.dir, "go.mod")); err != nil {
		return nil, fmt.Errorf("%s is no checkout of upstream Fabric: %w", u.dir, err)
	} else if got := modfile.ModulePath(data); got != upstreamModule {
		return nil, fmt.Errorf("%s is no checkout of upstream Fabric: its go.mod names module %s", u.dir, got)
	}
	var list []string
	err := filepath.WalkDir(u.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(u.dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if skipUpstreamDir(u.dir, rel) {
				return filepath.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() && rel != "go.mod" && rel != "go.sum" {
			list = append(list, rel)
		}
		return nil
	})
	return list, err
}

func skipUpstreamDir(root, rel string) bool {
	switch rel {
	case ".":
		return false
	case ".git", "vendor", "build":
		return true
	}
	_, err := os.Stat(filepath.Join(root, rel, "go.mod"))
	return err == nil
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
