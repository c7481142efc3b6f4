// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// verdict says how something that the delta depends on looks in another upstream.
type verdict string

const (
	same    verdict = "same"
	changed verdict = "changed"
	moved   verdict = "moved"
	gone    verdict = "gone"
)

// drifted is one line of a drift report.
type drifted struct {
	key     string
	verdict verdict
	to      string // where it moved
}

// drift compares every entry of the lock with the text of another upstream.
func drift(l lock, up *upstream) ([]drifted, error) {
	paths, err := up.files()
	if err != nil {
		return nil, err
	}
	s := &driftSearch{sources: paths, paths: sortedKeys(paths), imports: up.spec.importMap(), parsed: map[string]*goFile{}}
	var list []drifted
	for _, key := range sortedKeys(l) {
		kind, rest, _ := strings.Cut(key, " ")
		file, name, _ := strings.Cut(rest, " ")
		d := drifted{key: key}
		switch touchKind(kind) {
		case touchFile, touchDropped:
			d.verdict, d.to, err = s.file(file, l[key])
		case touchYAML:
			d.verdict, err = s.yaml(file, name, l[key])
		default:
			d.verdict, d.to, err = s.decl(file, name, l[key])
		}
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

type driftSearch struct {
	sources map[string]string // upstream's files on disk by their paths in the tree
	paths   []string          // the same paths, sorted
	imports map[string]string // see mapImports
	parsed  map[string]*goFile
}

func (s *driftSearch) read(name string) ([]byte, error) {
	if s.sources[name] == "" {
		return nil, fs.ErrNotExist
	}
	data, err := os.ReadFile(s.sources[name])
	return mapImports(name, data, s.imports), err
}

// goFiles parses the Go files of upstream that pick accepts. Files that do not parse are left out: upstream keeps
// broken ones as fixtures.
func (s *driftSearch) goFiles(pick func(name string) bool) ([]*goFile, error) {
	var list []*goFile
	for _, name := range s.paths {
		if path.Ext(name) != ".go" || !pick(name) {
			continue
		}
		if _, ok := s.parsed[name]; !ok {
			data, err := s.read(name)
			if err != nil {
				return nil, err
			}
			s.parsed[name], _ = parseGo(name, data)
		}
		if f := s.parsed[name]; f != nil {
			list = append(list, f)
		}
	}
	return list, nil
}

// decl looks for a declaration: in its file, in its folder, then by its text anywhere.
func (s *driftSearch) decl(file, name, hash string) (verdict, string, error) {
	places := []func(string) bool{
		func(n string) bool { return n == file },
		func(n string) bool { return path.Dir(n) == path.Dir(file) && n != file },
		func(n string) bool { return path.Dir(n) != path.Dir(file) },
	}
	for i, place := range places {
		files, err := s.goFiles(place)
		if err != nil {
			return "", "", err
		}
		for _, f := range files {
			for _, d := range f.decls() {
				if d.name.String() != name {
					continue
				}
				start, end := d.span()
				now, err := touch{file: f.path, text: f.src[start:end]}.hash()
				switch equal := now == hash; {
				case err != nil:
					return "", "", err
				case i == 0 && equal:
					return same, "", nil
				case i == 0:
					return changed, "", nil
				case i == 1 && !equal:
					return moved, f.path + " (and changed)", nil
				case equal:
					return moved, f.path, nil
				}
			}
		}
	}
	return gone, "", nil
}

// file looks for a file at its place, then for its text under any name.
func (s *driftSearch) file(name, hash string) (verdict, string, error) {
	if data, err := s.read(name); err == nil {
		now, err := touch{file: name, text: data}.hash()
		if err == nil && now == hash {
			return same, "", nil
		}
		return changed, "", err
	}
	for _, other := range s.paths {
		if path.Ext(other) != path.Ext(name) {
			continue
		}
		data, err := s.read(other)
		if err != nil {
			return "", "", err
		}
		if now, err := (touch{file: other, text: data}).hash(); err == nil && now == hash {
			return moved, other, nil
		}
	}
	return gone, "", nil
}

// yaml looks for a configuration key.
func (s *driftSearch) yaml(file, name, hash string) (verdict, error) {
	data, err := s.read(file)
	if err != nil {
		return gone, nil
	}
	node, err := yamlRoot(data)
	if err != nil {
		return "", fmt.Errorf("upstream's %s: %w", file, err)
	}
	keys := strings.Split(name, ".")
	for i, k := range keys {
		key, value := lookup(node, k)
		if key == nil {
			return gone, nil
		}
		if i < len(keys)-1 {
			node = value
			continue
		}
		lines := splitLines(data)
		text := strings.Join(lines[key.Line-1:entryEnd(lines, key.Line-1, key.Column-1)], "")
		if now, err := (touch{file: file, text: []byte(text)}).hash(); err != nil || now == hash {
			return same, err
		}
	}
	return changed, nil
}

// runDrift prints how each thing that the delta depends on looks in up, then what the delta itself would run into, and
// how to accept it. It is an error when anything differs.
func runDrift(out io.Writer, root string, up *upstream) error {
	l, err := readLock(up.driftLock(root))
	if err != nil {
		return err
	}
	list, err := drift(l, up)
	if err != nil {
		return err
	}
	count := map[verdict]int{}
	for _, d := range list {
		count[d.verdict]++
		line := fmt.Sprintf("%-8s %s", d.verdict, d.key)
		if d.to != "" {
			line += " -> " + d.to
		}
		fmt.Fprintln(out, line)
	}
	_, problem := assemble(root, up)
	if problem != nil {
		fmt.Fprintf(out, "\nLaying ours over %s would stop with:\n%v\n", up.name, problem)
	}
	fmt.Fprintf(out, "\n%d same, %d changed, %d moved, %d gone in %s (%s)\n", count[same], count[changed], count[moved], count[gone], up.name, up.dir)
	if count[same] == len(list) && problem == nil {
		return nil
	}
	fmt.Fprintf(out, "Review each against ours and adapt. To accept: set the version and its tag in scripts/fork/go.mod "+
		"(go get %s@VERSION there), then run 'make fork-accept'.\n", upstreamModule)
	return fmt.Errorf("upstream %s differs in what this delta depends on", up.name)
}
