// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// snapshot maps each file of the assembled tree to its content, mode and time.
type snapshot map[string]struct {
	text string
	mode fs.FileMode
	time time.Time
}

func (toy *toy) snapshot() snapshot {
	toy.t.Helper()
	s := snapshot{}
	err := filepath.WalkDir(toy.tree(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(toy.tree(), path)
		entry := s[rel]
		entry.text, entry.mode, entry.time = string(data), info.Mode(), info.ModTime()
		s[rel] = entry
		return err
	})
	if err != nil {
		toy.t.Fatal(err)
	}
	return s
}

// age moves every file's time into the past, so that a rewrite shows.
func (toy *toy) age() {
	toy.t.Helper()
	past := time.Now().Add(-time.Hour)
	for name := range toy.snapshot() {
		if err := os.Chtimes(filepath.Join(toy.tree(), name), past, past); err != nil {
			toy.t.Fatal(err)
		}
	}
}

func wrapping() map[string]string {
	return map[string]string{
		"shapes/o.go":            "package shapes\n\n//fork:wrap gm: r\nfunc scale(n int) int { return upstreamScale(n) }\n",
		"shapes/fork.yaml":       "substitutions:\n  - files: [setup.go, shapes.go]\n    class: gm\n    reason: r\n    imports: {}\n    expressions:\n      - {find: package shapes, replace: package shapes, count: 1}\n",
		"sampleconfig/core.yaml": "peer:\n  tls:\n    mode: tls\n",
		"extra/e.go":             "package extra\n",
	}
}

// rewritten lists the files whose time or content differs, and those that came or went.
func rewritten(before, after snapshot) []string {
	names := map[string]bool{}
	for name, b := range before {
		if a, ok := after[name]; !ok || !a.time.Equal(b.time) || a.text != b.text {
			names[name] = true
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			names[name] = true
		}
	}
	return sortedKeys(names)
}

// TestDeterminism checks that two assemblies of one input are equal byte for byte and mode for mode.
func TestDeterminism(t *testing.T) {
	one, two := newToy(t, wrapping()), newToy(t, wrapping())
	one.accept()
	two.accept()
	a, b := one.snapshot(), two.snapshot()
	if len(a) != len(b) || len(a) == 0 {
		t.Fatalf("%d files, then %d", len(a), len(b))
	}
	for name := range a {
		if a[name].text != b[name].text || a[name].mode != b[name].mode {
			t.Errorf("%s differs", name)
		}
	}
	lockOf := func(toy *toy) string {
		data, err := os.ReadFile(toy.up.lockPath(toy.root))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if lockOf(one) != lockOf(two) {
		t.Error("the locks differ")
	}
}

// TestIncremental checks that only what changed is written, that hand edits and left-overs go, and that go.mod keeps
// its time.
func TestIncremental(t *testing.T) {
	toy := newToy(t, wrapping())
	toy.accept()
	step := func(what string, act func(), want ...string) {
		t.Helper()
		toy.age()
		before := toy.snapshot()
		act()
		if got := toy.assemble(); got != "" {
			t.Fatalf("%s: %s", what, got)
		}
		if got := rewritten(before, toy.snapshot()); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: rewrote %q, want %q", what, got, want)
		}
	}
	tree := toy.tree()
	step("nothing", func() {})
	step("one file of ours", func() { toy.write("extra/e.go", "package extra // now\n") }, "extra/e.go")
	step("a directive's reason", func() {
		toy.write("shapes/o.go", "package shapes\n\n//fork:wrap gm: other\nfunc scale(n int) int { return upstreamScale(n) }\n")
	}, "shapes/o.go")
	step("ours gone", func() { os.Remove(filepath.Join(toy.root, "extra/e.go")) }, "extra/e.go")
	if _, err := os.Stat(filepath.Join(tree, "extra")); err == nil {
		t.Error("an empty folder stays")
	}
	step("an override gone", func() { os.Remove(filepath.Join(toy.root, "shapes/o.go")) }, "shapes/o.go", "shapes/shapes.go")
	step("go.mod", func() { toy.write("go.mod", "module github.com/hyperledger/fabric\n\ngo 1.26.0\n") }, "go.mod")
	toy.age()
	want := toy.snapshot()
	writeFile(t, tree, "hashes/hashes.go", "edited by hand")
	writeFile(t, tree, "hashes/left/over.go", "package left")
	os.Remove(filepath.Join(tree, "LICENSE"))
	os.RemoveAll(filepath.Join(tree, "whole"))
	writeFile(t, tree, "whole", "a file where a folder belongs")
	if got := toy.assemble(); got != "" {
		t.Fatal(got)
	}
	for name, w := range want {
		if toy.read(name) != w.text {
			t.Errorf("%s was not mended", name)
		}
	}
	if got := len(toy.snapshot()); got != len(want) {
		t.Errorf("%d files, want %d", got, len(want))
	}
}

// TestInterrupted checks that a tree whose writing stopped half-way cannot be built, says why, and is mended by the
// next run.
func TestInterrupted(t *testing.T) {
	toy := newToy(t, wrapping())
	toy.accept()
	want := toy.snapshot()
	a, err := assemble(toy.root, toy.up)
	if err != nil {
		t.Fatal(err)
	}
	a.files["zz/last.go"] = &outFile{source: filepath.Join(t.TempDir(), "gone")}
	if err := a.writeAll(toy.tree(), changes{write: []string{"shapes/o.go", "zz/last.go"}}); err == nil {
		t.Fatal("writing a file without a source went well")
	}
	writeFile(t, toy.tree(), "shapes/setup.go.fork-tmp", "half")
	for _, args := range [][]string{{"build", "./..."}, {"vet", "./shapes"}, {"test", "./hashes"}} {
		out, err := toy.goCommand(args...)
		if err == nil || !strings.Contains(out, "half-written") || !strings.Contains(out, "make-fork") {
			t.Errorf("go %v on half a tree: %v\n%s", args, err, out)
		}
	}
	if got := toy.assemble(); got != "" {
		t.Fatal(got)
	}
	after := toy.snapshot()
	for name := range want {
		if after[name].text != want[name].text {
			t.Errorf("%s was not mended", name)
		}
	}
	if len(after) != len(want) {
		t.Errorf("%d files, want %d", len(after), len(want))
	}
	if out, err := toy.goCommand("vet", "./..."); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestUnwritable checks what is said when the tree cannot be written, and that it cannot be built then.
func TestUnwritable(t *testing.T) {
	toy := newToy(t, wrapping())
	toy.accept()
	writeFile(t, toy.root, "build/blocked/file", "")
	if err := os.RemoveAll(toy.tree()); err != nil {
		t.Fatal(err)
	}
	// A file where the folder belongs stops every user, root too; permissions stop all others.
	writeFile(t, toy.root, "build/fabric", "")
	if got := toy.assemble(); !strings.Contains(got, "cannot be written") || !strings.Contains(got, "make clean") {
		t.Error(got)
	}
	os.Remove(toy.tree())
	if os.Geteuid() == 0 {
		return
	}
	toy.accept()
	for _, dir := range []string{"extra", "."} {
		path := filepath.Join(toy.tree(), dir)
		if err := os.Chmod(path, 0o555); err != nil {
			t.Fatal(err)
		}
		toy.write("extra/e.go", "package extra // "+dir+"\n")
		if got := toy.assemble(); !strings.Contains(got, "cannot be written") {
			t.Errorf("%s: %q", dir, got)
		}
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLinks checks that sources of ours which assembly does not change are links, that an edit through a link is an edit of ours,
// that everything else is a copy, and that an edit which took a link's place is not lost.
func TestLinks(t *testing.T) {
	ours := wrapping()
	ours["extra/fast_amd64.s"] = "// nothing\n"
	ours["extra/table.txt"] = "go:embed refuses links\n"
	ours["hashes/h.go"] = "//go:build fork\n\npackage hashes\n"
	toy := newToy(t, ours)
	toy.accept()
	for name, link := range map[string]bool{
		"extra/e.go": true, "extra/fast_amd64.s": true, "shapes/o.go": true,
		"extra/table.txt": false, "hashes/h.go": false, "shapes/shapes.go": false, "sampleconfig/core.yaml": false, "go.mod": false, "go.sum": false,
	} {
		info, err := os.Lstat(filepath.Join(toy.tree(), name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode()&fs.ModeSymlink != 0; got != link {
			t.Errorf("%s: link %v, want %v", name, got, link)
		}
	}
	inTree, source := filepath.Join(toy.tree(), "extra/e.go"), filepath.Join(toy.root, "extra/e.go")
	writeFile(t, toy.tree(), "extra/e.go", "package extra // through the link\n")
	if data, err := os.ReadFile(source); err != nil || !strings.Contains(string(data), "through the link") {
		t.Errorf("the edit did not reach ours: %s %v", data, err)
	}

	// An editor that saves by renaming leaves a file in the link's place.
	if err := os.Remove(inTree); err != nil {
		t.Fatal(err)
	}
	writeFile(t, toy.tree(), "extra/e.go", "package extra // renamed over\n")
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(source, past, past); err != nil {
		t.Fatal(err)
	}
	if got := toy.assemble(); !strings.Contains(got, inTree) || !strings.Contains(got, "mv ") || !strings.Contains(toy.read("extra/e.go"), "renamed over") {
		t.Errorf("%q, and the tree has %q", got, toy.read("extra/e.go"))
	}
	// A copy that is older than the source, as earlier versions of this program left them, gives way.
	older := past.Add(-time.Hour)
	if err := os.Chtimes(inTree, older, older); err != nil {
		t.Fatal(err)
	}
	if got := toy.assemble(); got != "" || !strings.Contains(toy.read("extra/e.go"), "through the link") {
		t.Errorf("%q, and the tree has %q", got, toy.read("extra/e.go"))
	}
	// A clone can be moved.
	if text, err := os.Readlink(inTree); err != nil || filepath.IsAbs(text) {
		t.Error(text, err)
	}
}
