// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// Parts of the delta, as an assessor asks for them, in the order of the table.
const (
	partNodes    = "runs in peer and orderer"
	partCommands = "commands of Fabric, and other packages"
	partTool     = "gmtls, the operator's tool"
	partPlanner  = "consortium, for networks on several hosts"
	partDaemon   = "gmkeyd, the daemon of keys in devices"
	partKits     = "kits for applications and chaincode"
	partCA       = "Fabric CA"
	partHarness  = "networks, load and benchmarks"
	partOthers   = "what differs over other upstreams"
	partFork     = "assembler"
	partTests    = "tests"
)

var parts = []string{
	partNodes, partCommands, partTool, partPlanner, partDaemon, partKits, partCA, partOthers, partHarness, partFork, partTests,
}

// partPrefixes gives the parts that follow from a folder alone, the first that fits.
var partPrefixes = []struct{ prefix, part string }{
	{"cmd/gmtls/", partTool}, {"cmd/consortium/", partPlanner}, {"cmd/gmkeyd/", partDaemon}, {"pkg/", partKits}, {"ca/", partCA},
	{"integration/", partHarness}, {"examples/", partHarness}, {upstreamsFolder, partOthers}, {"scripts/", partFork},
}

// linesOf counts lines of Go by class.
type linesOf struct {
	files   int
	byClass map[class]int
}

// runStat prints the size of the delta: our Go by part and class, and what of upstream changes, by class.
func runStat(out io.Writer, root string, up *upstream) error {
	a, err := assemble(root, up)
	if err != nil {
		return err
	}
	sizes, err := a.sizes()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	columns := func(name string, cells ...any) {
		fmt.Fprintf(table, "%s\t", name)
		for _, c := range cells {
			fmt.Fprintf(table, "%v\t", c)
		}
		fmt.Fprintln(table)
	}
	columns("Go of ours", "files", "lines", classGM, classPerf, classFix)
	for _, part := range parts {
		if s := sizes[part]; s != nil {
			gm, perf, fix := s.byClass[classGM], s.byClass[classPerf], s.byClass[classFix]
			columns(part, s.files, gm+perf+fix, gm, perf, fix)
		}
	}
	columns("")
	columns("what of upstream changes", "", "entries", classGM, classPerf, classFix)
	entries := map[string]map[class]int{}
	for e := range a.touched.entries {
		label := statLabels[e.kind]
		if entries[label] == nil {
			entries[label] = map[class]int{}
		}
		entries[label][e.class]++
	}
	for _, label := range sortedKeys(entries) {
		e := entries[label]
		columns(label, "", e[classGM]+e[classPerf]+e[classFix], e[classGM], e[classPerf], e[classFix])
	}
	files, lines, err := a.upstreamSize()
	if err != nil {
		return err
	}
	columns("")
	columns("upstream's Go in the tree", files, lines)
	return table.Flush()
}

var statLabels = map[touchKind]string{
	touchKind(verbReplace): "declarations replaced",
	touchKind(verbWrap):    "declarations wrapped",
	touchKind(verbFields):  "structs extended",
	touchFile:              "substitutions, by file",
	touchDropped:           "files of replaced packages",
	touchYAML:              "configuration values set",
}

// sizes counts the lines of all Go files of the repository, those too that are not laid over.
func (a *assembly) sizes() (map[string]*linesOf, error) {
	all, err := candidates(a.root)
	if err != nil {
		return nil, err
	}
	inNodes, err := a.nodeFolders()
	if err != nil {
		return nil, err
	}
	sizes := map[string]*linesOf{}
	for _, name := range all {
		if path.Ext(name) != ".go" || strings.Contains(name, "/testdata/") {
			continue
		}
		counted, err := a.classLines(name)
		if err != nil {
			return nil, err
		}
		if counted == nil {
			continue
		}
		part := partOf(name, inNodes)
		if sizes[part] == nil {
			sizes[part] = &linesOf{byClass: map[class]int{}}
		}
		sizes[part].files++
		for c, n := range counted {
			sizes[part].byClass[c] += n
		}
	}
	return sizes, nil
}

// partOf names the part that a Go file belongs to.
func partOf(name string, inNodes map[string]bool) string {
	if strings.HasSuffix(name, "_test.go") {
		return partTests
	}
	if inNodes[path.Dir(name)] {
		return partNodes
	}
	for _, p := range partPrefixes {
		if strings.HasPrefix(name, p.prefix) {
			return p.part
		}
	}
	return partCommands
}

// nodeFolders lists the folders whose packages are linked into peer or orderer. It asks the go command, in the tree.
func (a *assembly) nodeFolders() (map[string]bool, error) {
	folders := map[string]bool{}
	var mains []string
	for _, node := range []string{"cmd/peer", "cmd/orderer"} {
		if a.files[node+"/main.go"] != nil {
			mains = append(mains, "./"+node)
		}
	}
	if len(mains) == 0 {
		return folders, nil
	}
	cmd := exec.Command("go", append([]string{"list", "-deps", "-f", "{{.ImportPath}}"}, mains...)...)
	cmd.Dir = a.up.treePath(a.root)
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking the go command what peer and orderer are made of: %w; run 'make fork' first", err)
	}
	for _, pkg := range strings.Fields(string(text)) {
		if rest, ok := strings.CutPrefix(pkg, a.up.spec.Module+"/"); ok {
			folders[rest] = true
		}
	}
	return folders, nil
}

// classLines counts the lines of one file of ours by class: a file that //fork:file marks counts as a whole, otherwise
// declarations with a directive count for its class and the rest for gm. It returns nil for a file that is gone.
func (a *assembly) classLines(name string) (map[class]int, error) {
	data, err := os.ReadFile(filepath.Join(a.root, filepath.FromSlash(name)))
	if os.IsNotExist(err) {
		return nil, nil // tracked, but deleted in the working tree
	}
	if err != nil {
		return nil, err
	}
	file, err := parseGo(name, data)
	if err != nil {
		return nil, err
	}
	counted := map[class]int{file.class(): strings.Count(string(data), "\n")}
	if file.class() != classGM {
		return counted, nil
	}
	var report problems // assemble has reported them
	for _, d := range directives(file, &report) {
		start, end := d.decl.span()
		n := strings.Count(string(data[start:end]), "\n") + 1
		if doc := d.decl.doc(); doc != nil {
			n += len(doc.List)
		}
		counted[classGM] -= n
		counted[d.class] += n
	}
	return counted, nil
}

// upstreamSize counts upstream's Go files in the tree and their lines.
func (a *assembly) upstreamSize() (files, lines int, err error) {
	for name, file := range a.files {
		if file.ours || path.Ext(name) != ".go" {
			continue
		}
		data, err := file.content()
		if err != nil {
			return 0, 0, err
		}
		files++
		lines += strings.Count(string(data), "\n")
	}
	return files, lines, nil
}
