// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// upstream is the folder of the pinned upstream module.
func upstream(t *testing.T) string {
	t.Helper()
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/hyperledger/fabric")
	list.Dir, list.Stderr = filepath.Join(root, "scripts", "fork"), t.Output()
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

var (
	inFolder = regexp.MustCompile(`^(bccsp|cmd|common|core|docker|docs|examples|gossip|integration|internal|msp|orderer|pkg|protoutil|sampleconfig|scripts)/[\w./*-]*$`)
	// inMSP is in the folder that holds an identity, not in the package msp.
	inMSP  = regexp.MustCompile(`^msp/(cacerts|signcerts|keystore|tlscacerts|crls|config\.yaml)$`)
	goFile = regexp.MustCompile(`^\w+\.go$`)
	// declared is a name of ours with the file that has it: `name` (`file.go`).
	declared = regexp.MustCompile("`(?:\\(?\\w+\\)?\\.)?(\\w+)` \\(`([\\w/]+\\.go)`\\)")
	nodeKey  = regexp.MustCompile(`^(peer|chaincode|operations|metrics|orderer|General|Operations|Admin|Kafka|BCCSP)(\.[a-zA-Z]+)+$`)
)

// TestNamedCode: files and folders that documents name are there, here or upstream, and files have the names that are said to
// are in them.
func TestNamedCode(t *testing.T) {
	theirs := upstream(t)
	goFiles := files(t, ".go")
	exists := func(name string) bool {
		for _, folder := range []string{root, theirs} {
			if found, err := filepath.Glob(filepath.Join(folder, filepath.FromSlash(name))); err == nil && len(found) > 0 {
				return true
			}
		}
		return false
	}
	checked := 0
	for _, name := range files(t, ".md") {
		text := fences.ReplaceAllString(read(t, name), "")
		for _, span := range code(text) {
			switch {
			case inFolder.MatchString(span) && !inMSP.MatchString(span):
				checked++
				if !exists(span) && !exists(path.Join(path.Dir(name), span)) {
					t.Errorf("%s names %s, which is neither here nor upstream", name, span)
				}
			case goFile.MatchString(span) && !strings.HasPrefix(name, "docs/differences"): // which name upstream's, by folder
				checked++
				if !slices.ContainsFunc(goFiles, func(file string) bool { return path.Base(file) == span }) {
					t.Errorf("%s names %s, and no file of ours is called so", name, span)
				}
			}
		}
		for _, match := range declared.FindAllStringSubmatch(text, -1) {
			checked++
			if !slices.ContainsFunc(goFiles, func(file string) bool {
				return strings.HasSuffix("/"+file, "/"+match[2]) &&
					regexp.MustCompile(`\b`+match[1]+`\b`).MatchString(read(t, file))
			}) {
				t.Errorf("%s says that %s stands in %s", name, match[1], match[2])
			}
		}
	}
	if checked < 50 {
		t.Fatalf("only %d names found", checked)
	}
}

// allKeys lists the keys of a sample configuration with all sections, ours and upstream's.
func allKeys(t *testing.T, file string) []string {
	t.Helper()
	var list []string
	for _, name := range []string{filepath.Join(root, "sampleconfig", file), filepath.Join(upstream(t), "sampleconfig", file)} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		var walk func(prefix string, node *yaml.Node)
		walk = func(prefix string, node *yaml.Node) {
			for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
				key := strings.TrimPrefix(prefix+"."+node.Content[i].Value, ".")
				list = append(list, key)
				walk(key, node.Content[i+1])
			}
		}
		walk("", doc.Content[0])
	}
	return list
}

// TestNamedKeys: keys of core.yaml and orderer.yaml that documents name exist, in whole or from some section on.
func TestNamedKeys(t *testing.T) {
	keys := slices.Concat(allKeys(t, "core.yaml"), allKeys(t, "orderer.yaml"),
		// Not in core.yaml: the peer command's settings for the orderer, which flags and the environment give.
		[]string{"orderer.tls.clientMode", "orderer.tls.gm.clientProtocol"})
	// What upstream reads and leaves out of its samples.
	peer, err := os.ReadFile(filepath.Join(upstream(t), "core", "peer", "config.go"))
	if err != nil {
		t.Fatal(err)
	}
	orderer, err := os.ReadFile(filepath.Join(upstream(t), "orderer", "common", "localconfig", "config.go"))
	if err != nil {
		t.Fatal(err)
	}
	unlisted := func(span string) bool {
		field := regexp.MustCompile(`(?m)^\t` + path.Ext(span)[1:] + `\s`)
		return strings.Contains(string(peer), `"`+span+`"`) || field.Match(orderer)
	}
	for _, row := range table(t, operationsGuide, "roles") {
		keys = append(keys, code(row[0])[0])
	}
	checked := 0
	for _, name := range files(t, ".md") {
		for _, span := range code(fences.ReplaceAllString(read(t, name), "")) {
			if !nodeKey.MatchString(span) || path.Ext(span) == ".yaml" || path.Ext(span) == ".go" {
				continue
			}
			checked++
			if !unlisted(span) && !slices.ContainsFunc(keys, func(key string) bool { return strings.HasSuffix("."+key, "."+span) }) {
				t.Errorf("%s names the key %s, which core.yaml and orderer.yaml do not have", name, span)
			}
		}
	}
	if checked < 50 {
		t.Fatalf("only %d keys found", checked)
	}
}

// TestDriftWalkThrough: what the guide shows of fork drift names entries of the lock.
func TestDriftWalkThrough(t *testing.T) {
	lock := read(t, "scripts/fork/lock.txt")
	entry := regexp.MustCompile(`(?m)^(?:same|changed|moved|gone) +((?:dropped|fields|file|replace|wrap) .+)$`)
	for _, guide := range []string{"docs/upgrading.md", "docs/upgrading.zh-CN.md"} {
		shown := entry.FindAllStringSubmatch(read(t, guide), -1)
		if len(shown) < 5 {
			t.Errorf("%s shows %d entries", guide, len(shown))
		}
		for _, match := range shown {
			if !strings.Contains(lock, "\n"+match[1]+" ") {
				t.Errorf("%s shows %q, which the lock does not have", guide, match[1])
			}
		}
	}
}
