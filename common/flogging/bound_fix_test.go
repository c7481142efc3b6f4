// SPDX-License-Identifier: Apache-2.0

package flogging

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"

	"github.com/hyperledger/fabric/common/loglimit"
)

// TestStrangersCannotFillTheLog: of lines that strangers cause a bounded number is written; all others are.
func TestStrangersCannotFillTheLog(t *testing.T) {
	const flood = 4 * loglimit.Burst
	for name, test := range map[string]struct {
		write   func(l *Logging)
		bounded bool
	}{
		"calls that are reset": {func(l *Logging) {
			l.ZapLogger(callsLogger).Info("streaming call completed", zap.Stringer("grpc.code", codes.Canceled))
		}, true},
		"calls that are answered": {func(l *Logging) {
			l.ZapLogger(callsLogger).Info("streaming call completed", zap.Stringer("grpc.code", codes.OK))
		}, false},
		"calls that are refused in an answer": {func(l *Logging) {
			l.ZapLogger(callsLogger).Info("streaming call completed", zap.Error(errors.New("refused")), zap.Stringer("grpc.code", codes.OK))
		}, true},
		"with the fields of a call": {func(l *Logging) {
			l.ZapLogger(callsLogger).With(zap.String("grpc.method", "Broadcast")).Info("completed", zap.Stringer("grpc.code", codes.Unknown))
		}, true},
		"what an orderer refuses":     {func(l *Logging) { l.Logger("orderer.common.broadcast").Warningf("Error reading from %d", 1) }, true},
		"whose signature is nobody's": {func(l *Logging) { l.Logger("orderer.common.msgprocessor").Warnw("SigFilter evaluation failed") }, true},
		"rights that nobody has":      {func(l *Logging) { l.Logger("aclmgmt").Warnw("EvaluateSignedData policy check failed") }, true},
		"peers that nobody knows":     {func(l *Logging) { l.Logger("peer.gossip.mcs").Errorf("Failed getting validated identity") }, true},
		"what a gateway passes on":    {func(l *Logging) { l.Logger("gateway").Infow("Sending transaction to orderer") }, true},
		"errors":                      {func(l *Logging) { l.Logger("gossip.comm").Errorf("Authentication failed") }, true},
		"what an orderer says else":   {func(l *Logging) { l.Logger("orderer.common.broadcast").Infof("news") }, false},
		"what nobody can cause":       {func(l *Logging) { l.Logger("orderer.consensus.etcdraft").Warningf("no leader") }, false},
		"warnings that end the node":  {func(l *Logging) { require.Panics(t, func() { l.Logger("msp").Panicf("no MSP") }) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			l, err := New(Config{Writer: &out})
			require.NoError(t, err)
			for range flood {
				test.write(l)
			}
			written := strings.Count(out.String(), "\n")
			if test.bounded {
				require.Less(t, written, 2*loglimit.Burst)
				return
			}
			require.GreaterOrEqual(t, written, flood)
		})
	}
}

// TestFloodsHideNoOthers: a flood of one line leaves room for the other lines of its logger.
func TestFloodsHideNoOthers(t *testing.T) {
	var out bytes.Buffer
	l, err := New(Config{Writer: &out})
	require.NoError(t, err)
	logger := l.Logger("common.deliver")
	for range 4 * loglimit.Burst {
		logger.Warning("noise")
	}
	logger.Warning("news")
	require.Contains(t, out.String(), "news")
}

// TestNobodyForgesLines: a name that a stranger chose is in a message as it is, and makes no second entry of the log.
func TestNobodyForgesLines(t *testing.T) {
	forged := "2026-11-29 10:00:00.000 UTC 0007 INFO [audit] Record -> security event n=8 event=change-done operator=CN=nobody"
	name := "none\n" + forged + "\r\x1b[2K\u009b\x9bend"
	for _, format := range []string{"%{message}", "json", "logfmt"} {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			l, err := New(Config{Writer: &out, Format: format})
			require.NoError(t, err)
			l.Logger("endorser").Warnf("MSP %s is unknown", name)
			l.Logger("endorser").Warnw("access denied", "error", name)
			l.ZapLogger("endorser").With(zap.String("channel", name)).Warn("access denied")
			l.Logger("node").Infof("8-bit: \x9b2K")
			l.Logger("node").Infof("three lines:\n\tone\ttab\nand 中文\n")
			for _, line := range strings.Split(out.String(), "\n") {
				require.NotRegexp(t, `^2026-11-29`, line)
				require.NotContains(t, line, "\r")
				require.NotContains(t, line, "\x1b")
			}
			require.Contains(t, out.String(), "and 中文")
			if format == "%{message}" {
				require.Contains(t, out.String(), "MSP none\n\t"+forged+`\u000d\u001b[2K\u009b\x9bend is unknown`+"\n")
				require.Contains(t, out.String(), `8-bit: \x9b2K`)
				require.Contains(t, out.String(), "three lines:\n\t\tone\ttab\n\tand 中文\n")
			}
		})
	}
}

// TestStrangersCannotWriteLongLines: a request may have as many bytes as a message, its line may not.
func TestStrangersCannotWriteLongLines(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, format := range []string{"", "json", "logfmt"} {
		var out bytes.Buffer
		l, err := New(Config{Writer: &out, Format: format})
		require.NoError(t, err)
		l.Logger("endorser").Warnf("MSP %s is unknown", long)
		l.Logger("endorser").Warnw("access denied", "error", errors.New(long), "identity", long)
		l.Logger("endorser").With("channel", long).Warn("access denied")
		l.ZapLogger(callsLogger).With(zap.String("grpc.method", long)).Info("completed", zap.Error(errors.New(long)), zap.Stringer("grpc.code", codes.Unknown))
		require.Equal(t, 4, strings.Count(out.String(), "\n"))
		require.Less(t, out.Len(), 10*loglimit.MaxText)
		require.Contains(t, out.String(), "bytes)")
		out.Reset()
		l.Logger("node").Infof("a long dump: %s", long)
		require.Greater(t, out.Len(), len(long))
	}
}

// TestLoggersThatStrangersReach: of each logger that writes of what nobody has vouched for yet, warnings and errors are bounded.
func TestLoggersThatStrangersReach(t *testing.T) {
	for _, name := range []string{
		"aclmgmt", "cauthdsl", "common.deliver", "discovery", "endorser", "gateway", "gossip.comm", "msp", "msp.identity", "nodeCmd",
		"orderer.common.broadcast", "orderer.common.cluster", "orderer.common.msgprocessor", "peer.gossip.mcs", "policies", "policy", "protoutils",
	} {
		var out bytes.Buffer
		l, err := New(Config{Writer: &out})
		require.NoError(t, err)
		for range 4 * loglimit.Burst {
			l.Logger(name).Warnf("refused")
			l.Logger(name).Errorf("refused")
		}
		require.Less(t, strings.Count(out.String(), "\n"), 4*loglimit.Burst, name)
	}
}

// absent is an error whose nil pointer cannot be asked for its text.
type absent struct{ text string }

func (a *absent) Error() string { return a.text }

// TestErrorsThatAreNil: a line with a nil pointer as its error is written, or left out, and ends nothing.
func TestErrorsThatAreNil(t *testing.T) {
	l, err := New(Config{Writer: &bytes.Buffer{}})
	require.NoError(t, err)
	require.NotPanics(t, func() { l.Logger("endorser").Warnw("access denied", "error", (*absent)(nil)) })
}
