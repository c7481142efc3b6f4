// SPDX-License-Identifier: Apache-2.0

package flogging

import (
	"bytes"
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
		"with the fields of a call": {func(l *Logging) {
			l.ZapLogger(callsLogger).With(zap.String("grpc.method", "Broadcast")).Info("completed", zap.Stringer("grpc.code", codes.Unknown))
		}, true},
		"what an orderer refuses":    {func(l *Logging) { l.Logger("orderer.common.broadcast").Warningf("Error reading from %d", 1) }, true},
		"errors":                     {func(l *Logging) { l.Logger("gossip.comm").Errorf("Authentication failed") }, true},
		"what an orderer says else":  {func(l *Logging) { l.Logger("orderer.common.broadcast").Infof("news") }, false},
		"what nobody can cause":      {func(l *Logging) { l.Logger("orderer.consensus.etcdraft").Warningf("no leader") }, false},
		"warnings that end the node": {func(l *Logging) { require.Panics(t, func() { l.Logger("msp").Panicf("no MSP") }) }, false},
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
