// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var (
	fences = regexp.MustCompile("(?ms)^```.*?^```$\n?")
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	head   = regexp.MustCompile(`(?m)^(#+) (.*)$`)
	bold   = regexp.MustCompile(`\*\*[a-z-]+\*\*`)
	number = regexp.MustCompile(`^\| \d+ \|`)
	fence  = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
)

// anchor is the name under which a heading can be linked to.
func anchor(heading string) string {
	var out strings.Builder
	for _, r := range strings.ToLower(strings.ReplaceAll(heading, "`", "")) {
		switch {
		case r == ' ':
			out.WriteRune('-')
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			out.WriteRune(r)
		}
	}
	return out.String()
}

func anchors(text string) []string {
	var list []string
	for _, match := range head.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
		list = append(list, anchor(match[2]))
	}
	return list
}

func TestLinks(t *testing.T) {
	links := 0
	for _, name := range files(t, ".md") {
		text := fences.ReplaceAllString(read(t, name), "")
		for _, match := range link.FindAllStringSubmatch(inCode.ReplaceAllString(text, ""), -1) {
			target, fragment, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			links++
			file := name
			if target != "" {
				file = path.Join(path.Dir(name), target)
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(file))); err != nil {
				t.Errorf("%s links to %s: %v", name, match[1], err)
				continue
			}
			if fragment != "" && !slices.Contains(anchors(read(t, file)), fragment) {
				t.Errorf("%s links to %s: %s has no such heading", name, match[1], file)
			}
		}
	}
	if links == 0 {
		t.Fatal("no links found")
	}
}

// form is what two languages of a document have in common: levels of headings, code without comments, what is code or a name in bold in each
// row of a table (keys, defaults, examples, causes, in whatever order the sentence has), and its number, targets of links.
func form(text string) (headings, blocks, cells, links []string) {
	for _, match := range head.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
		headings = append(headings, match[1])
	}
	comment := regexp.MustCompile(`(?m)\s+# .*$`)
	for _, match := range fence.FindAllStringSubmatch(text, -1) {
		if match[1] != "" { // drawings are translated
			blocks = append(blocks, match[1]+"\n"+comment.ReplaceAllString(match[2], ""))
		}
	}
	for line := range strings.Lines(fences.ReplaceAllString(text, "")) {
		if strings.HasPrefix(line, "|") {
			spans := slices.Concat(code(line), bold.FindAllString(line, -1), number.FindAllString(line, -1))
			slices.Sort(spans)
			cells = append(cells, strings.Join(spans, " "))
		}
	}
	for _, match := range link.FindAllStringSubmatch(text, -1) {
		target, _, _ := strings.Cut(strings.Replace(match[1], ".zh-CN.md", ".md", 1), "#")
		links = append(links, target)
	}
	return headings, blocks, cells, links
}

// at returns an element, or a mark that there is none.
func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(nothing)"
}

func TestLanguagesAgree(t *testing.T) {
	pairs := 0
	for _, chinese := range files(t, ".zh-CN.md") {
		english := strings.TrimSuffix(chinese, ".zh-CN.md") + ".md"
		pairs++
		h1, b1, c1, l1 := form(read(t, english))
		h2, b2, c2, l2 := form(read(t, chinese))
		for what, both := range map[string][2][]string{"headings": {h1, h2}, "code": {b1, b2}, "table rows": {c1, c2}, "links": {l1, l2}} {
			for i := range max(len(both[0]), len(both[1])) {
				a, b := at(both[0], i), at(both[1], i)
				if a != b {
					t.Errorf("%s and %s differ in %s, at number %d:\n%s\n%s", english, chinese, what, i+1, a, b)
					break
				}
			}
		}
	}
	if pairs == 0 {
		t.Fatal("no Chinese documents found")
	}
}

// TestChineseLinks: a Chinese document leads on to Chinese ones where there are some.
func TestChineseLinks(t *testing.T) {
	const ending = ".zh-CN.md"
	for _, name := range files(t, ending) {
		for _, match := range link.FindAllStringSubmatch(fences.ReplaceAllString(read(t, name), ""), -1) {
			target, _, _ := strings.Cut(match[1], "#")
			if !strings.HasSuffix(target, ".md") || strings.HasSuffix(target, ending) || strings.Contains(target, "://") {
				continue
			}
			chinese := strings.TrimSuffix(path.Join(path.Dir(name), target), ".md") + ending
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(chinese))); err == nil && chinese != name {
				t.Errorf("%s links to %s, of which there is %s", name, match[1], chinese)
			}
		}
	}
}

// TestCommandsExist: make targets, scripts and binaries that the documents name are there.
func TestCommandsExist(t *testing.T) {
	targets := map[string]bool{}
	for _, name := range append([]string{"Makefile"}, files(t, ".mk")...) {
		for _, match := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):([^=]|$)`).FindAllStringSubmatch(read(t, name), -1) {
			targets[match[1]] = true
		}
	}
	command := regexp.MustCompile(`(?m)(?:^|` + "`" + `|&& |; |"\$\()(make(?: [a-zA-Z_=<'./*-][^\s` + "`" + `]*)+|(?:scripts|build/bin)/[\w./-]+)`)
	found := 0
	for _, name := range files(t, ".md") {
		for _, match := range command.FindAllStringSubmatch(read(t, name), -1) {
			words := strings.Fields(match[1])
			if words[0] != "make" {
				if strings.HasPrefix(words[0], "scripts/") {
					found++
					if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(strings.TrimRight(words[0], ".")))); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				continue
			}
			for _, word := range words[1:] {
				if strings.ContainsAny(word, "='") {
					break
				}
				found++
				if !targets[word] {
					t.Errorf("%s names 'make %s', and there is no such target", name, word)
				}
			}
		}
	}
	if found < 10 {
		t.Fatalf("only %d commands found", found)
	}
}
