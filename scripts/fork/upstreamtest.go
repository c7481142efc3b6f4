// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// commFolder is the package of Fabric whose dependants' tests always run: it is replaced as a whole.
const commFolder = "internal/pkg/comm"

// testPackages lists the upstream packages that the delta concerns: those it touches, and those that depend on comm,
// directly or not, or whose tests import it.
func (a *assembly) testPackages() ([]string, error) {
	module := a.up.spec.Module
	commPackage := module + "/" + commFolder
	touched := map[string]bool{}
	for _, t := range a.touched.byKey {
		if path.Ext(t.file) == ".go" {
			touched[module+"/"+path.Dir(t.file)] = true
		}
	}
	cmd := exec.Command("go", "list", "-json=ImportPath,Deps,TestImports,XTestImports,TestGoFiles,XTestGoFiles", "./...")
	cmd.Dir, cmd.Stderr = a.up.treePath(a.root), os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the packages of build/fabric: %w", err)
	}
	type listed struct {
		ImportPath                                                 string
		Deps, TestImports, XTestImports, TestGoFiles, XTestGoFiles []string
	}
	var all []listed
	usesComm := map[string]bool{commPackage: true}
	for dec := json.NewDecoder(strings.NewReader(string(text))); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			return nil, err
		}
		all = append(all, p)
		for _, dep := range p.Deps {
			usesComm[p.ImportPath] = usesComm[p.ImportPath] || dep == commPackage
		}
	}
	var list []string
	for _, p := range all {
		concerned := touched[p.ImportPath] || usesComm[p.ImportPath]
		for _, imported := range append(p.TestImports, p.XTestImports...) {
			concerned = concerned || usesComm[imported]
		}
		inTree := strings.TrimPrefix(p.ImportPath, module+"/")
		if concerned && len(p.TestGoFiles)+len(p.XTestGoFiles) > 0 && a.upstreamTests(inTree) && !strings.HasPrefix(inTree, "integration/") {
			list = append(list, "./"+inTree)
		}
	}
	return list, nil
}

// upstreamTests reports whether a folder has test files of upstream's.
func (a *assembly) upstreamTests(dir string) bool {
	for name, f := range a.files {
		if path.Dir(name) == dir && !f.ours && strings.HasSuffix(name, "_test.go") {
			return true
		}
	}
	return false
}

// outcome collects what 'go test -json' reports.
type outcome struct {
	result map[string]string   // "package Test/Sub": pass, fail, skip; "package" alone for the package
	output map[string][]string // the same keys
	module string              // whose packages they are
}

// runUpstreamTests runs upstream's tests under two committed lists: skip.txt names tests that cannot pass, each with its
// cause, which are left out; must-pass.txt names all that passed when the list was recorded, of which none may fail to
// run. Arguments are package patterns to run in place of all.
func runUpstreamTests(out io.Writer, root string, up *upstream, only []string, record bool) error {
	a, err := assemble(root, up)
	if err != nil {
		return err
	}
	skip, err := readTestList(up.testList(root, "skip.txt"))
	if err != nil {
		return err
	}
	must, err := readTestList(up.testList(root, "must-pass.txt"))
	if err != nil {
		return err
	}
	var report problems
	lists := []string{"skip.txt", "must-pass.txt"}
	if record {
		lists = lists[:1] // the other is what is written
	}
	if err := a.checkTestLists(&report, lists...); err != nil {
		return err
	}
	if err := report.err(); err != nil {
		return err
	}
	pkgs := only
	if len(pkgs) == 0 {
		if pkgs, err = a.testPackages(); err != nil {
			return err
		}
	}
	got, err := goTest(out, up.spec.Module, up.treePath(root), []string{"-skip=" + skipPattern(forAll(skip, must))}, pkgs)
	if err != nil {
		return err
	}
	// Several of upstream's tests race with the clock and fail now and then on a busy machine: one more try, alone. Then the entries of the
	// package itself count, and no others: see forAll, and a subtest that another package leaves out keeps the flag from leaving out a whole
	// test of that name.
	for _, pkg := range got.failed() {
		fmt.Fprintf(out, "again, alone: %s\n", pkg)
		own := maps.Clone(skip)
		maps.DeleteFunc(own, func(key string, _ bool) bool { return "./"+packageOf(key) != pkg })
		second, err := goTest(out, up.spec.Module, up.treePath(root), []string{"-skip=" + skipPattern(own)}, []string{pkg})
		if err != nil {
			return err
		}
		got.replace(second)
	}
	if record {
		return got.record(out, up.testList(root, "must-pass.txt"), must, len(only) > 0)
	}
	return got.compare(out, must, len(only) > 0)
}

// forAll returns the entries that a run of all packages can leave out. The flag -skip knows no packages: a test of the same name that
// another package must pass would be left out too.
func forAll(skip, must map[string]bool) map[string]bool {
	packages := map[string][]string{} // by test
	for key := range must {
		pkg, test, _ := strings.Cut(key, " ")
		packages[test] = append(packages[test], pkg)
	}
	all := maps.Clone(skip)
	maps.DeleteFunc(all, func(key string, _ bool) bool {
		pkg, test, _ := strings.Cut(key, " ")
		return slices.ContainsFunc(packages[test], func(other string) bool { return other != pkg })
	})
	return all
}

// skipPattern turns "package Test/Sub" entries into the value of go test's -skip flag.
func skipPattern(skip map[string]bool) string {
	var patterns []string
	for _, key := range sortedKeys(skip) {
		_, test, _ := strings.Cut(key, " ")
		parts := strings.Split(test, "/")
		for i, p := range parts {
			parts[i] = "^" + regexp.QuoteMeta(p) + "$"
		}
		patterns = append(patterns, strings.Join(parts, "/"))
	}
	return strings.Join(patterns, "|")
}

// goTest runs the tests without vet, which fails on upstream files that predate its newer checks, and with the
// one GODEBUG setting that upstream's fixtures need: short RSA keys.
func goTest(out io.Writer, module, tree string, flags, pkgs []string) (*outcome, error) {
	fmt.Fprintf(out, "testing %d packages\n", len(pkgs))
	args := append([]string{"test", "-json", "-vet=off", "-timeout=20m"}, flags...)
	cmd := exec.Command("go", append(args, pkgs...)...)
	cmd.Dir, cmd.Stderr = tree, os.Stderr
	cmd.Env = append(os.Environ(), "GODEBUG=rsa1024min=0")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	got := &outcome{result: map[string]string{}, output: map[string][]string{}, module: module}
	lines := bufio.NewReader(pipe)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			got.event(out, line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	// A failing test makes the command fail; the comparison decides what that means. A build failure has its own event.
	if err := cmd.Wait(); err != nil && len(got.result) == 0 {
		return nil, fmt.Errorf("go test: %w", err)
	}
	return got, nil
}

func (o *outcome) event(out io.Writer, line string) {
	var e struct{ Action, Package, ImportPath, Test, Output string }
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		fmt.Fprint(out, line)
		return
	}
	pkg := e.Package
	if pkg == "" {
		pkg, _, _ = strings.Cut(e.ImportPath, " ")
	}
	key := strings.TrimSpace(strings.TrimPrefix(pkg, o.module+"/") + " " + e.Test)
	switch e.Action {
	case "output", "build-output":
		o.output[key] = append(o.output[key], e.Output)
	case "pass", "fail", "skip":
		o.result[key] = e.Action
		if e.Test == "" {
			fmt.Fprintf(out, "%s\t%s\n", e.Action, key)
		}
		if e.Action != "fail" {
			delete(o.output, key)
		}
	}
}

// readTestList reads "package Test" lines; what follows a # is a comment. A missing file is an empty list.
func readTestList(name string) (map[string]bool, error) {
	data, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	list := map[string]bool{}
	for _, line := range strings.Split(string(data), "\n") {
		text, _, _ := strings.Cut(line, "#")
		if text = strings.TrimSpace(text); text != "" {
			list[text] = true
		}
	}
	return list, nil
}

var testDeclaration = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)

// checkTestLists reports entries whose test the tree does not have, as far as its text says: the names of subtests come up only when they
// run. Such an entry of skip.txt would leave out nothing, and one of must-pass.txt is missed only in a run of all packages.
func (a *assembly) checkTestLists(report *problems, lists ...string) error {
	for _, base := range lists {
		name := a.up.testList(a.root, base)
		list, err := readTestList(name)
		if err != nil {
			return err
		}
		where, err := filepath.Rel(a.root, name)
		if err != nil {
			return err
		}
		declared, err := a.declaredTests(list)
		if err != nil {
			return err
		}
		for key := range list {
			pkg, test, _ := strings.Cut(key, " ")
			test, _, _ = strings.Cut(test, "/")
			switch tests := declared[pkg]; {
			case len(tests) == 0:
				report.add(where, "%q: upstream %s has no tests in a folder %s; write where they are now, or remove the line", key, a.up.name, pkg)
			case !tests[test]:
				report.add(where, "%q: no test of this name is in %s; write its present name, or remove the line", key, pkg)
			}
		}
	}
	return nil
}

// declaredTests finds the tests that the packages of a list declare in the tree.
func (a *assembly) declaredTests(list map[string]bool) (map[string]map[string]bool, error) {
	declared := map[string]map[string]bool{}
	for key := range list {
		declared[packageOf(key)] = map[string]bool{}
	}
	for name, file := range a.files {
		tests := declared[path.Dir(name)]
		if tests == nil || !strings.HasSuffix(name, "_test.go") {
			continue
		}
		data, err := file.content()
		if err != nil {
			return nil, err
		}
		for _, m := range testDeclaration.FindAllSubmatch(data, -1) {
			tests[string(m[1])] = true
		}
	}
	return declared, nil
}

func packageOf(key string) string {
	pkg, _, _ := strings.Cut(key, " ")
	return pkg
}

// failed lists the packages with failures, as patterns.
func (o *outcome) failed() []string {
	pkgs := map[string]bool{}
	for key, r := range o.result {
		if r == "fail" {
			pkgs["./"+packageOf(key)] = true
		}
	}
	return sortedKeys(pkgs)
}

// replace takes the results of a second run in place of those of the first for the packages that it ran.
func (o *outcome) replace(second *outcome) {
	ran := map[string]bool{}
	for key := range second.result {
		ran[packageOf(key)] = true
	}
	for key := range o.result {
		if ran[packageOf(key)] {
			delete(o.result, key)
			delete(o.output, key)
		}
	}
	maps.Copy(o.result, second.result)
	maps.Copy(o.output, second.output)
}

// compare reports failures, and required tests that did not run.
func (o *outcome) compare(out io.Writer, must map[string]bool, partial bool) error {
	var report problems
	o.reportFailures(out, &report)
	for key := range must {
		_, ran := o.result[packageOf(key)]
		if result := o.result[key]; result == "skip" || result == "" && (ran || !partial) {
			report.add(key, "is in the must-pass list but did not run; if upstream dropped it on purpose, run 'make test-upstream-record'")
		}
	}
	passed := 0
	for _, r := range o.result {
		if r == "pass" {
			passed++
		}
	}
	fmt.Fprintf(out, "%d tests passed\n", passed)
	return report.err()
}

func (o *outcome) reportFailures(out io.Writer, report *problems) {
	for _, key := range sortedKeys(o.result) {
		if o.result[key] == "fail" {
			report.add(key, "failed")
			fmt.Fprintf(out, "--- %s\n%s\n", key, strings.Join(o.output[key], ""))
		}
	}
}

// record writes the list of top-level tests that passed. Where some packages were run alone, those of the others stay as they are.
func (o *outcome) record(out io.Writer, name string, before map[string]bool, partial bool) error {
	var report problems
	o.reportFailures(out, &report)
	var list []string
	for key, r := range o.result {
		_, test, top := strings.Cut(key, " ")
		if r == "pass" && top && !strings.Contains(test, "/") {
			list = append(list, key)
		}
	}
	for key := range before {
		if _, ran := o.result[packageOf(key)]; partial && !ran {
			list = append(list, key)
		}
	}
	sort.Strings(list)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	text := "# Upstream tests that pass on the assembled tree. Written by 'make test-upstream-record'.\n" + strings.Join(list, "\n") + "\n"
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return err
	}
	return report.err()
}
