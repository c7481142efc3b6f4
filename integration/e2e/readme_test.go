// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readmes are the same text in two languages.
var readmes = []string{"README.md", "README.zh-CN.md"}

// snippet is one block of code in a README.
type snippet struct {
	language string
	needs    string // what a comment before it says that it needs, often nothing
	code     string
}

var fence = regexp.MustCompile("(?ms)(?:^<!-- needs: (\\w+) -->\n)?^```(\\w+)\n(.*?)^```$")

func snippets(t *testing.T, file string) (list []snippet) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, match := range fence.FindAllStringSubmatch(string(text), -1) {
		list = append(list, snippet{needs: match[1], language: match[2], code: match[3]})
	}
	require.NotEmpty(t, list, file)
	return list
}

// TestReadmesHaveTheSameCode compares the snippets of both languages, but for comments, and the commands within the text.
func TestReadmesHaveTheSameCode(t *testing.T) {
	comment := regexp.MustCompile(`(?m)\s*# .*$`)
	command := regexp.MustCompile("`((?:make|build/bin/\\w+|scripts/[\\w.]+|go test) [^` ]+)")
	var code [2][]snippet
	var commands [2][]string
	for i, file := range readmes {
		file = filepath.Join("..", "..", file)
		code[i] = snippets(t, file)
		for s := range code[i] {
			code[i][s].code = comment.ReplaceAllString(code[i][s].code, "")
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range command.FindAllStringSubmatch(string(text), -1) {
			commands[i] = append(commands[i], match[1])
		}
		slices.Sort(commands[i])
	}
	require.Equal(t, code[0], code[1])
	require.NotEmpty(t, commands[0])
	require.Equal(t, commands[0], commands[1])
}

// TestReadmeNamesTargetsThatExist looks every "make TARGET" up among the rules of the Makefiles.
func TestReadmeNamesTargetsThatExist(t *testing.T) {
	files, err := filepath.Glob("../../scripts/make/*.mk")
	require.NoError(t, err)
	var rules strings.Builder
	for _, file := range append(files, "../../Makefile") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		rules.Write(text)
	}
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	names := regexp.MustCompile("(?m)(?:^|`)make ([a-z-]+)").FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, names)
	for _, name := range names {
		require.Regexp(t, `(?m)^`+name[1]+`:`, rules.String(), "README.md names it")
	}
}
