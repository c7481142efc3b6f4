// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// toy is a repository of ours and an upstream in temporary folders.
type toy struct {
	t    *testing.T
	root string
	up   *upstream
}

// newToy lays out the toy upstream and a repository with the given files.
func newToy(t *testing.T, ours map[string]string) *toy {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/upstream.txtar")
	if err != nil {
		t.Fatal(err)
	}
	toy := &toy{t: t, root: t.TempDir(), up: &upstream{dir: t.TempDir(), name: "v0-toy", pin: "v0-toy", tree: defaultTree, spec: &upstreamSpec{pinned: pinned{Module: upstreamModule}}}}
	for _, f := range archive.Files {
		writeFile(t, toy.up.dir, f.Name, string(f.Data))
	}
	toy.write("go.mod", "module github.com/hyperledger/fabric\n\ngo 1.26\n\nignore ./shapes\n")
	toy.write("go.sum", "")
	toy.write("scripts/fork/lock.txt", "")
	for name, text := range ours {
		toy.write(name, text)
	}
	return toy
}

func (toy *toy) write(name, text string) { writeFile(toy.t, toy.root, name, text) }

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (toy *toy) tree() string { return toy.up.treePath(toy.root) }

// accept assembles the toy and records the lock.
func (toy *toy) accept() {
	toy.t.Helper()
	if err := runAccept(io.Discard, toy.root, toy.up); err != nil {
		toy.t.Fatal(err)
	}
}

// assemble assembles the toy against its lock and returns the error's text, or "".
func (toy *toy) assemble() string {
	if err := runAssemble(io.Discard, toy.root, toy.up); err != nil {
		return err.Error()
	}
	return ""
}

func (toy *toy) read(name string) string {
	toy.t.Helper()
	data, err := os.ReadFile(filepath.Join(toy.tree(), filepath.FromSlash(name)))
	if err != nil {
		toy.t.Fatal(err)
	}
	return string(data)
}

// goCommand runs the go command in the assembled toy, without network.
func (toy *toy) goCommand(args ...string) (string, error) { return goIn(toy.tree(), args...) }

func goIn(dir string, args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off", "GOPROXY=off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestMechanisms assembles each archive in testdata/cases, compares the files it wants byte for byte, and has the go
// command vet and test the result under both build tags.
func TestMechanisms(t *testing.T) {
	names, err := filepath.Glob("testdata/cases/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no cases", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			ours, want := map[string]string{}, map[string]string{}
			for _, f := range archive.Files {
				dir, rest, _ := strings.Cut(f.Name, "/")
				switch dir {
				case "ours":
					ours[rest] = string(f.Data)
				case "want":
					want[rest] = string(f.Data)
				default:
					t.Fatalf("%s: a file must stand below ours or want", f.Name)
				}
			}
			if len(want) == 0 {
				t.Fatal("the case wants nothing")
			}
			toy := newToy(t, ours)
			toy.accept()
			for name, text := range want {
				if got := toy.read(name); got != text {
					t.Errorf("%s is\n%s\nwant\n%s", name, got, text)
				}
			}
			for _, tags := range []string{"", "special"} {
				if out, err := toy.goCommand("test", "-tags="+tags, "./..."); err != nil && tags == "" {
					t.Errorf("go test: %v\n%s", err, out)
				}
				if out, err := toy.goCommand("vet", "-tags="+tags, "./..."); err != nil {
					t.Errorf("go vet -tags=%s: %v\n%s", tags, err, out)
				}
			}
		})
	}
}

// TestWithoutPerf checks that PERF=off leaves out files, declarations and substitutions of class perf, and these alone, that
// the rest compiles, and that what it leaves out is not missed in the lock.
func TestWithoutPerf(t *testing.T) {
	toy := newToy(t, map[string]string{
		"shapes/o.go": `package shapes

import "strings"

//fork:wrap perf: r
func Sum(a, b int) int { return upstreamSum(a, b) + len(strings.Repeat("x", 5)) }

//fork:wrap gm: r
func scale(n int) int { return fast(n) + upstreamScale(n) }

var fast = func(int) int { return 0 }
`,
		"shapes/fast.go":      "//fork:file perf: r\n\npackage shapes\n\nfunc init() { fast = func(n int) int { return 1000 } }\n",
		"shapes/perf_test.go": "//fork:file perf: r\n\npackage shapes\n\nimport \"testing\"\n\nfunc TestFast(t *testing.T) {\n\tif Sum(1, 2) != 8 || scale(1) < 1000 {\n\t\tt.Fatal(Sum(1, 2), scale(1))\n\t}\n}\n",
		"shapes/off_test.go":  "package shapes\n\nimport \"testing\"\n\n//fork:replace gm: either sum will do\nfunc TestSum(t *testing.T) { t.Log(Sum(1, 2), scale(1)) }\n",
		"hashes/fork.yaml":    "substitutions:\n  - files: [hashes.go]\n    class: perf\n    reason: r\n    imports: {crypto/md5: crypto/sha1}\n",
		"hashes/g.go":         "package hashes\n",
	})
	toy.accept()
	if out, err := toy.goCommand("test", "./shapes", "./hashes"); err != nil || !strings.Contains(toy.read("hashes/hashes.go"), "crypto/sha1") {
		t.Fatalf("with perf: %v\n%s", err, out)
	}
	toy.up.noPerf = true
	if got := toy.assemble(); got != "" {
		t.Fatal(got)
	}
	for _, name := range []string{"shapes/fast.go", "shapes/perf_test.go"} {
		if _, err := os.Stat(filepath.Join(toy.tree(), name)); err == nil {
			t.Errorf("%s is in the tree", name)
		}
	}
	if got := toy.read("hashes/hashes.go"); !strings.Contains(got, "crypto/md5") || strings.Contains(got, "Changed by the fork") {
		t.Errorf("a substitution was made:\n%s", got)
	}
	writeFile(t, toy.tree(), "shapes/zz_test.go", "package shapes\n\nimport \"testing\"\n\nfunc TestOff(t *testing.T) {\n\tif Sum(1, 2) != 3 || scale(1) >= 1000 || upstreamScale(1) != scale(1) {\n\t\tt.Fatal(Sum(1, 2), scale(1))\n\t}\n}\n")
	if out, err := toy.goCommand("test", "./shapes", "./hashes"); err != nil {
		t.Errorf("without perf: %v\n%s", err, out)
	}
}

// TestUntouched checks that the whole of upstream arrives, without what does not belong to the tree.
func TestUntouched(t *testing.T) {
	toy := newToy(t, map[string]string{"docs/a.md": "ours", "README.md": "ours", "extra/x.go": "package extra\n"})
	toy.accept()
	archive, err := txtar.ParseFile("testdata/upstream.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name == "go.mod" || strings.HasPrefix(f.Name, "nested/") || strings.HasPrefix(f.Name, "vendor/") {
			continue
		}
		if got := toy.read(f.Name); got != string(f.Data) {
			t.Errorf("%s changed:\n%s", f.Name, got)
		}
	}
	for _, name := range []string{"docs/a.md", "README.md", "nested", "vendor"} {
		if _, err := os.Stat(filepath.Join(toy.tree(), name)); err == nil {
			t.Errorf("%s is in the tree", name)
		}
	}
	if got := toy.read("go.mod"); strings.Contains(got, "ignore") || !strings.Contains(got, "go 1.26") {
		t.Errorf("go.mod is\n%s", got)
	}
	if info, err := os.Stat(filepath.Join(toy.tree(), "run.sh")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("run.sh: %v, mode %v", err, info.Mode())
	}
	if !bytes.Equal([]byte(toy.read("extra/x.go")), []byte("package extra\n")) {
		t.Error("our file differs")
	}
}
