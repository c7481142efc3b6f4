// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the files in testdata/golden")

// What differs from run to run: times, sizes of what holds signatures, keys.
var varying = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(` +\d+\.\dms`), " #ms"},
	{regexp.MustCompile(`<-+( \S+ )\d+ B -`), "<--${1}# B -"},
	{regexp.MustCompile(`-( \S+ )\d+ B -+>`), "-${1}# B -->"},
	{regexp.MustCompile(`TLS 1\.3, \d+ suites`), "TLS 1.3, # suites"},
	{regexp.MustCompile(`(sha256 +|"sha256": ")[0-9a-f]{64}`), "${1}#"},
	{regexp.MustCompile(`("serial": ")[0-9a-f]+`), "${1}#"},
	{regexp.MustCompile(`("(?:\w+_ns|bytes|days_left)": )\d+`), "${1}0"},
	{regexp.MustCompile(`\d+ days left`), "# days left"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?`), "DATE"},
	{regexp.MustCompile(`(?m)^\d+ packets`), "# packets"},
	{regexp.MustCompile(`"packets": \d+`), `"packets": 0`},
	{regexp.MustCompile(`key id [0-9a-f]{40}`), "key id #"},
	{regexp.MustCompile(`CLIENT_RANDOM [0-9a-f]+`), "CLIENT_RANDOM #"},
}

// leveled is a text without what differs from run to run. The port comes last: its digits may be among those of a hash.
func leveled(text, port string) string {
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.with)
	}
	if port != "" {
		text = strings.ReplaceAll(text, ":"+port, ":PORT")
	}
	return text
}

// TestPortInHash: a hash with the digits of the port is leveled as any other.
func TestPortInHash(t *testing.T) {
	hash := strings.Repeat("40123", 12) + "abcd"
	require.Equal(t, "127.0.0.1:PORT\nsha256 #\nkey id #\n", leveled("127.0.0.1:40123\nsha256 "+hash+"\nkey id "+hash[:40]+"\n", "40123"))
}

// golden compares what the last command wrote to standard output, as a whole,
// with a file in testdata/golden: "golden FILE".
func golden(ts *testscript.TestScript, neg bool, args []string) {
	text := leveled(ts.ReadFile("stdout"), ts.Getenv("PORT"))
	name := filepath.Join(ts.Value("golden").(string), args[0])
	if *update {
		check(ts, os.MkdirAll(filepath.Dir(name), 0o755))
		check(ts, os.WriteFile(name, []byte(text), 0o644))
	}
	want, err := os.ReadFile(name)
	check(ts, err)
	require.Equal(failing{ts}, string(want), text, "go test ./cmd/gmtls/internal/cli -update rewrites %s", args[0])
}

// failing lets a script fail by an assertion.
type failing struct{ ts *testscript.TestScript }

func (f failing) Errorf(format string, args ...any) { f.ts.Fatalf(format, args...) }
func (f failing) FailNow()                          { f.ts.Fatalf("it differs") }
