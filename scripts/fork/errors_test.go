// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestErrors checks that each mistake is refused with the place of ours and words that say what to do, and that
// nothing is written.
func TestErrors(t *testing.T) {
	cases := map[string]struct {
		ours map[string]string
		want []string
	}{
		"names nothing": {
			map[string]string{"shapes/o.go": "package shapes\n\n//fork:replace gm: r\nfunc Gone() {}\n"},
			[]string{"shapes/o.go:3:", "names Gone", "package shapes in shapes does not declare"},
		},
		"names a promoted method": {
			map[string]string{"shapes/o.go": "package shapes\n\n//fork:wrap gm: r\nfunc (b *Box) Area() (int, error) { return b.upstreamArea() }\n"},
			[]string{"shapes/o.go:3:", "names (Box).Area", "it has (Shape).Area at shapes/shapes.go:"},
		},
		"names a test's declaration from outside the tests": {
			map[string]string{"shapes/o.go": "package shapes\n\n//fork:replace gm: r\nfunc helper() int { return 1 }\n"},
			[]string{"shapes/o.go:3:", "names helper", "helper at shapes/shapes_test.go:"},
		},
		"another kind": {
			map[string]string{"shapes/o.go": "package shapes\n\n//fork:replace gm: r\ntype Sum int\n"},
			[]string{"shapes/o.go:3:", "Sum is a type", "is a func"},
		},
		"two of ours claim one": {
			map[string]string{
				"shapes/o.go": "package shapes\n\n//fork:replace gm: r\nfunc Sum(a, b int) int { return 1 }\n",
				"shapes/p.go": "//go:build !special\n\npackage shapes\n\n//fork:replace gm: r\nfunc Sum(a, b int) int { return 2 }\n",
			},
			[]string{"shapes/p.go:5:", "another build constraint"},
		},
		"two of ours claim one, plainly": {
			map[string]string{
				"shapes/o.go": "package shapes\n\n//fork:replace gm: r\nfunc Sum(a, b int) int { return 1 }\n",
				"shapes/p.go": "package shapes\n\n//fork:wrap gm: r\nfunc Sum(a, b int) int { return 2 }\n",
			},
			[]string{"shapes/p.go:3:", "claims upstream's Sum (shapes/shapes.go:", "shapes/o.go:3 claims too"},
		},
		"unknown directive": {
			map[string]string{"shapes/o.go": "package shapes\n\n//fork:remove r\nfunc Sum(a, b int) int { return 1 }\n"},
			[]string{"shapes/o.go:3:", "unknown directive //fork:remove", "known are replace, wrap, fields and file"},
		},
		"no reason": {
			map[string]string{"shapes/o.go": "package shapes\n\n//fork:replace gm:\nfunc Sum(a, b int) int { return 1 }\n"},
			[]string{"shapes/o.go:3:", "gives no reason"},
		},
		"no class": {
			map[string]string{"shapes/o.go": "package shapes\n\n//fork:replace for a reason\nfunc Sum(a, b int) int { return 1 }\n"},
			[]string{"shapes/o.go:3:", "//fork:replace names no class", "write //fork:replace gm: reason", "gm, perf or fix"},
		},
		"unknown class": {
			map[string]string{"shapes/o.go": "package shapes\n\n//fork:replace fast: r\nfunc Sum(a, b int) int { return 1 }\n"},
			[]string{"shapes/o.go:3:", "//fork:replace names no class"},
		},
		"class of a file below the package clause": {
			map[string]string{"shapes/o.go": "package shapes\n\n//fork:file perf: r\n"},
			[]string{"shapes/o.go:3:", "must stand above the package clause"},
		},
		"substitution without class": {
			map[string]string{"shapes/fork.yaml": "substitutions:\n  - files: [shapes.go]\n    reason: r\n    imports: {errors: fmt}\n"},
			[]string{"shapes/fork.yaml:2:", "names no class; add a class key", "gm, perf or fix"},
		},
		"replaced package without class": {
			map[string]string{"whole/fork.yaml": "replace_package: true\nreason: r\nkeep: [metrics.go]\n", "whole/o.go": "package whole\n"},
			[]string{"whole/fork.yaml:", "needs a class key, gm or fix"},
		},
		"replaced package of class perf": {
			map[string]string{"whole/fork.yaml": "replace_package: true\nclass: perf\nreason: r\nkeep: [metrics.go]\n", "whole/o.go": "package whole\n"},
			[]string{"whole/fork.yaml:", "needs a class key, gm or fix"},
		},
		"misplaced directive": {
			map[string]string{"shapes/o.go": "package shapes\n\n//fork:replace gm: r\n\nfunc F() {\n\t//fork:wrap gm: r\n}\n"},
			[]string{"shapes/o.go:3:", "shapes/o.go:6:", "must be the last line of the doc comment"},
		},
		"clash without a word": {
			map[string]string{"shapes/o.go": "package shapes\n\nfunc Sum(a, b int) int { return 1 }\n"},
			[]string{"shapes/o.go:3:", "declares Sum, which upstream declares at shapes/shapes.go:", "//fork:replace or //fork:wrap"},
		},
		"shadowed file": {
			map[string]string{"shapes/shapes.go": "package shapes\n"},
			[]string{"shapes/shapes.go:1:", "upstream has a file of this name"},
		},
		"shadowed fixture": {
			map[string]string{"whole/testdata/fixture.txt": "x"},
			[]string{"whole/testdata/fixture.txt:1:", "upstream has a file of this name"},
		},
		"kept file shadowed": {
			map[string]string{
				"whole/fork.yaml":  "replace_package: true\nclass: gm\nreason: r\nkeep: [metrics.go]\n",
				"whole/metrics.go": "package whole\n",
			},
			[]string{"whole/metrics.go:1:", "upstream has a file of this name"},
		},
		"wrapped type": {
			map[string]string{"shapes/o.go": "package shapes\n\n//fork:wrap gm: r\ntype Kind int\n"},
			[]string{"shapes/o.go:3:", "works on functions and methods"},
		},
		"derived name taken": {
			map[string]string{"several/o.go": "package several\n\n//fork:wrap gm: r\nfunc taken() {}\n"},
			[]string{"several/o.go:3:", "upstream declares upstreamTaken itself"},
		},
		"several init functions": {
			map[string]string{"several/o.go": "package several\n\n//fork:wrap gm: r\nfunc init() {}\n"},
			[]string{"several/o.go:3:", "several init functions", "several/one.go:3, several/two.go:3"},
		},
		"field there already": {
			map[string]string{"shapes/o.go": "package shapes\n\n//fork:fields gm: r\ntype Shape struct {\n\tSize int\n}\n"},
			[]string{"shapes/o.go:5:", "has a field Size already, at shapes/shapes.go:"},
		},
		"fields of no struct": {
			map[string]string{"shapes/o.go": "package shapes\n\n//fork:fields gm: r\ntype Kind struct {\n\tX int\n}\n"},
			[]string{"shapes/o.go:3:", "needs a struct with fields of ours, and a struct upstream"},
		},
		"too many matches": {
			map[string]string{"shapes/fork.yaml": "substitutions:\n  - files: [shapes.go]\n    class: gm\n    reason: r\n    expressions:\n      - find: Sum(n, left+right)\n        replace: x\n        count: 1\n"},
			[]string{"shapes/fork.yaml:6:", "occurs 2 times in upstream's shapes/shapes.go, not once"},
		},
		"no match": {
			map[string]string{"shapes/fork.yaml": "substitutions:\n  - files: [shapes.go]\n    class: gm\n    reason: r\n    expressions:\n      - find: Sum(0, 0)\n        replace: x\n        count: 2\n"},
			[]string{"shapes/fork.yaml:6:", "occurs 0 times in upstream's shapes/shapes.go, not 2 times"},
		},
		"match in a replaced declaration": {
			map[string]string{
				"shapes/o.go":      "package shapes\n\n//fork:replace gm: r\nfunc scale(n int) int { return n }\n",
				"shapes/fork.yaml": "substitutions:\n  - files: [shapes.go]\n    class: gm\n    reason: r\n    expressions:\n      - find: Sum(n, left+right)\n        replace: x\n        count: 2\n",
			},
			[]string{"shapes/fork.yaml:6:", "occurs once in upstream's shapes/shapes.go, not 2 times"},
		},
		"import not there": {
			map[string]string{"shapes/fork.yaml": "substitutions:\n  - files: [shapes.go]\n    class: gm\n    reason: r\n    imports: {crypto/x509: other/x509}\n"},
			[]string{"shapes/fork.yaml:2:", "does not import crypto/x509"},
		},
		"file not there": {
			map[string]string{"shapes/fork.yaml": "substitutions:\n  - files: [gone.go]\n    class: gm\n    reason: r\n    imports: {a: b}\n"},
			[]string{"shapes/fork.yaml:2:", "no Go file shapes/gone.go"},
		},
		"unknown key": {
			map[string]string{"shapes/fork.yaml": "substitutions:\n  - file: [shapes.go]\n"},
			[]string{"shapes/fork.yaml:", "line 2", "field file not found"},
		},
		"substitution without reason": {
			map[string]string{"shapes/fork.yaml": "substitutions:\n  - files: [shapes.go]\n    imports: {errors: fmt}\n"},
			[]string{"shapes/fork.yaml:2:", "gives no reason"},
		},
		"result is not Go": {
			map[string]string{"shapes/fork.yaml": "substitutions:\n  - files: [shapes.go]\n    class: gm\n    reason: r\n    expressions:\n      - find: errors.New(\"negative\")\n        replace: \"((\"\n        count: 1\n"},
			[]string{"shapes/fork.yaml:6:", "leave no valid Go"},
		},
		"package not dropped": {
			map[string]string{"whole/fork.yaml": "replace_package: true\nclass: gm\nreason: r\nkeep: ['*']\n"},
			[]string{"whole/fork.yaml:", "drops no file"},
		},
		"alias": {
			map[string]string{"sampleconfig/core.yaml": "profiles:\n  one:\n    <<:\n      z: 1\n"},
			[]string{"sampleconfig/core.yaml:", "line 3: profiles.one.<<", "is an alias"},
		},
		"invalid YAML of ours": {
			map[string]string{"sampleconfig/core.yaml": "a: [\n"},
			[]string{"sampleconfig/core.yaml:", "our file"},
		},
		"invalid Go of ours": {
			map[string]string{"shapes/o.go": "package shapes\nfunc {\n"},
			[]string{"shapes/o.go:2"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			toy := newToy(t, c.ours)
			got := toy.assemble()
			for _, w := range c.want {
				if !strings.Contains(got, w) {
					t.Errorf("got %q, which lacks %q", got, w)
				}
			}
			if _, err := os.Stat(toy.tree()); err == nil {
				t.Error("a tree was written")
			}
		})
	}
}

// TestAllErrorsAtOnce checks that one run names every mistake, once.
func TestAllErrorsAtOnce(t *testing.T) {
	toy := newToy(t, map[string]string{
		"shapes/o.go": "package shapes\n\n//fork:replace gm: r\nfunc Gone() {}\n\n//fork:replace gm: r\nfunc Lost() {}\n",
		"whole/o.go":  "package whole\n\nfunc Who() string { return \"\" }\n",
	})
	if lines := strings.Split(toy.assemble(), "\n"); len(lines) != 3 {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
}

// TestNoUpstream checks what is said when upstream cannot be had.
func TestNoUpstream(t *testing.T) {
	tool := t.TempDir()
	mod := "module x\n\ngo 1.26\n\nrequire github.com/hyperledger/fabric v1.0.0-unknown // indirect; v9\n"
	writeFile(t, tool, "go.mod", mod)
	writeFile(t, tool, "go.sum", "")
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOMODCACHE", t.TempDir())
	expect := func(which string, words ...string) {
		t.Helper()
		_, err := openUpstream(tool, which, "")
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("upstream %q: %v lacks %q", which, err, w)
			}
		}
	}
	expect("", "fetching github.com/hyperledger/fabric failed", "make mirror", "GOPROXY")
	expect("v1.2.3", "fetching github.com/hyperledger/fabric@v1.2.3 failed", "UPSTREAM=folder")
	expect("./nowhere", "neither a known upstream (none is recorded), a folder, nor a module version")
	writeFile(t, tool, "go.mod", "module x\n")
	expect("", "requires no version")
	writeFile(t, tool, "go.mod", "module x\n\nrequire github.com/hyperledger/fabric v1.0.0-unknown\n")
	expect("", "go.mod:3", "comment")
}

// TestChecksum serves a module whose bytes are not those that go.sum records.
func TestChecksum(t *testing.T) {
	tool := t.TempDir()
	const version = "v1.0.0"
	serve(t, upstreamModule, version, map[string]string{"go.mod": "module " + upstreamModule + "\n"})
	writeFile(t, tool, "go.mod", "module x\n\ngo 1.26\n\nrequire "+upstreamModule+" "+version+" // indirect; "+version+"\n")
	writeFile(t, tool, "go.sum", "")
	up, err := openUpstream(tool, "", "")
	if err != nil || up.version() != version {
		t.Fatalf("the right bytes are refused: %v", err)
	}
	sum := strings.Repeat("A", 43) + "="
	writeFile(t, tool, "go.sum", upstreamModule+" "+version+" h1:"+sum+"\n"+upstreamModule+" "+version+"/go.mod h1:"+sum+"\n")
	_, err = openUpstream(tool, "", "")
	if err == nil || !strings.Contains(err.Error(), "checksum mismatch") || !strings.Contains(err.Error(), "Do not edit go.sum") {
		t.Error(err)
	}
}

// TestWrongFolder checks that a folder of something else is refused.
func TestWrongFolder(t *testing.T) {
	for text, want := range map[string]string{"module other\n": "names module other", "": "is not a checkout"} {
		dir := t.TempDir()
		if text != "" {
			writeFile(t, dir, "go.mod", text)
		}
		_, err := assemble(t.TempDir(), &upstream{dir: dir, name: dir, spec: &upstreamSpec{pinned: pinned{Module: upstreamModule}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

// TestLock checks that an upstream text that is new to the lock, or differs from it, stops the assembly.
func TestLock(t *testing.T) {
	ours := map[string]string{
		"shapes/o.go":            "package shapes\n\n//fork:wrap gm: r\nfunc scale(n int) int { return upstreamScale(n) }\n",
		"hashes/fork.yaml":       "substitutions:\n  - files: [hashes.go]\n    class: gm\n    reason: r\n    imports: {crypto/md5: crypto/sha1}\n",
		"whole/fork.yaml":        "replace_package: true\nclass: gm\nreason: r\nkeep: ['*_test.go', metrics.go]\n",
		"whole/w.go":             "package whole\n\nfunc Who() string { return metric() }\n",
		"sampleconfig/core.yaml": "peer:\n  id: ours\n",
	}
	toy := newToy(t, ours)
	got := toy.assemble()
	for _, w := range []string{
		"shapes/o.go:3: upstream's shapes/shapes.go scale is not in the lock", "hashes/fork.yaml:2: upstream's hashes/hashes.go",
		"whole/fork.yaml: upstream's whole/whole.go", "sampleconfig/core.yaml:2: upstream's sampleconfig/core.yaml peer.id", "make fork-accept",
	} {
		if !strings.Contains(got, w) {
			t.Errorf("%q lacks %q", got, w)
		}
	}
	toy.accept()
	if got := toy.assemble(); got != "" {
		t.Error(got)
	}
	change := func(file, old, new string, want ...string) {
		t.Helper()
		name := filepath.Join(toy.up.dir, file)
		data, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(data), old) {
			t.Fatal(err, file, "lacks", old)
		}
		writeFile(t, toy.up.dir, file, strings.Replace(string(data), old, new, 1))
		defer writeFile(t, toy.up.dir, file, string(data))
		got := toy.assemble()
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q lacks %q", file, got, w)
			}
		}
		if len(want) == 0 && got != "" {
			t.Errorf("%s: %s", file, got)
		}
	}
	change("shapes/shapes.go", "Sum( n,\n\t\tleft + right )", "Sum(n, left + right) // a comment")
	change("shapes/shapes.go", "return a + b", "return b + a")
	change("shapes/shapes.go", "left + right )", "left - right )", "shapes/o.go:3: upstream's shapes/shapes.go scale differs in v0-toy", "make fork-accept")
	change("hashes/hashes.go", "EncodeToString(sum[:])", "EncodeToString(sum[1:])", "hashes/fork.yaml:2: upstream's hashes/hashes.go differs")
	change("whole/whole.go", "metric()", "`x`", "whole/fork.yaml: upstream's whole/whole.go differs")
	change("sampleconfig/core.yaml", "id:   toy", "id: yot", "sampleconfig/core.yaml:2: upstream's sampleconfig/core.yaml peer.id differs")
	toy.write("scripts/fork/lock.txt", "wrap shapes/shapes.go scale abc\nwrap shapes/shapes.go scale def\n")
	if got := toy.assemble(); !strings.Contains(got, "lock.txt:2:") || !strings.Contains(got, "contradicts") {
		t.Error(got)
	}
}
