// SPDX-License-Identifier: Apache-2.0

// Command fork lays this repository's files over a pinned upstream Fabric and writes the tree that is compiled.
//
// The repository holds only what differs from upstream. Whole files of ours are added; single declarations of upstream's
// are replaced, wrapped or extended by declarations of ours that carry a //fork: line; imports and expressions are
// substituted as fork.yaml files say; sample configuration is merged. A lock file guards every upstream text that the
// delta depends on. See docs/architecture.md.
//
// It never edits upstream's module cache, never goes around the go command's checksums, and writes nothing but the
// tree and, when asked to accept, the lock.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const usage = `usage: fork [-root folder] [-upstream name|folder|version] [-checkout folder] [-perf off] [-tree folder] command
commands:
  assemble       write the tree, build/fabric
  accept         the same, and record upstream's present texts in the lock
  check          check the lock for left-overs, go.mod's ignore directives, and the length of our files
  drift          compare the lock with upstream, per declaration: same, changed, moved, gone
  stat           print the size of the delta
  differences    write the list of changes and reasons into docs/differences.md; 'differences check' compares
  binaries       print the commands that are built, as folders of the tree
  folder         print the folder of upstream's unmodified files
  version        print upstream's version
  kits VERSION FOLDER   write the parts that others use as Go modules into FOLDER, a module proxy in files
  lint command   run a linter on our packages in build/fabric; only its words about our files count
  test           run our own tests in build/fabric
  test-upstream  run the upstream tests that the delta concerns in build/fabric
  record-tests   write the must-pass list that test-upstream compares with
`

func main() {
	root := flag.String("root", ".", "root of the repository")
	which := flag.String("upstream", "", "in place of the pin: a name of scripts/fork/upstreams, a checkout, or a module version")
	checkout := flag.String("checkout", "", "the folder of a checkout that holds the named upstream; it is verified against the recorded checksum")
	perf := flag.String("perf", "", "off leaves out what makes stock Fabric faster (class perf)")
	tree := flag.String("tree", defaultTree, "folder of the assembled tree, from the root")
	flag.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	flag.Parse()
	if err := run(*root, *which, *checkout, *tree, *perf, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "fork: %v\n", err)
		os.Exit(1)
	}
}

func run(root, which, checkout, tree, perf string, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("a command is needed\n%s", usage)
	}
	root, err := realFolder(root) // links in the tree are relative
	if err != nil {
		return err
	}
	up, err := openUpstream(filepath.Join(root, "scripts", "fork"), which, checkout)
	if err != nil {
		return err
	}
	up.tree = tree
	switch perf {
	case "", "on":
	case "off":
		up.noPerf = true
	default:
		return fmt.Errorf("PERF=%s: it is on or off", perf)
	}
	command, rest := args[0], args[1:]
	if up.noPerf && (command == "accept" || command == "check" || command == "differences") {
		return fmt.Errorf("%s concerns the whole delta; run it without PERF=off", command)
	}
	switch command {
	case "assemble":
		return runAssemble(os.Stdout, root, up)
	case "accept":
		upstreams := []*upstream{up}
		if which == "" {
			upstreams = append(upstreams, openOthers(os.Stdout, root)...)
		}
		return runAccept(os.Stdout, root, upstreams...)
	case "check":
		return runCheck(root, up)
	case "drift":
		return runDrift(os.Stdout, root, up)
	case "stat":
		return runStat(os.Stdout, root, up)
	case "differences":
		return runDifferences(root, up, len(rest) == 1 && rest[0] == "check")
	case "binaries":
		fmt.Println(strings.Join(up.spec.Binaries, " "))
		return nil
	case "folder":
		fmt.Println(up.dir)
		return nil
	case "version":
		fmt.Println(up.version())
		return nil
	case "kits":
		if len(rest) != 2 {
			return fmt.Errorf("kits takes the modules' version and the folder to write\n%s", usage)
		}
		return runKits(os.Stdout, root, rest[0], rest[1])
	case "lint":
		return runLint(os.Stdout, root, up, rest)
	case "test":
		return runOurTests(root, up, rest)
	case "test-upstream":
		return runUpstreamTests(os.Stdout, root, up, rest, false)
	case "record-tests":
		return runUpstreamTests(os.Stdout, root, up, rest, true)
	}
	return fmt.Errorf("unknown command %q\n%s", command, usage)
}

// defaultTree is where the assembled tree of the default stands. Other upstreams and PERF=off have separate trees in the same folder.
const defaultTree = "build/fabric"

// runAccept records the locks of the upstreams and writes the tree of the first. It changes no lock unless all of them assemble: a
// change of ours concerns all.
func runAccept(out io.Writer, root string, upstreams ...*upstream) error {
	all := make([]*assembly, len(upstreams))
	locks := make([]lock, len(upstreams))
	for i, up := range upstreams {
		var err error
		if all[i], err = assemble(root, up); err == nil {
			locks[i], err = all[i].touched.current()
		}
		if err != nil {
			return fmt.Errorf("no lock was changed, as upstream %s does not assemble:\n%w", up.name, err)
		}
	}
	for i, up := range upstreams {
		if err := locks[i].write(up.lockPath(root)); err != nil {
			return fmt.Errorf("writing the lock: %w", err)
		}
	}
	return all[0].finish(out)
}

// openOthers finds the upstreams other than the default. It leaves out what cannot be fetched here, and says so: 'make fork' for that
// upstream finds what its lock lacks.
func openOthers(out io.Writer, root string) []*upstream {
	toolDir := filepath.Join(root, "scripts", "fork")
	var all []*upstream
	for _, name := range knownUpstreams(toolDir) {
		up, err := openUpstream(toolDir, name, "")
		if err != nil {
			fmt.Fprintf(out, "fork: the lock of upstream %s stays as it was; with a checkout, 'make fork-accept UPSTREAM=%s CHECKOUT=folder' "+
				"records it: %v\n", name, name, err)
			continue
		}
		all = append(all, up)
	}
	return all
}

// treePath is the folder of the assembled tree.
func (u *upstream) treePath(root string) string {
	return filepath.Join(root, filepath.FromSlash(u.tree))
}

// runAssemble assembles and, if nothing is wrong, writes the tree.
func runAssemble(out io.Writer, root string, up *upstream) error {
	a, err := assemble(root, up)
	if err != nil {
		return err
	}
	return a.finish(out)
}

// finish compares the assembly with its lock and, if nothing is wrong, writes the tree.
func (a *assembly) finish(out io.Writer) error {
	l, err := readLock(a.up.lockPath(a.root))
	if err != nil {
		return err
	}
	var report problems
	if err := a.touched.check(l, a.up, &report); err != nil {
		return err
	}
	if err := report.err(); err != nil {
		return err
	}
	if err := a.up.verifyCache(); err != nil {
		return err
	}
	c, err := a.sync(a.up.treePath(a.root))
	if err != nil {
		return err
	}
	if !c.empty() {
		fmt.Fprintf(out, "fork: %d files written, %d removed in %s (upstream %s)\n", len(c.write), len(c.stale), a.up.tree, a.up.name)
	}
	return nil
}
