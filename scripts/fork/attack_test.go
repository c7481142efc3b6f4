// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serve makes a module proxy in files with one module, and has the go command use it with a cache that is empty.
func serve(t *testing.T, name, version string, files map[string]string) {
	t.Helper()
	proxy := t.TempDir()
	dir := name + "/@v/" + version
	writeFile(t, proxy, dir+".info", `{"Version":"`+version+`"}`)
	writeFile(t, proxy, dir+".mod", files["go.mod"])
	archive, err := os.Create(filepath.Join(proxy, filepath.FromSlash(dir+".zip")))
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(archive)
	for file, text := range files {
		f, err := w.Create(name + "@" + version + "/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), archive.Close()); err != nil {
		t.Fatal(err)
	}
	// Modules are read-only; without that the temporary folder can be removed.
	t.Setenv("GOFLAGS", "-modcacherw")
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(proxy))
	t.Setenv("GONOSUMDB", name)
}

// wants checks that an error says each of the words.
func wants(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%v lacks %q", err, w)
		}
	}
}

// TestWrongSum checks that a named upstream whose module has another checksum than the recorded one is refused.
func TestWrongSum(t *testing.T) {
	serve(t, otherModule, "v1.0.0", map[string]string{"go.mod": "module " + otherModule + "\n"})
	p := pinned{Module: otherModule, Version: "v1.0.0", Sum: "h1:other"}
	_, err := fetchPinned(p)
	wants(t, err, otherModule+" v1.0.0 has the checksum h1:", "recorded is h1:other", "go clean -modcache")
}

// TestEditedModule checks that no tree is written from a module cache in which a file was changed or added.
func TestEditedModule(t *testing.T) {
	for name, file := range map[string]string{"changed": "a/a.go", "added": "a/b.go"} {
		t.Run(name, func(t *testing.T) {
			toy := newToy(t, nil)
			serve(t, upstreamModule, "v1.0.0", map[string]string{"go.mod": "module " + upstreamModule + "\n", "a/a.go": "package a\n"})
			m, err := download(t.TempDir(), upstreamModule+"@v1.0.0")
			if err != nil {
				t.Fatal(err)
			}
			toy.up = &upstream{dir: m.Dir, name: "v1.0.0", spec: toy.up.spec, tree: defaultTree, cache: []fetched{m}}
			if got := toy.assemble(); got != "" {
				t.Fatal(got)
			}
			writeFile(t, m.Dir, file, "package a // edited\n")
			toy.write("x/x.go", "package x\n")
			wants(t, errors.New(toy.assemble()), "files in "+m.Dir+" were changed or added", upstreamModule+" v1.0.0", "go clean -modcache")
			if _, err := os.Stat(filepath.Join(toy.tree(), "x")); err == nil {
				t.Error("the tree was written")
			}
		})
	}
}

// TestUnverifiedFiles checks that files which the checksum of a checkout does not cover are not in the tree, and that a checkout may be
// named by a link.
func TestUnverifiedFiles(t *testing.T) {
	toy := newToy(t, nil)
	for _, name := range []string{"shapes/vendor/x/x.go", "shapes/.svn/x.go", ".hg/x.go", "shapes/sub/go.mod", "shapes/sub/x.go", "build/x.go"} {
		writeFile(t, toy.up.dir, name, "package x\n")
	}
	if err := os.Symlink("shapes.go", filepath.Join(toy.up.dir, "shapes/link.go")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(toy.up.dir, "hashes/go.mod"), 0o755); err != nil {
		t.Fatal(err)
	}
	toy.accept()
	for _, name := range []string{"shapes/vendor", "shapes/.svn", ".hg", "shapes/sub", "shapes/link.go", "build"} {
		if _, err := os.Lstat(filepath.Join(toy.tree(), name)); err == nil {
			t.Errorf("%s is in the tree", name)
		}
	}
	if toy.read("hashes/hashes.go") == "" {
		t.Error("a folder named go.mod hides the folder above")
	}
	link := filepath.Join(t.TempDir(), "checkout")
	if err := os.Symlink(toy.up.dir, link); err != nil {
		t.Fatal(err)
	}
	tool := t.TempDir()
	writeFile(t, tool, "go.mod", "module x\n\nrequire "+upstreamModule+" v1.0.0 // indirect; v9\n")
	up, err := openUpstream(tool, link, "")
	if err != nil {
		t.Fatal(err)
	}
	if list, err := up.files(); err != nil || list["shapes/shapes.go"] == "" || up.short() != "9" {
		t.Error(len(list), up.short(), err)
	}
	_, err = openUpstream(tool, "", link)
	wants(t, err, "a checkout is verified against an upstream", "name one with UPSTREAM")
}

// TestLinkedTree checks that links in the place of the tree's folders do no harm: what is behind a link in the tree is neither changed nor
// taken for the tree's, and the tree may be in another place by a link.
func TestLinkedTree(t *testing.T) {
	toy := newToy(t, wrapping())
	toy.accept()
	want := toy.snapshot()
	elsewhere := filepath.Join(t.TempDir(), "shapes")
	shapes := filepath.Join(toy.tree(), "shapes")
	if err := errors.Join(os.Rename(shapes, elsewhere), os.Symlink(elsewhere, shapes)); err != nil {
		t.Fatal(err)
	}
	if got := toy.assemble(); got != "" {
		t.Fatal(got)
	}
	if got := len(toy.snapshot()); got != len(want) {
		t.Errorf("%d files, want %d", got, len(want))
	}
	if info, err := os.Lstat(shapes); err != nil || !info.IsDir() {
		t.Error("the link stays", err)
	}
	if _, err := os.Stat(filepath.Join(elsewhere, "shapes.go")); err != nil {
		t.Error(err)
	}

	moved := filepath.Join(t.TempDir(), "a", "b", "c")
	if err := errors.Join(os.MkdirAll(moved, 0o755), os.RemoveAll(toy.tree()), os.Symlink(moved, toy.tree())); err != nil {
		t.Fatal(err)
	}
	if got := toy.assemble(); got != "" {
		t.Fatal(got)
	}
	if to, err := os.Readlink(toy.tree()); err != nil || to != moved {
		t.Error("the tree is in another place", to, err)
	}
	if out, err := toy.goCommand("vet", "./extra", "./shapes"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestOddFiles checks that what git may hold and a tree may not is refused by name.
func TestOddFiles(t *testing.T) {
	toy := newToy(t, map[string]string{"extra/e.go": "package extra\n"})
	if err := os.Symlink("e.go", filepath.Join(toy.root, "extra/link.go")); err != nil {
		t.Fatal(err)
	}
	wants(t, errors.New(toy.assemble()), "extra/link.go: only regular files", "replace this link or device by a file")

	toy = newToy(t, map[string]string{"shapes/o.go": "package shapes\n\n//fork:wrap gm: r\n//fork:replace gm: r\nfunc Sum(a, b int) int { return 1 }\n"})
	wants(t, errors.New(toy.assemble()), "shapes/o.go:3: //fork:wrap must be the last line of the doc comment")

	toy = newToy(t, map[string]string{"scripts/fork/lock.txt": "<<<<<<<\n"})
	wants(t, errors.New(toy.assemble()), "lock.txt:1: ", "is no lock line", "make fork-accept")

	toy = newToy(t, nil)
	toy.write("go.mod", "module github.com/hyperledger/fabric\n\ngo 1.26\n\nreplace example.com/a => ../a\n")
	wants(t, errors.New(toy.assemble()), "go.mod:5: a replacement by a folder cannot work")

	toy = newOther(t)
	toy.up.spec.Ours["more"] = "extra"
	toy.write("more/extra.go", "package extra\n")
	wants(t, errors.New(toy.assemble()), "extra/extra.go and more/extra.go of ours have one place in the tree, extra/extra.go")

	toy = newOther(t)
	toy.up.spec.Files = append(toy.up.spec.Files, "shared/gone")
	wants(t, errors.New(toy.assemble()), "scripts/fork/upstreams/shared/gone holds no files")
}

// TestDirectiveWhoseTargetMoved checks that a declaration which moved to another file stops the assembly until it was read again.
func TestDirectiveWhoseTargetMoved(t *testing.T) {
	toy := newToy(t, map[string]string{"shapes/o.go": "package shapes\n\n//fork:wrap gm: r\nfunc Sum(a, b int) int { return upstreamSum(a, b) }\n"})
	toy.accept()
	const sum = "func Sum(a, b int) int { return a + b }\n"
	moveDecl(t, filepath.Join(toy.up.dir, "shapes/shapes.go"), sum, filepath.Join(toy.up.dir, "shapes/sum.go"), "package shapes\n\n")
	wants(t, errors.New(toy.assemble()), "shapes/o.go:3: upstream's shapes/sum.go Sum is not in the lock", "make fork-accept")
	moveDecl(t, filepath.Join(toy.up.dir, "shapes/sum.go"), sum, filepath.Join(toy.up.dir, "hashes/sum.go"), "package hashes\n\n")
	wants(t, errors.New(toy.assemble()), "shapes/o.go:3: //fork:wrap names Sum", "make fork-drift")
}

// moveDecl moves a text of one file into a new file, behind the package clause.
func moveDecl(t *testing.T, from, text, to, clause string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil || !strings.Contains(string(data), text) {
		t.Fatal(err, from, "lacks", text)
	}
	writeFile(t, filepath.Dir(from), filepath.Base(from), strings.Replace(string(data), text, "", 1))
	writeFile(t, filepath.Dir(to), filepath.Base(to), clause+text)
}

// TestDriftIntoFold checks that drift finds what moved into a module that is folded into the tree, and not what moved into folders of it
// that the tree has not, and that what go fix rewrites is the same.
func TestDriftIntoFold(t *testing.T) {
	toy := newOther(t)
	const run, old = "// Run runs.\nfunc Run() string { return strings.Repeat(sums.Name(), 2) }\n", "func Old(x interface{}) { _ = ioutil.Discard; _ = reflect.TypeOf((*error)(nil)).Elem() }\n"
	app, lib := filepath.Join(toy.up.dir, "app"), toy.up.folds[0]
	writeFile(t, app, "old.go", "package app\n\nimport (\n\t\"io/ioutil\"\n\t\"reflect\"\n)\n\n"+old)
	toy.write("ca/app/fork.yaml", "substitutions:\n  - files: [app.go]\n    class: gm\n    reason: r\n    expressions: [{find: \"2\", replace: \"1 + 1\", count: 1}]\n")
	toy.write("ca/app/older.go", spdx+"package app\n\n//fork:wrap gm: r\nfunc Old(x interface{}) { upstreamOld(x) }\n")
	toy.accept()
	l, err := readLock(toy.up.lockPath(toy.root))
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want ...string) {
		t.Helper()
		list, err := drift(l, toy.up)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, d := range list {
			text.WriteString(string(d.verdict) + " " + d.key + " -> " + d.to + "\n")
		}
		for _, w := range want {
			if !strings.Contains(text.String(), w) {
				t.Errorf("%s lacks %q", text.String(), w)
			}
		}
	}
	// The lock has hashes of mapped text: app.go imports the module that is folded.
	expect("same file app/app.go ->")
	writeFile(t, app, "old.go", "package app\n\nimport (\n\t\"io\"\n\t\"reflect\"\n)\n\nfunc Old(x any) { _ = io.Discard; _ = reflect.TypeFor[error]() }\n")
	moveDecl(t, filepath.Join(app, "app.go"), run, filepath.Join(lib, "sums/deep/run.go"), "package deep\n\n")
	expect("same wrap app/old.go Old ->", "moved wrap app/app.go Run -> common/sums/deep/run.go\n", "same wrap common/sums/sums.go Name ->")
	moveDecl(t, filepath.Join(lib, "sums/deep/run.go"), run, filepath.Join(lib, "unused/run.go"), "package unused\n\n")
	expect("gone wrap app/app.go Run ->")
}

// TestDriftLock checks which lock another version of Fabric, and another project, are compared with.
func TestDriftLock(t *testing.T) {
	toy := newOther(t)
	if got := toy.up.driftLock(toy.root); got != filepath.Join(toy.up.spec.dir, "lock.txt") {
		t.Error(got)
	}
	toy.up.spec.Module = upstreamModule
	if got := toy.up.driftLock(toy.root); got != filepath.Join(toy.root, "scripts", "fork", "lock.txt") {
		t.Error(got)
	}
}
