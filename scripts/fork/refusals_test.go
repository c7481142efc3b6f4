// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestForkFileRefusals checks each refusal of a fork.yaml by itself.
func TestForkFileRefusals(t *testing.T) {
	const good = "substitutions:\n  - {files: [a.go], class: gm, reason: r, imports: {a: b}}\n"
	const whole = "replace_package: true\nclass: gm\nreason: r\n"
	for text, want := range map[string]string{
		good: "", whole: "", whole + "keep: ['*_test.go']\n": "", "": "",
		"replace_package: true\nclass: gm\n": "replace_package gives no reason",
		"keep: [a.go]\n":                     "keep has a meaning with replace_package: true alone",
		whole + "keep: ['[']\n":              `keep: "[" is not a valid glob`,
		"substitutions: [~]\n":               "holds an empty substitution",
		strings.Replace(good, "files", "upstreams: ['['], files", 1):             `upstreams: "[" is not a valid glob`,
		strings.Replace(good, "files: [a.go], ", "", 1):                          "the substitution needs files, and imports or expressions",
		strings.Replace(good, ", imports: {a: b}", "", 1):                        "the substitution needs files, and imports or expressions",
		strings.Replace(good, "imports: {a: b}", "expressions: [~]", 1):          "an expression needs find, replace and a count of 1 or more",
		strings.Replace(good, "imports: {a: b}", "expressions: [{find: x}]", 1):  "a count of 1 or more",
		strings.Replace(good, "imports: {a: b}", "expressions: [{count: 1}]", 1): "an expression needs find",
		good + "---\n" + good:      "holds a second document behind a line ---",
		good + "---\nunknown: 1\n": "holds a second document",
	} {
		var report problems
		parseForkSpec("x/fork.yaml", []byte(text), &report)
		if got := report.err(); (got == nil) != (want == "") || got != nil && (!strings.Contains(got.Error(), want) || !strings.HasPrefix(got.Error(), "x/fork.yaml:")) {
			t.Errorf("%q: %v, want %q", text, got, want)
		}
	}
}

// TestSpecRefusals checks each refusal of an upstream.yaml that TestSpecErrors does not.
func TestSpecRefusals(t *testing.T) {
	const good = "module: example.com/other\nversion: v1.0.0\ntag: v1.0.0\nsum: h1:x\n"
	const fold = "fold: [{module: example.com/l, version: v1.0.0, sum: 'h1:y', folders: {a: b}}]\n"
	for text, want := range map[string]string{
		good + fold:          "",
		good + "fold: [~]\n": "fold holds an empty entry",
		good + strings.Replace(fold, "h1:y", "y", 1):   `example.com/l: sum "y" is not a checksum`,
		good + strings.Replace(fold, "{a:", "{a/:", 1): `"a/" is not a folder below the root`,
		good + strings.Replace(fold, "b}", "/b}", 1):   `"/b" is not a folder below the root`,
		good + "files: [./a]\n":                        `"./a" is not a folder below the root`,
		good + "files: ['']\n":                         `"" is not a folder below the root`,
		good + "ours: {..: a}\n":                       `".." is not a folder below the root`,
		strings.Replace(good, "example.com", "a b", 1): `"a b/other" is not a module path`,
		strings.Replace(good, "v1.0.0", "v1.0", 1):     `version "v1.0" is not an exact module version`,
		strings.Replace(good, "v1.0.0", "v3.1.9", 1):   `version "v3.1.9" is not an exact module version of it; 'go list -m example.com/other@COMMIT' prints`,
		strings.Replace(good, "h1:x", "", 1):           "CHECKOUT then names that of a new clone",
		good + "---\nomit: [a]\n":                      "holds a second document",
	} {
		tool := t.TempDir()
		writeFile(t, tool, "upstreams/other/upstream.yaml", text)
		_, _, err := readUpstreamSpec(tool, "other")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestNamesOfUpstreams checks by which names upstreams are found, and what is said of a name that is none.
func TestNamesOfUpstreams(t *testing.T) {
	const version = "v1.0.0"
	serve(t, upstreamModule, version, map[string]string{"go.mod": "module " + upstreamModule + "\n"})
	tool := t.TempDir()
	writeFile(t, tool, "go.mod", "module x\n\ngo 1.26\n\nrequire example.com/first v1.2.3 // indirect; v8\n\nrequire "+upstreamModule+" "+version+" // indirect; v9\n")
	m, err := download(t.TempDir(), upstreamModule+"@"+version)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, tool, "go.sum", upstreamModule+" "+version+" "+m.Sum+"\n")
	for _, which := range []string{"", "9", "v9", version} {
		up, err := openUpstream(tool, which, "")
		if err != nil || up.name != "v9" || up.short() != "9" || up.makeFlag() != "" {
			t.Errorf("%q: %+v, %v", which, up, err)
		}
	}
	dir := t.TempDir()
	writeFile(t, dir, "go.mod", "module "+otherModule+"\n")
	spec := "module: " + otherModule + "\nversion: v1.0.0\ntag: v1.0.0\nsum: %\n"
	writeFile(t, tool, "upstreams/other/upstream.yaml", strings.Replace(spec, "%", sumOf(t, dir), 1))
	writeFile(t, tool, "upstreams/wrong/upstream.yaml", strings.Replace(spec, "%", "h1:none", 1))
	for _, which := range []string{"2.5.99", "v2/x", "upstreams/other", "../other", "other/"} {
		_, err := openUpstream(tool, which, "")
		wants(t, err, "UPSTREAM="+which+" is neither a known upstream (other, wrong), a folder, nor a module version")
	}
	up, err := openUpstream(tool, "other", dir)
	if err != nil || up.dir != dir || up.short() != "other" || up.defaultShort() != "9" || up.makeFlag() != " UPSTREAM=other" {
		t.Errorf("%+v, %v", up, err)
	}
	_, err = openUpstream(tool, "wrong", dir)
	wants(t, err, "their checksum is "+sumOf(t, dir)+", recorded is h1:none. Check out v1.0.0 without changes")
	_, err = openUpstream(tool, "other", filepath.Join(dir, "gone"))
	wants(t, err, "CHECKOUT: ")
}

// TestDownloadRemedy checks what is advised when a module cannot be fetched.
func TestDownloadRemedy(t *testing.T) {
	for text, want := range map[string]string{
		"checksum mismatch":                              "Do not edit go.sum",
		"SECURITY ERROR":                                 "Do not edit go.sum",
		"invalid version: unknown":                       "No such version of upstream",
		"unknown revision v9":                            "No such version of upstream",
		"404 Not Found\n\tserver response: not found: x": "No such version of upstream",
		"403 Forbidden\n\tserver response: no":           "The module proxy answers, but does not serve this version",
		"dial tcp: connection refused":                   "No module proxy could be reached",
	} {
		wants(t, errors.New(downloadRemedy(text)), want)
	}
}

// TestVersion checks what binaries print of their upstream.
func TestVersion(t *testing.T) {
	for name, want := range map[string]string{
		"v2.5.9": "v2.5.9", "v1.4.0-rc1.0.20230401164317-bd8e24856939": "upstream-bd8e24856939", t.TempDir() + "/a-b": "upstream-local",
	} {
		if got := (&upstream{name: name, dir: t.TempDir()}).version(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestImportsOfEntries checks that the import paths in a fork.yaml are mapped as those of Go files are.
func TestImportsOfEntries(t *testing.T) {
	toy := newOther(t)
	toy.write("ca/app/fork.yaml", "substitutions:\n  - {files: [app.go], class: gm, reason: r, imports: {example.com/go-lib/sums: github.com/hyperledger/fabric/extra}}\n")
	toy.write("extra/extra.go", spdx+"package extra\n\n// X is ours.\nconst X = \"+\"\n\n// Name names.\nfunc Name() string { return X }\n")
	toy.accept()
	if got := toy.read("app/app.go"); !strings.Contains(got, `sums "example.com/other/extra"`) {
		t.Errorf("app.go is\n%s", got)
	}
}

// TestMissingModuleFile checks what is said of an upstream whose go.mod is not there yet.
func TestMissingModuleFile(t *testing.T) {
	toy := newOther(t)
	name := filepath.Join(toy.up.spec.dir, "go.mod")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	wants(t, errors.New(toy.assemble()), name+" is missing: put upstream's go.mod and go.sum there, and run 'make tidy UPSTREAM=other'")
}

// TestLockText checks that a lock that is not there is empty, that blank lines and comments do not count, and that what is missing is to be
// accepted for the upstream in question.
func TestLockText(t *testing.T) {
	dir := t.TempDir()
	if l, err := readLock(filepath.Join(dir, "gone")); err != nil || len(l) != 0 {
		t.Error(l, err)
	}
	writeFile(t, dir, "lock.txt", "# a\n\nwrap a.go B 00\n")
	if l, err := readLock(filepath.Join(dir, "lock.txt")); err != nil || len(l) != 1 || l["wrap a.go B"] != "00" {
		t.Error(l, err)
	}
	wants(t, errors.New(newOther(t).assemble()), "app/app.go Run is not in the lock; read it, then run 'make fork-accept UPSTREAM=other'")
}

// TestTreeIsMended checks the parts of a tree that TestIncremental does not: modes, a copy that took the place of a link, and that go.mod comes
// last and leaves nothing behind.
func TestTreeIsMended(t *testing.T) {
	toy := newToy(t, wrapping())
	toy.accept()
	script, link := filepath.Join(toy.tree(), "run.sh"), filepath.Join(toy.tree(), "extra/e.go")
	if err := errors.Join(os.Chmod(script, 0o644), os.Remove(link)); err != nil {
		t.Fatal(err)
	}
	writeFile(t, toy.tree(), "extra/e.go", wrapping()["extra/e.go"])
	if got := toy.assemble(); got != "" {
		t.Error(got)
	}
	if info, err := os.Stat(script); err != nil || info.Mode().Perm() != 0o755 {
		t.Error(info.Mode(), err)
	}
	if _, err := os.Readlink(link); err != nil {
		t.Error("a copy with the same text stays", err)
	}
	toy.write("go.mod", "module github.com/hyperledger/fabric\n\ngo 1.26.0\n")
	if got := toy.assemble(); got != "" {
		t.Error(got)
	}
	if left, err := filepath.Glob(toy.tree() + ".*"); err != nil || len(left) != 1 || left[0] != toy.tree()+".lock" {
		t.Error(left, err)
	}
	a, err := assemble(toy.root, toy.up)
	if err != nil {
		t.Fatal(err)
	}
	a.files["zz/last.go"] = &outFile{source: filepath.Join(t.TempDir(), "gone")}
	if err := a.writeAll(toy.tree(), changes{write: []string{"go.mod", "zz/last.go"}}); err == nil || toy.read("go.mod") != unfinished {
		t.Error(err, toy.read("go.mod"))
	}
}

// TestEditRefusals checks what changes to one file of upstream's cannot be made.
func TestEditRefusals(t *testing.T) {
	_, err := applyEdits([]byte("abcdef"), []edit{{2, 4, "x", "b.go:2"}, {1, 3, "y", "a.go:1"}})
	wants(t, err, "the change from b.go:2 overlaps the one from a.go:1")
	toy := newToy(t, map[string]string{
		"shapes/fork.yaml": "substitutions:\n  - {files: [shapes.go], class: gm, reason: r, expressions: [{find: // x, replace: y, count: 1}, {find: \"'\", replace: y, count: 1}]}\n",
		"shapes/o.go":      "package shapes\n\ntype (\n\t//fork:fields gm: r\n\tShape struct{ Own int }\n\tother int\n)\n",
	})
	wants(t, errors.New(toy.assemble()), `shapes/fork.yaml:2: find "// x": holds no Go token`, `shapes/fork.yaml:2: find "'": line 1: `,
		"shapes/o.go:4: //fork:fields needs a separate type declaration")
}
