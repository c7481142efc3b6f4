// SPDX-License-Identifier: Apache-2.0

//fork:file perf: tests of lazy encoding

package flogging

import (
	"bytes"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// number is the number of a line, which continues from one line to the next.
var number = regexp.MustCompile(`n=\d+ `)

// Lines are byte for byte those of upstream's core, in every encoding, with fields of every kind in any order.
func TestContextIsLoggedAsUpstreamLogsIt(t *testing.T) {
	type pair struct{ A, B int }
	kinds := []zapcore.Field{
		zap.String("string", "a \"b\"\n"), zap.Bool("bool", true), zap.Duration("duration", time.Second), zap.Int("int", -1),
		zap.Uint8("uint8", 255), zap.Time("time", time.Unix(1, 2).UTC()), zap.Skip(), zap.Float64("float", 0.5),
		zap.Stringer("stringer", time.Minute), zap.Error(errors.New("failure")), zap.Any("struct", pair{1, 2}),
		zap.ByteString("bytes", []byte("x")), zap.Strings("strings", []string{"a", "b"}), zap.String("string", "again"),
		zap.Namespace("space"), zap.String("inside", "space"),
	}
	for _, format := range []string{"json", "logfmt", "n=%{id} %{level} %{module} %{message}"} {
		var out [2]bytes.Buffer
		for i := range out {
			logging, err := New(Config{Format: format, LogSpec: "debug", Writer: &out[i]})
			require.NoError(t, err)
			logger := logging.ZapLogger("module").WithOptions(zap.WithCaller(false), zap.WithClock(still{}))
			if i == 0 { // as upstream makes it
				logger = logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return core.(contextCore).Core }))
			}
			for first := range kinds {
				l := logger
				for _, field := range append(kinds[first:], kinds[:first]...) {
					l = l.With(field)
					l.Info("message", zap.String("own", "field"))
					l.Debug("message")
				}
				l.Named("below").With(kinds[first:]...).Warn("message")
			}
		}
		want, got := out[0].String(), out[1].String()
		if format[0] == 'n' {
			want, got = number.ReplaceAllString(want, ""), number.ReplaceAllString(got, "")
		}
		require.NotEmpty(t, want)
		require.Equal(t, want, got)
	}
}

// still is a clock that stands.
type still struct{}

func (still) Now() time.Time                       { return time.Unix(1700000000, 0).UTC() }
func (still) NewTicker(time.Duration) *time.Ticker { return nil }

// Loggers that share an ancestor do not share fields.
func TestContextsDoNotMeet(t *testing.T) {
	var out bytes.Buffer
	logging, err := New(Config{Format: "%{message}", LogSpec: "info", Writer: &out})
	require.NoError(t, err)
	parent := logging.Logger("module").With("a", 1, "b", 2, "c", 3)
	one, two := parent.With("d", 1), parent.With("d", 2)
	one.Info("one")
	two.Info("two")
	parent.Info("parent")
	one.Debug("not logged")
	require.Equal(t, "one a=1 b=2 c=3 d=1\ntwo a=1 b=2 c=3 d=2\nparent a=1 b=2 c=3\n", out.String())
}

// What With was given is logged, not what has become of it.
func TestContextIsThatOfTheMoment(t *testing.T) {
	var out bytes.Buffer
	logging, err := New(Config{Format: "%{message}", LogSpec: "info", Writer: &out})
	require.NoError(t, err)
	list := []int{1}
	logger := logging.Logger("module").With("list", list)
	list[0] = 2
	logger.Info("line")
	require.Equal(t, "line list=[1]\n", out.String())
}

func BenchmarkContext(b *testing.B) {
	logging, err := New(Config{Format: "%{message}", LogSpec: "info", Writer: &bytes.Buffer{}})
	require.NoError(b, err)
	now := logging.ZapLogger("module")
	before := now.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return core.(contextCore).Core }))
	for name, logger := range map[string]*zap.Logger{"upstream": before, "fork": now} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				logger.With(zap.String("channel", "trade"), zap.String("txID", "a transaction")).Debug("message")
			}
		})
	}
}
