// SPDX-License-Identifier: Apache-2.0

//fork:file perf: tests of lazy formatting

package flogging_test

import (
	"testing"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// counted counts how often it is formatted.
type counted struct{ n int }

func (c *counted) String() string {
	c.n++
	return "100%d"
}

func TestDebugFormatsWhatIsLogged(t *testing.T) {
	for level, want := range map[zapcore.Level][]string{zap.InfoLevel: nil, zap.DebugLevel: {"100%d  1 <nil> [2 3]", ""}} {
		core, logs := observer.New(level)
		logger := flogging.NewFabricLogger(zap.New(core, zap.AddCaller()))
		value := &counted{}
		logger.Debug(value, "", 1, nil, []int{2, 3})
		logger.Debug()
		var got []string
		for _, entry := range logs.All() {
			got = append(got, entry.Message)
			require.Contains(t, entry.Caller.File, "debug_gm_test.go")
		}
		require.Equal(t, want, got)
		require.Equal(t, len(want)/2, value.n)
	}
}
