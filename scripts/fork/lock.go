// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"sort"
	"strings"
)

// touchKind says in which way the delta depends on something of upstream's.
type touchKind string

const (
	touchFile    touchKind = "file"    // a file that we substitute in
	touchDropped touchKind = "dropped" // a file of a replaced package
	touchYAML    touchKind = "yaml"    // a configuration value that ours takes the place of
)

// touch is one thing of upstream's that the delta depends on. For declarations the kind is the directive's verb.
type touch struct {
	kind       touchKind
	file       string // upstream's file
	name       string // declaration, or path of a YAML key; empty for whole files
	class      class  // what the change is for
	constraint string // the file's build constraint, to tell twins apart in messages
	where      string // file:line of ours
	text       []byte // upstream's text
}

// key identifies a touch in the lock.
func (t touch) key() string {
	if t.name == "" {
		return string(t.kind) + " " + t.file
	}
	return string(t.kind) + " " + t.file + " " + t.name
}

// hash returns the digest of the touch's text: of its Go tokens where it is Go, so that comments and layout may
// change freely, else of its bytes.
func (t touch) hash() (string, error) {
	text := string(t.text)
	if path.Ext(t.file) == ".go" {
		var err error
		if text, err = normalised(t.text); err != nil {
			return "", fmt.Errorf("upstream's %s: %w", t.file, err)
		}
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16]), nil
}

// touches is the set of everything the delta depends on.
type touches struct {
	byKey   map[string]touch
	entries map[entry]bool
}

// entry is one change that ours asks for. Entries of two classes may touch one file of upstream's.
type entry struct {
	kind       touchKind
	class      class
	file, name string
	where      string
}

func newTouches() *touches { return &touches{byKey: map[string]touch{}, entries: map[entry]bool{}} }

func (t *touches) add(one touch) {
	t.entries[entry{one.kind, one.class, one.file, one.name, one.where}] = true
	if _, ok := t.byKey[one.key()]; !ok {
		t.byKey[one.key()] = one
	}
}

// lock is the committed record of the upstream texts that the delta was reviewed against: a hash for each key.
type lock map[string]string

const lockHeader = `# What of upstream this delta depends on, with a hash of the text it was reviewed against.
# Written by 'make fork-accept'; one line each, in any order. Merge by keeping the lines of both sides.
`

// readLock reads a lock file. A missing file is an empty lock.
func readLock(name string) (lock, error) {
	data, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return lock{}, nil
	}
	if err != nil {
		return nil, err
	}
	l := lock{}
	lines := bufio.NewScanner(strings.NewReader(string(data)))
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		key, hash, ok := cutLast(text)
		if old, twice := l[key]; !ok || twice && old != hash {
			return nil, fmt.Errorf("%s:%d: %q is no lock line, or contradicts an earlier one; run 'make fork-accept' and review the difference", name, n, text)
		}
		l[key] = hash
	}
	return l, lines.Err()
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// current returns the lock that describes these touches.
func (t *touches) current() (lock, error) {
	l := lock{}
	for key, one := range t.byKey {
		hash, err := one.hash()
		if err != nil {
			return nil, err
		}
		l[key] = hash
	}
	return l, nil
}

// write stores the lock, sorted, when it differs from what is on disk.
func (l lock) write(name string) error {
	lines := make([]string, 0, len(l))
	for key, hash := range l {
		lines = append(lines, key+" "+hash+"\n")
	}
	sort.Strings(lines)
	text := lockHeader + strings.Join(lines, "")
	if old, err := os.ReadFile(name); err == nil && string(old) == text {
		return nil
	}
	return os.WriteFile(name, []byte(text), 0o644)
}

// check compares the touches with a lock and reports what the lock does not cover.
func (t *touches) check(l lock, up *upstream, report *problems) error {
	now, err := t.current()
	if err != nil {
		return err
	}
	for key, one := range t.byKey {
		label := strings.TrimSpace(one.file + " " + one.name)
		switch {
		case l[key] == "":
			report.add(one.where, "upstream's %s is not in the lock; read it, then run 'make fork-accept%s'", label, up.makeFlag())
		case l[key] != now[key]:
			report.add(one.where, "upstream's %s differs in %s from what this was written against; review it with 'make fork-drift', "+
				"adapt ours, then run 'make fork-accept%s'", label, up.name, up.makeFlag())
		}
	}
	return nil
}
