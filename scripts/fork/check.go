// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// maxLines is the length that no Go file of ours reaches: files are split by role.
const maxLines = 1000

// runCheck is what 'make verify' asks of the delta beyond assembling: no left-over entries of the lock or of lists of
// upstream's tests, ignore directives in go.mod for exactly the folders that build in the assembled tree alone, and files of bearable length.
func runCheck(root string, up *upstream) error {
	a, err := assemble(root, up)
	if err != nil {
		return err
	}
	var report problems
	l, err := readLock(up.lockPath(root))
	if err != nil {
		return err
	}
	if err := a.touched.check(l, up, &report); err != nil {
		return err
	}
	for key := range l {
		if _, ok := a.touched.byKey[key]; !ok {
			report.add(up.lockName(), "nothing of ours depends on %q any more; run 'make fork-accept%s'", key, up.makeFlag())
		}
	}
	if err := a.checkTestLists(&report, "skip.txt", "must-pass.txt"); err != nil {
		return err
	}
	if err := a.checkIgnored(&report); err != nil {
		return err
	}
	if err := checkLengths(root, &report); err != nil {
		return err
	}
	return report.err()
}

// checkIgnored compares go.mod's ignore directives with the folders of ours that cannot build at the root. They keep
// './...' at the root to the packages that need no upstream.
func (a *assembly) checkIgnored(report *problems) error {
	if a.up.spec.dir != "" {
		return nil // the root's go.mod is that of the default
	}
	data, err := os.ReadFile(filepath.Join(a.root, "go.mod"))
	if err != nil {
		return err
	}
	file, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return err
	}
	needs, err := a.needUpstream()
	if err != nil {
		return err
	}
	for dir, reason := range needs {
		covered := false
		for _, ignored := range file.Ignore {
			p := strings.TrimPrefix(ignored.Path, "./")
			covered = covered || dir == p || strings.HasPrefix(dir, p+"/")
		}
		switch {
		case reason != "" && !covered && hasStandaloneBelow(dir, needs):
			// An ignore directive would hide the folders below as well.
			a.checkMarked(dir, report)
		case reason != "" && !covered:
			report.add("go.mod", "%s builds in the assembled tree alone (%s); add: ignore ./%s", dir, reason, dir)
		case reason == "" && covered:
			report.add("go.mod", "%s needs no upstream, but an ignore directive hides it from './...' at the root", dir)
		}
	}
	return nil
}

// checkMarked reports files of ours in dir that the root would compile.
func (a *assembly) checkMarked(dir string, report *problems) {
	for _, name := range a.ourPaths {
		if path.Dir(name) == dir && path.Ext(name) == ".go" && a.files[name] != nil && !a.files[name].treeOnly {
			report.add(name+":1", "builds in the assembled tree alone, in a folder that cannot be ignored at the root; "+
				"write //go:build %s above its package clause", treeTag)
		}
	}
}

// hasStandaloneBelow reports whether a folder that needs no upstream is below dir.
func hasStandaloneBelow(dir string, needs map[string]string) bool {
	for other, reason := range needs {
		if reason == "" && strings.HasPrefix(other, dir+"/") {
			return true
		}
	}
	return false
}

// needUpstream maps each folder with Go files of ours to the reason why it cannot build at the root, or to "".
func (a *assembly) needUpstream() (map[string]string, error) {
	reasons, imports := map[string]string{}, map[string][]string{}
	for _, name := range a.ourPaths {
		if path.Ext(name) != ".go" || strings.Contains(name, "/testdata/") {
			continue
		}
		dir := path.Dir(name)
		if a.files[name] == nil {
			continue // left out with PERF=off
		}
		data, err := os.ReadFile(a.ourFile(name))
		if err != nil {
			return nil, err
		}
		file, err := parseGo(name, mapImports(name, data, a.imports))
		if err != nil {
			return nil, err
		}
		reasons[dir] += ""
		for _, spec := range file.ast.Imports {
			if rest, ok := strings.CutPrefix(importPath(spec), a.up.spec.Module+"/"); ok {
				imports[dir] = append(imports[dir], rest)
			}
		}
	}
	for name, file := range a.files {
		dir := path.Dir(name)
		if _, ours := reasons[dir]; ours && !file.ours && path.Ext(name) == ".go" {
			reasons[dir] = "upstream has files in it"
		}
	}
	for again := true; again; {
		again = false
		for _, dir := range sortedKeys(imports) {
			if reasons[dir] != "" {
				continue
			}
			for _, imported := range imports[dir] {
				if reason, ours := reasons[imported]; !ours || reason != "" {
					reasons[dir] = "it imports " + imported
					again = true
					break
				}
			}
		}
	}
	return reasons, nil
}

func checkLengths(root string, report *problems) error {
	all, err := candidates(root)
	if err != nil {
		return err
	}
	for _, name := range all {
		if path.Ext(name) != ".go" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		if strings.Contains(string(data), "\r\n") {
			report.add(name+":1", "ends lines with CR LF; let git write LF (git config core.autocrlf false, and check the file out again)")
			continue
		}
		if n := strings.Count(string(data), "\n"); n >= maxLines {
			report.add(fmt.Sprintf("%s:%d", name, n), "has %d lines; split it by role below %d", n, maxLines)
		}
		if !strings.HasPrefix(string(data), "// SPDX-License-Identifier: Apache-2.0\n") && !strings.Contains(name, "/testdata/") {
			report.add(name+":1", "begin the file with: // SPDX-License-Identifier: Apache-2.0")
		}
	}
	return nil
}
