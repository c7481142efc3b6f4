// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

const otherModule = "example.com/other"

// newOther lays out another upstream, whose module has folded a library, and a delta over both.
func newOther(t *testing.T) *toy {
	t.Helper()
	toy := &toy{t: t, root: t.TempDir()}
	up, lib := t.TempDir(), t.TempDir()
	writeFile(t, up, "go.mod", "module "+otherModule+"\n")
	writeFile(t, up, "app/app.go", "package app\n\nimport (\n\t\"example.com/go-lib/sums\"\n\t\"strings\"\n)\n\n// Run runs.\nfunc Run() string { return strings.Repeat(sums.Name(), 2) }\n")
	writeFile(t, lib, "go.mod", "module example.com/go-lib\n")
	writeFile(t, lib, "sums/sums.go", "package sums\n\n// Name names.\nfunc Name() string { return inner() }\n\nfunc inner() string { return \"lib\" }\n")
	writeFile(t, lib, "unused/unused.go", "package unused\n")
	toy.write("common/sums/ours.go", spdx+"package sums\n\nimport \"github.com/hyperledger/fabric/extra\"\n\n//fork:wrap gm: r\nfunc Name() string { return upstreamName() + extra.X }\n")
	toy.write("common/sums/init.go", spdx+"package sums\n\n// Form differs.\nconst Form = \"shared\"\n")
	toy.write("common/sums/left.go", spdx+"package sums\n\nimport \"no/such/package\"\n")
	toy.write("extra/extra.go", spdx+"package extra\n\n// X is ours.\nconst X = \"+\"\n")
	toy.write("ca/app/ours.go", spdx+"package app\n\nimport \"example.com/go-lib/sums\"\n\n//fork:wrap gm: r\nfunc Run() string { return upstreamRun() + sums.Form }\n")
	toy.write("ca/app/ours_test.go", spdx+"package app\n\nimport \"testing\"\n\nfunc TestRun(t *testing.T) {\n\tif Run() != \"lib+lib+own\" {\n\t\tt.Fatal(Run())\n\t}\n}\n")
	toy.write("scripts/fork/upstreams/shared/own/common/sums/init.go", spdx+"package sums\n\n// Form differs.\nconst Form = \"own\"\n")
	toy.write("scripts/fork/upstreams/other/go.mod", "module "+otherModule+"\n\ngo 1.26\n")
	toy.write("scripts/fork/upstreams/other/go.sum", "")
	spec := &upstreamSpec{
		pinned: pinned{Module: otherModule, Version: "v1.0.0", Sum: "h1:x"},
		Tag:    "v1.0.0",
		Ours:   map[string]string{"ca": ".", "common": "common", "extra": "extra"},
		Omit:   []string{"common/sums/l*"},
		Files:  []string{"shared/own"},
		Fold: []*folded{{
			pinned:  pinned{Module: "example.com/go-lib", Version: "v1.0.0", Sum: "h1:y"},
			Folders: map[string]string{"sums": "common/sums"},
		}},
		Imports: map[string]string{"github.com/hyperledger/fabric": otherModule},
		dir:     filepath.Join(toy.root, "scripts", "fork", "upstreams", "other"),
	}
	toy.up = &upstream{dir: up, folds: []string{lib}, name: "v1.0.0", pin: "v0-toy", spec: spec, tree: "build/fabric-other"}
	return toy
}

// TestOtherUpstream checks that the delta reaches another module and a library that is folded into it, with imports mapped
// in ours and theirs, that files which are named for it win, and that what it goes without stays out.
func TestOtherUpstream(t *testing.T) {
	toy := newOther(t)
	toy.accept()
	if out, err := toy.goCommand("test", "./..."); err != nil || !strings.Contains(out, "ok  \t"+otherModule+"/app") {
		t.Errorf("%v\n%s", err, out)
	}
	if got := toy.read("app/app.go"); !strings.HasPrefix(got, "// Changed by the fork at assembly; see ours.go, upstream.yaml.\n") || !strings.Contains(got, `"example.com/other/common/sums"`) {
		t.Errorf("app.go is\n%s", got)
	}
	for _, name := range []string{"common/sums/left.go", "unused", "ca"} {
		if _, err := os.Stat(filepath.Join(toy.tree(), name)); err == nil {
			t.Errorf("%s is in the tree", name)
		}
	}
	if data, err := os.ReadFile(filepath.Join(toy.up.spec.dir, "lock.txt")); err != nil || !strings.Contains(string(data), "wrap common/sums/sums.go Name ") {
		t.Errorf("its own lock: %v\n%s", err, data)
	}
	toy.write("ca/app/ours.go", spdx+"package app\n\n//fork:wrap gm: r\nfunc Gone() string { return \"\" }\n")
	if got := toy.assemble(); !strings.HasPrefix(got, "ca/app/ours.go:5: //fork:wrap names Gone") {
		t.Errorf("a mistake is named by another place than ours: %q", got)
	}
	toy.up.spec.Fold[0].Folders["nowhere"] = "x"
	if got := toy.assemble(); !strings.Contains(got, "example.com/go-lib: it has no folder nowhere") {
		t.Error(got)
	}
	delete(toy.up.spec.Fold[0].Folders, "nowhere")
	toy.up.spec.Fold[0].Folders["sums"] = "app"
	writeFile(t, toy.up.folds[0], "sums/app.go", "package sums\n")
	if got := toy.assemble(); !strings.Contains(got, "upstream has app/app.go already") {
		t.Error(got)
	}
}

// TestEntriesByUpstream checks that an entry of fork.yaml for another upstream is left alone.
func TestEntriesByUpstream(t *testing.T) {
	entry := "  - files: [hashes.go]\n    class: gm\n    upstreams: [%]\n    reason: r\n    imports: {crypto/md5: crypto/sha1}\n"
	for glob, made := range map[string]bool{"0-toy": true, "'0-*'": true, "'3.*'": false, "'3.*', 0-toy": true} {
		toy := newToy(t, map[string]string{
			"hashes/fork.yaml":                         "substitutions:\n" + strings.Replace(entry, "%", glob, 1),
			"shapes/fork.yaml":                         "substitutions:\n  - {files: [shapes.go], class: gm, upstreams: ['0-*'], reason: r, expressions: [{find: package shapes, replace: package shapes, count: 1}]}\n",
			"scripts/fork/upstreams/3.1/upstream.yaml": "",
		})
		toy.up.name = toy.up.dir // a folder counts as the default
		toy.accept()
		if got := strings.Contains(toy.read("hashes/hashes.go"), "crypto/sha1"); got != made {
			t.Errorf("upstreams: [%s]: made is %v", glob, got)
		}
	}
}

// TestNamesOfNothing checks that entries which name nothing are refused by file and entry, with what to do: globs for upstreams that there are
// not, files and folders of ours that are gone, tests that upstream does not have.
func TestNamesOfNothing(t *testing.T) {
	const entry = "substitutions:\n  - files: [hashes.go]\n    class: gm\n    upstreams: ['0-*', '2.5.99']\n    reason: r\n    imports: {crypto/md5: crypto/sha1}\n"
	toy := newToy(t, map[string]string{"hashes/fork.yaml": entry, "scripts/fork/upstreams/3.1/upstream.yaml": ""})
	wants(t, errors.New(toy.assemble()), `hashes/fork.yaml:2: upstreams: "2.5.99" matches no upstream; there are 0-toy, 3.1. Correct it`)

	toy = newToy(t, map[string]string{"hashes/fork.yaml": strings.Replace(entry, "'0-*', '2.5.99'", "'3.*'", 1), "scripts/fork/upstreams/3.1/upstream.yaml": ""})
	wants(t, errors.New(toy.assemble()), `hashes/fork.yaml:2: no entry with upstreams: in a fork.yaml is for "0-toy"`, "match (here 3.*), or add its name")

	toy = newOther(t)
	toy.up.spec.Omit = append(toy.up.spec.Omit, "common/sums/in*", "common/gone*.go")
	toy.up.spec.Ours["gone"], toy.up.spec.Ours["c"] = "gone", "c"
	got := toy.assemble()
	wants(t, errors.New(got), `scripts/fork/upstreams/other/upstream.yaml: omit: "common/gone*.go" matches no file of ours; write the path`,
		`scripts/fork/upstreams/other/upstream.yaml: ours: the repository has no files in "gone"; write the folder's present name`,
		`no files in "c"`)
	if n := strings.Count(got, "\n"); n != 2 {
		t.Errorf("%d further findings in %q", n-2, got)
	}
	// What git tracks and the working tree has not is gone.
	toy = newOther(t)
	inRoot(t, toy, "git", "init", "-q")
	inRoot(t, toy, "git", "add", ".")
	if got := toy.assemble(); strings.Contains(got, specFile) {
		t.Error(got)
	}
	if err := os.Remove(filepath.Join(toy.root, "common/sums/left.go")); err != nil {
		t.Fatal(err)
	}
	wants(t, errors.New(toy.assemble()), `omit: "common/sums/l*" matches no file of ours`)
}

func inRoot(t *testing.T, toy *toy, command ...string) {
	t.Helper()
	if _, err := output(toy.root, command...); err != nil {
		t.Fatal(err)
	}
}

// TestListedTests checks that lines of the lists of upstream's tests are refused when the tree has no such package or test, before anything
// is run, and that the list which is being recorded is not.
func TestListedTests(t *testing.T) {
	toy := newToy(t, nil)
	toy.accept()
	toy.write("scripts/fork/upstream-tests/skip.txt", "shapes TestSum/a_case\nshapes TestGone/case\nshapes\n")
	toy.write("scripts/fork/upstream-tests/must-pass.txt", "gone TestX\nshapes TestHelper\nextra TestX\n")
	toy.write("extra/e.go", "package extra\n\nfunc TestX() {}\n")
	want := []string{
		`scripts/fork/upstream-tests/skip.txt: "shapes TestGone/case": no test of this name is in shapes; write its present name, or remove`,
		`scripts/fork/upstream-tests/skip.txt: "shapes": no test of this name`,
		`scripts/fork/upstream-tests/must-pass.txt: "gone TestX": upstream v0-toy has no tests in a folder gone; write where they are now, or remove`,
		`scripts/fork/upstream-tests/must-pass.txt: "extra TestX": upstream v0-toy has no tests`,
	}
	wants(t, runCheck(toy.root, toy.up), want...)
	t.Setenv("PATH", "") // nothing is run
	err := runUpstreamTests(io.Discard, toy.root, toy.up, []string{"./shapes"}, false)
	wants(t, err, want...)
	if n := strings.Count(err.Error(), "\n"); n != 3 {
		t.Errorf("%d further findings in %q", n-3, err)
	}
	err = runUpstreamTests(io.Discard, toy.root, toy.up, []string{"./shapes"}, true)
	wants(t, err, want[:2]...)
	if strings.Contains(err.Error(), "must-pass.txt") {
		t.Error(err)
	}
}

// TestHiddenEntries checks that a folder of an upstream cannot hide a fork.yaml, and with it changes that its tree should have.
func TestHiddenEntries(t *testing.T) {
	const entry = "substitutions:\n  - files: [hashes.go]\n    class: gm\n    reason: r\n    imports: {crypto/md5: crypto/sha1}\n"
	toy := newToy(t, map[string]string{"hashes/fork.yaml": entry, "scripts/fork/upstreams/shared/x/hashes/fork.yaml": entry})
	toy.up.spec.Files = []string{"shared/x"}
	if got := toy.assemble(); !strings.Contains(got, "scripts/fork/upstreams/shared/x/hashes/fork.yaml hides hashes/fork.yaml: ") {
		t.Error(got)
	}
}

// TestAcceptIsAllOrNothing checks that no lock is changed while one of the upstreams does not assemble, and that all are once they do.
func TestAcceptIsAllOrNothing(t *testing.T) {
	const ours = "hashes/ours.go"
	toy := newToy(t, map[string]string{ours: spdx + "package hashes\n\n//fork:wrap gm: r\nfunc Gone() string { return \"\" }\n"})
	named := func(name string) *upstream {
		spec := *toy.up.spec
		spec.dir = filepath.Join(toy.root, "scripts", "fork", "upstreams", name)
		spec.Omit = []string{ours}
		for file, text := range map[string]string{"lock.txt": "# before\n", "go.mod": "module github.com/hyperledger/fabric\n\ngo 1.26\n", "go.sum": ""} {
			writeFile(t, spec.dir, file, text)
		}
		return &upstream{dir: toy.up.dir, name: name, pin: "v0-toy", spec: &spec, tree: "build/fabric-" + name}
	}
	good, other := named("good"), named("other")
	other.spec.Omit = nil
	upstreams := []*upstream{good, other}
	before := func(up *upstream) bool {
		data, err := os.ReadFile(up.lockPath(toy.root))
		if err != nil {
			t.Fatal(err)
		}
		return string(data) == "# before\n"
	}
	if err := runAccept(io.Discard, toy.root, upstreams...); err == nil || !strings.Contains(err.Error(), "no lock was changed, as upstream other does not assemble") {
		t.Error(err)
	}
	if !before(good) || !before(other) {
		t.Error("a lock was changed")
	}
	other.spec.Omit = good.spec.Omit
	if err := runAccept(io.Discard, toy.root, upstreams...); err != nil {
		t.Error(err)
	}
	if before(good) || before(other) {
		t.Error("a lock was not changed")
	}
}

// sumOf is the checksum of the module in a folder.
func sumOf(t *testing.T, dir string) string {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "m.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := zip.CreateFromDir(out, module.Version{Path: otherModule, Version: "v1.0.0"}, dir); err != nil {
		t.Fatal(err)
	}
	sum, err := dirhash.HashZip(out.Name(), dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// TestCheckout checks that a checkout is held against the checksum of the module, whatever lies in folders that a module
// has not, and refused when a byte differs or a file is too many.
func TestCheckout(t *testing.T) {
	p := pinned{Module: otherModule, Version: "v1.0.0"}
	dir := t.TempDir()
	writeFile(t, dir, "go.mod", "module "+otherModule+"\n")
	writeFile(t, dir, "a.go", "package a\n")
	p.Sum = sumOf(t, dir)
	writeFile(t, dir, ".git/config", "x")
	writeFile(t, dir, "vendor/b/b.go", "package b\n")
	if err := verifyCheckout(dir, p, "v1"); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{"a.go": "package A\n", "b.go": "package a\n"} {
		writeFile(t, dir, name, text)
		if err := verifyCheckout(dir, p, "v1"); err == nil || !strings.Contains(err.Error(), "recorded is "+p.Sum+". Check out v1 without changes") {
			t.Errorf("%s: %v", name, err)
		}
		writeFile(t, dir, "a.go", "package a\n")
	}
}

// TestSpecErrors checks that what is wrong in an upstream.yaml is named.
func TestSpecErrors(t *testing.T) {
	good := "module: example.com/other\nversion: v1.0.0\ntag: v1.0.0\nsum: h1:x\n"
	for text, want := range map[string]string{
		good: "", "": "EOF", good + "folds: []\n": "field folds not found",
		strings.Replace(good, "v1.0.0", "latest", 1):                    `version "latest" is not an exact module version`,
		strings.Replace(good, "h1:x", "x", 1):                           `sum "x" is not a checksum`,
		strings.Replace(good, "tag: v1.0.0\n", "", 1):                   "names no tag",
		good + "ours: {ca: ../out}\n":                                   `"../out" is not a folder below the root`,
		good + "fold: [{module: example.com/l, version: v1, sum: s}]\n": "folding example.com/l needs folders",
		good + "omit: ['[']\n":                                          "is not a valid glob",
	} {
		tool := t.TempDir()
		writeFile(t, tool, "upstreams/other/upstream.yaml", text)
		_, _, err := readUpstreamSpec(tool, "other")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestRecordedUpstreams checks the entries of each recorded upstream.yaml against the repository, also where no proxy serves the upstream.
func TestRecordedUpstreams(t *testing.T) {
	names := knownUpstreams(".")
	if len(names) == 0 {
		t.Fatal("none is found")
	}
	for _, name := range names {
		spec, found, err := readUpstreamSpec(".", name)
		if err != nil || !found {
			t.Fatal(name, found, err)
		}
		if _, err := ourFiles(filepath.Join("..", ".."), spec); err != nil {
			t.Error(err)
		}
	}
}
