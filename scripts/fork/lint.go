// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"io"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
)

// treePackages lists, as patterns, the folders with Go files of ours that build in the assembled tree alone. The others
// are tested and linted at the root.
func (a *assembly) treePackages() ([]string, error) {
	needs, err := a.needUpstream()
	if err != nil {
		return nil, err
	}
	var list []string
	for _, dir := range sortedKeys(needs) {
		if needs[dir] != "" {
			list = append(list, "./"+dir)
		}
	}
	return list, nil
}

var findingPath = regexp.MustCompile(`^(?:vet: )?(?:\./)?([^\s:]+\.go):[0-9]+`)

// runLint runs a linter over treePackages. What it says about upstream's files is upstream's
// business and dropped; anything else is printed and is an error. If vet cannot check a package because a file of it does not
// compile, that is an error whosever the file is: a change of ours may be the cause, and our files there were not checked.
func runLint(out io.Writer, root string, up *upstream, command []string) error {
	if len(command) == 0 {
		return fmt.Errorf("lint needs the linter's command")
	}
	a, err := assemble(root, up)
	if err != nil {
		return err
	}
	ours := map[string]bool{}
	for _, name := range a.ourPaths {
		ours[name] = true
	}
	pkgs, err := a.treePackages()
	if err != nil || len(pkgs) == 0 {
		return err
	}
	cmd := exec.Command(command[0], append(command[1:], pkgs...)...)
	cmd.Dir = up.treePath(root)
	text, runErr := cmd.CombinedOutput()
	findings, about := 0, 0
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		m := findingPath.FindStringSubmatch(line)
		switch {
		case m != nil && !ours[m[1]] && !strings.HasPrefix(line, "vet: "):
			about++
		case line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "exit status"):
		case strings.HasPrefix(line, "go: downloading "):
		default:
			findings++
			fmt.Fprintln(out, line)
		}
	}
	if findings > 0 {
		return fmt.Errorf("%s has %d findings in our files", command[0], findings)
	}
	if runErr != nil && about == 0 {
		return fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), runErr, text)
	}
	return nil
}

// runOurTests runs the tests that our own _test.go files declare, in the assembled tree.
func runOurTests(root string, up *upstream, flags []string) error {
	a, err := assemble(root, up)
	if err != nil {
		return err
	}
	all, err := a.treePackages()
	if err != nil {
		return err
	}
	var pkgs []string
	names := map[string]bool{}
	for _, pkg := range all {
		found, err := a.testNames(strings.TrimPrefix(pkg, "./"))
		if err != nil {
			return err
		}
		if len(found) > 0 {
			pkgs = append(pkgs, pkg)
		}
		for _, n := range found {
			names[n] = true
		}
	}
	if len(pkgs) == 0 {
		return nil
	}
	// vet looks at upstream's files too, and fails on some that predate its newer checks; 'make verify' vets ours.
	args := append([]string{"test", "-vet=off", "-run", "^(" + strings.Join(sortedKeys(names), "|") + ")$"}, flags...)
	cmd := exec.Command("go", append(args, pkgs...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = up.treePath(root), os.Stdout, os.Stderr
	return cmd.Run()
}

// testNames lists the tests, fuzz tests and examples that our files in a folder declare.
func (a *assembly) testNames(dir string) ([]string, error) {
	var names []string
	for _, name := range a.ourPaths {
		if path.Dir(name) != dir || !strings.HasSuffix(name, "_test.go") || a.files[name] == nil {
			continue // another folder's, or left out with PERF=off
		}
		data, err := a.files[name].content()
		if err != nil {
			return nil, err
		}
		file, err := parseGo(name, data)
		if err != nil {
			return nil, err
		}
		for _, d := range file.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || fn.Name.Name == "TestMain" {
				continue
			}
			for _, prefix := range []string{"Test", "Fuzz", "Example"} {
				if strings.HasPrefix(fn.Name.Name, prefix) {
					names = append(names, fn.Name.Name)
				}
			}
		}
	}
	return names, nil
}
