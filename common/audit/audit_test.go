// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/stretchr/testify/require"
)

func TestNumbersHaveNoGap(t *testing.T) {
	logger, recorder := floggingtest.NewTestLogger(t)
	l := &Log{write: logger.Infow}
	var wg sync.WaitGroup
	for range 50 {
		wg.Add(1)
		go func() { defer wg.Done(); l.Record(ReloadDone, "by", "SIGHUP") }()
	}
	wg.Wait()
	lines := recorder.Messages()
	require.Len(t, lines, 50)
	for i, entry := range recorder.Entries() {
		require.Contains(t, entry, "n="+strconv.Itoa(i+1)+" event=reload-done by=SIGHUP")
	}
}

// TestEventsAreDocumented compares the constants and their fields with the tables of docs/operations, and sees to it that each is
// recorded somewhere. In the assembled tree, where this runs, the documents lie beside the build folder.
func TestEventsAreDocumented(t *testing.T) {
	source, err := os.ReadFile("audit.go")
	require.NoError(t, err)
	var want []string
	for _, m := range regexp.MustCompile(`Event = "([a-z-]+)" +// (.*)`).FindAllSubmatch(source, -1) {
		var fields []string
		for _, f := range strings.Split(string(m[2]), ", ") {
			fields = append(fields, "`"+f+"`")
		}
		want = append(want, "| `"+string(m[1])+"` | "+strings.Join(fields, ", ")+" |")
	}
	require.Len(t, want, 7)
	var callers string
	for _, pattern := range []string{"*.go", "*/*.go"} {
		names, err := filepath.Glob(filepath.Join("..", "..", "internal", "pkg", "comm", pattern))
		require.NoError(t, err)
		for _, name := range names {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			callers += string(text)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+) +Event = `).FindAllSubmatch(source, -1) {
		require.Contains(t, callers, "audit.Record(audit."+string(m[1])+",", "nobody records it")
	}
	for _, name := range []string{"operations.md", "operations.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", name))
		require.NoError(t, err)
		for _, row := range want {
			require.Contains(t, string(text), row, name)
		}
	}
}
