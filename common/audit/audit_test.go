// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/common/crypto/randomness"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/stretchr/testify/require"
)

// TestNobodySilencesEvents sets specifications by which ordinary loggers of the name are silent, in each format.
func TestNobodySilencesEvents(t *testing.T) {
	defer flogging.Reset()
	var out bytes.Buffer
	ordinary := flogging.MustGetLogger("audit")
	for _, spec := range []string{"error", "fatal", "audit=fatal", "info:audit=panic"} {
		for _, format := range []string{"", "json", "logfmt"} {
			out.Reset()
			require.NoError(t, flogging.Global.Apply(flogging.Config{LogSpec: spec, Format: format, Writer: &out}))
			ordinary.Infow("silenced")
			require.Empty(t, out.String(), spec)
			Record(ReloadDone, "by", "SIGHUP")
			Bounded(AddressRefused, "address", "192.0.2.1")
			for _, want := range []string{"reload-done", "SIGHUP", "address-refused", "192.0.2.1", "security event"} {
				require.Contains(t, out.String(), want, "%s %s", spec, format)
			}
			require.Equal(t, 2, bytes.Count(out.Bytes(), []byte("\n")))
		}
	}
	out.Reset()
	require.NoError(t, flogging.Global.Apply(flogging.Config{LogSpec: "fatal", Writer: &out}))
	alwaysLogger("audit").With("part", "one").Infow("with a part")
	require.Contains(t, out.String(), "part=one")
}

func TestNumbersHaveNoGap(t *testing.T) {
	logger, recorder := floggingtest.NewTestLogger(t)
	l := NewLog(logger.Infow)
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

// TestWhatStrangersCauseIsBounded floods one event: its lines end at the bound, other events continue, and the end of the window says how
// many were left out.
func TestWhatStrangersCauseIsBounded(t *testing.T) {
	logger, recorder := floggingtest.NewTestLogger(t)
	var ends []func()
	l := NewLog(logger.Infow)
	l.after = func(_ time.Duration, end func()) *time.Timer { ends = append(ends, end); return nil }
	computed := 0
	for range perWindow + 7 {
		l.Bounded(AddressRefused, "address", func() string { computed++; return "192.0.2.1" })
	}
	require.Len(t, recorder.Entries(), perWindow)
	require.Contains(t, recorder.Entries()[0], "address=192.0.2.1")
	require.Equal(t, perWindow, computed, "what is not written costs nothing")
	l.Bounded(IdentityRefused, "reason", func() string { return strings.Repeat("x", 10*maxValue) })
	require.Less(t, len(recorder.Entries()[perWindow]), 2*maxValue)
	l.Record(ReloadDone, "by", "SIGHUP")
	require.Len(t, ends, 2)
	for _, end := range ends {
		end()
	}
	require.Len(t, recorder.Entries(), perWindow+3, "a window without loss ends silently")
	require.Contains(t, recorder.Entries()[perWindow+2], "n="+strconv.Itoa(perWindow+3)+" event=left-out of=address-refused events=7")
	l.Bounded(AddressRefused, "address", "192.0.2.1")
	require.Len(t, recorder.Entries(), perWindow+4, "the next window is open")
	require.Len(t, ends, 3)
}

// TestDeviceKeysAreRecorded calls what the client of the key daemon calls.
func TestDeviceKeysAreRecorded(t *testing.T) {
	logger, recorder := floggingtest.NewTestLogger(t)
	defer Use(Use(NewLog(logger.Infow)))
	keyd.OnUse("pkcs11:object=peer", "/run/gmkeyd.sock")
	keyd.OnFailure("pkcs11:object=peer", "/run/gmkeyd.sock", errors.New("no session"))
	require.Contains(t, strings.Join(recorder.Entries(), "\n"), "event=device-key-used key=\"pkcs11:object=peer\" socket=/run/gmkeyd.sock")
	require.Contains(t, strings.Join(recorder.Entries(), "\n"), "event=device-key-failed key=\"pkcs11:object=peer\" socket=/run/gmkeyd.sock reason=\"no session\"")
}

// TestFailingSelfTestIsRecorded calls what the self-test at start calls before the process ends.
func TestFailingSelfTestIsRecorded(t *testing.T) {
	logger, recorder := floggingtest.NewTestLogger(t)
	defer Use(Use(NewLog(logger.Infow)))
	gm.OnFailure(errors.New("SM3 is wrong"))
	require.Len(t, recorder.Entries(), 1)
	require.Contains(t, recorder.Entries()[0], "n=1 event=self-test-failed operator= reason=\"SM3 is wrong\"")
}

// TestFailingGeneratorIsRecorded has a monitor of random bytes notice a constant source.
func TestFailingGeneratorIsRecorded(t *testing.T) {
	logger, recorder := floggingtest.NewTestLogger(t)
	defer Use(Use(NewLog(logger.Infow)))
	m := randomness.NewMonitor(bytes.NewReader(make([]byte, 100)))
	_, err := m.Read(make([]byte, 32))
	require.ErrorIs(t, err, randomness.ErrRepeats)
	_, err = m.Read(make([]byte, 32))
	require.ErrorIs(t, err, randomness.ErrRepeats)
	require.Len(t, recorder.Entries(), 1)
	require.Contains(t, recorder.Entries()[0], "event=random-failed reason=\"random bytes repeat: nine in a row are equal\"")
}

// TestEventsAreDocumented compares the constants and their fields with the tables of docs/operations, and sees to it that each is
// recorded somewhere, with these fields. In an assembled tree, where this runs, the repository lies two folders up.
func TestEventsAreDocumented(t *testing.T) {
	root := filepath.Join("..", "..", "..", "..")
	source, err := os.ReadFile("audit.go")
	require.NoError(t, err)
	calls := callsBelow(t, root, "ca", "common", "core", "discovery", "internal", "msp", "orderer")
	events := regexp.MustCompile(`(?m)^\t(\w+) +Event = "([a-z-]+)" +// (.*)$`).FindAllStringSubmatch(string(source), -1)
	require.Len(t, events, strings.Count(string(source), "Event = \""))
	for _, event := range events {
		constant, name, fields := event[1], event[2], strings.Split(event[3], ", ")
		require.NotEmpty(t, calls[constant], "nobody records it: %s", name)
		for _, call := range calls[constant] {
			require.Equal(t, fields, call, name)
		}
		row := "| `" + name + "` | `" + strings.Join(fields, "`, `") + "` |"
		for _, document := range []string{"operations.md", "operations.zh-CN.md"} {
			text, err := os.ReadFile(filepath.Join(root, "docs", document))
			require.NoError(t, err)
			require.Contains(t, string(text), row, document)
		}
	}
}

// callsBelow returns the names of the fields of each call that records an event, by the event's constant.
func callsBelow(t *testing.T, root string, folders ...string) map[string][][]string {
	call := regexp.MustCompile(`(?s)(?:Record|Bounded)\((?:audit\.)?([A-Z]\w+), (.*?)\)\n|recordLocked\((LeftOut), \[\]any\{(.*?)\}\)\n`)
	name := regexp.MustCompile(`(?:^|, |,\n\t+)"([a-z-]+)", `)
	all := make(map[string][][]string)
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range call.FindAllStringSubmatch(string(text), -1) {
				var fields []string
				for _, f := range name.FindAllStringSubmatch(m[2]+m[4], -1) {
					fields = append(fields, f[1])
				}
				all[m[1]+m[3]] = append(all[m[1]+m[3]], fields)
			}
			return err
		})
		require.NoError(t, err)
	}
	return all
}
