// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/integration/chaincode/asset/contract"
	"github.com/hyperledger/fabric/internal/kittest/fakenet"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"github.com/hyperledger/fabric/pkg/gmgateway"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func newNetwork(t *testing.T, mode gmgateway.Mode) *fakenet.Network {
	t.Helper()
	chaincode, err := contract.NewChaincode()
	require.NoError(t, err)
	return fakenet.New(t, chaincode, fakenet.Options{Chaincode: "asset", Mode: mode})
}

func short() Settings {
	return Settings{
		Submitters: 4, Evaluators: 2, Connections: 1, Loop: loopOpen, Uncommitted: 8, WarmUp: 100 * time.Millisecond,
		Duration: 300 * time.Millisecond, Drain: 10 * time.Second, CommitLimit: 10 * time.Second,
	}
}

// until measures a new network for longer and longer until there is enough to look at: how much a loaded machine gets done
// in a short time nobody knows.
func until(t *testing.T, enough func(*Result) bool, attempt func(Settings) *Result) *Result {
	t.Helper()
	for s := short(); ; s.Duration *= 4 {
		if r := attempt(s); enough(r) || s.Duration > 10*time.Second {
			return r
		}
	}
}

func both(r *Result) bool { return r.Committed > 0 && r.Submit.Count > 0 && r.Evaluate.Count > 0 }

func targetAt(t *testing.T, n *fakenet.Network) Target {
	return Target{profile: n.ProfileFile(t, gmtlstest.ECDSA), Channel: fakepeer.Channel, chaincode: "asset"}
}

func run(t *testing.T, n *fakenet.Network, s Settings) *Result {
	t.Helper()
	result, err := targetAt(t, n).Measure(context.Background(), s, io.Discard)
	require.NoError(t, err)
	return result
}

func TestMeasure(t *testing.T) {
	for _, mode := range []gmgateway.Mode{gmgateway.ModeTLS, gmgateway.ModeGM} {
		for _, loop := range []string{loopOpen, loopClosed} {
			t.Run(string(mode)+" "+loop, func(t *testing.T) {
				var n *fakenet.Network
				r := until(t, both, func(s Settings) *Result {
					n, s.Loop = newNetwork(t, mode), loop
					return run(t, n, s)
				})
				require.Empty(t, r.Errors)
				require.Zero(t, r.Unresolved)
				require.Positive(t, r.Committed)
				require.Equal(t, r.Committed, r.Blocks, "the fake network makes a block of each transaction")
				// The chain holds the genesis block, the seeds, and what came before, within and after the window.
				require.LessOrEqual(t, uint64(r.Committed), n.Height()-1-seeds)
				require.InDelta(t, float64(r.Committed)/r.Settings.Duration.Seconds(), r.CommittedTPS, 1e-9)
				require.Positive(t, r.Evaluate.Count)
				require.InDelta(t, float64(r.Evaluate.Count)/r.Settings.Duration.Seconds(), r.EvaluationsPerSecond, 1e-9)
				for _, l := range []Latency{r.Submit, r.Evaluate} {
					require.Positive(t, l.P50)
					require.True(t, l.P50 <= l.P95 && l.P95 <= l.P99 && l.P99 <= l.Max && l.Mean <= l.Max, "%+v", l)
				}
				require.Len(t, r.Processes, 1)
				require.Equal(t, Self, r.Processes[0].Name)
				require.False(t, r.Processes[0].Ended)
				require.Positive(t, r.Processes[0].RSSMiB)
				require.Zero(t, r.CPUMsPerTransaction, "the generator itself is no part of it")
			})
		}
	}
}

// TestConnections shares the workers out among several connections.
func TestConnections(t *testing.T) {
	connections, err := targetAt(t, newNetwork(t, gmgateway.ModeGM)).Connect(3)
	require.NoError(t, err)
	require.Len(t, connections, 3)
	for _, c := range connections {
		require.NoError(t, c.Close())
	}
	r := until(t, both, func(s Settings) *Result { s.Connections = 3; return run(t, newNetwork(t, gmgateway.ModeGM), s) })
	require.Empty(t, r.Errors)
	require.Positive(t, r.Committed)
}

func TestMeasureOneKindAlone(t *testing.T) {
	r := until(t, func(r *Result) bool { return r.Committed > 0 }, func(s Settings) *Result {
		s.Evaluators = 0
		return run(t, newNetwork(t, gmgateway.ModeTLS), s)
	})
	require.Positive(t, r.Committed)
	require.Zero(t, r.Evaluate)

	var n *fakenet.Network
	r = until(t, func(r *Result) bool { return r.Evaluate.Count > 0 }, func(s Settings) *Result {
		n, s.Submitters = newNetwork(t, gmgateway.ModeTLS), 0
		return run(t, n, s)
	})
	require.Zero(t, r.Committed)
	require.Positive(t, r.Evaluate.Count)
	require.EqualValues(t, 1+seeds, n.Height())
}

func TestInvalidTransactions(t *testing.T) {
	const invalid = "commit: invalid, MVCC_READ_CONFLICT"
	for _, loop := range []string{loopOpen, loopClosed} {
		t.Run(loop, func(t *testing.T) {
			r := until(t, func(r *Result) bool { return r.Committed > 0 && r.Errors[invalid] > 0 }, func(s Settings) *Result {
				n := newNetwork(t, gmgateway.ModeTLS)
				s.Loop, s.Evaluators = loop, 0
				var count atomic.Int64
				n.Validate = func(string) peer.TxValidationCode {
					if i := count.Add(1); i > seeds && i%2 == 0 {
						return peer.TxValidationCode_MVCC_READ_CONFLICT
					}
					return peer.TxValidationCode_VALID
				}
				return run(t, n, s)
			})
			require.Positive(t, r.Errors[invalid])
			require.Len(t, r.Errors, 1)
			require.Positive(t, r.Committed)
			require.Zero(t, r.Unresolved)
		})
	}
}

func TestErrorsByCause(t *testing.T) {
	for method, want := range map[string]string{
		"Endorse":  "endorse: ResourceExhausted, too many of transaction _",
		"Submit":   "submit: ResourceExhausted, too many of transaction _",
		"Evaluate": "evaluate: ResourceExhausted, too many of transaction _",
	} {
		t.Run(method, func(t *testing.T) {
			r := until(t, func(r *Result) bool { return r.Errors[want] > 0 }, func(s Settings) *Result {
				n := newNetwork(t, gmgateway.ModeTLS)
				var calls atomic.Int64
				n.Fail = func(m string) error {
					if m != method {
						return nil
					}
					if i := calls.Add(1); i > seeds || method == "Evaluate" {
						return status.Error(codes.ResourceExhausted, "too many of transaction "+fmt.Sprintf("%064x", i))
					}
					return nil
				}
				return run(t, n, s)
			})
			require.Positive(t, r.Errors[want], "%v", r.Errors)
			require.Len(t, r.Errors, 1)
			require.Zero(t, r.Unresolved, "what was refused is not awaited")
		})
	}
}

// TestBound loses every transaction: an open loop must stop at its bound and own up to what is missing.
func TestBound(t *testing.T) {
	var accepted atomic.Int64
	r := until(t, func(r *Result) bool { return r.Unresolved >= r.Settings.Uncommitted }, func(s Settings) *Result {
		n := newNetwork(t, gmgateway.ModeTLS)
		s.Evaluators, s.Drain, s.CommitLimit = 0, 100*time.Millisecond, time.Minute
		accepted.Store(0)
		n.Lose = func(string) bool { return accepted.Add(1) > seeds }
		return run(t, n, s)
	})
	require.EqualValues(t, r.Settings.Uncommitted, accepted.Load()-seeds)
	require.Equal(t, r.Settings.Uncommitted, r.Unresolved)
	require.Zero(t, r.Committed)
}

// TestLostTransactionsMakeRoom does the same with a short limit, after which places must be free again.
func TestLostTransactionsMakeRoom(t *testing.T) {
	var accepted atomic.Int64
	r := until(t, func(r *Result) bool { return r.Unresolved > r.Settings.Uncommitted }, func(s Settings) *Result {
		n := newNetwork(t, gmgateway.ModeTLS)
		s.Evaluators, s.Drain, s.CommitLimit = 0, 100*time.Millisecond, 200*time.Millisecond
		accepted.Store(0)
		n.Lose = func(string) bool { return accepted.Add(1) > seeds }
		return run(t, n, s)
	})
	lost := accepted.Load() - seeds
	require.Greater(t, lost, int64(r.Settings.Uncommitted))
	require.EqualValues(t, lost, r.Unresolved)
	require.Positive(t, r.Errors["commit: not seen in a block within 200ms"])
}

func TestRate(t *testing.T) {
	var n *fakenet.Network
	r := until(t, func(r *Result) bool { return r.Committed > 0 }, func(s Settings) *Result {
		n = newNetwork(t, gmgateway.ModeTLS)
		s.Evaluators, s.WarmUp, s.Rate = 0, 0, 20
		return run(t, n, s)
	})
	require.Positive(t, r.Committed)
	require.LessOrEqual(t, n.Height()-1-seeds, uint64(r.Settings.Rate*r.Settings.Duration.Seconds())+1)
}

func TestBlockStreamThatBreaks(t *testing.T) {
	var calls atomic.Int64
	r := until(t, func(r *Result) bool { return r.Committed > 0 }, func(s Settings) *Result {
		n := newNetwork(t, gmgateway.ModeTLS)
		calls.Store(0)
		n.Fail = func(method string) error {
			if method == "Deliver" && calls.Add(1) <= 2 {
				return status.Error(codes.Unavailable, "the peer restarts")
			}
			return nil
		}
		return run(t, n, s)
	})
	require.Positive(t, r.Committed)
	require.Zero(t, r.Unresolved)
	require.EqualValues(t, 3, calls.Load())
}

func TestMeasureFails(t *testing.T) {
	n := newNetwork(t, gmgateway.ModeTLS)
	t.Run("no seeds", func(t *testing.T) {
		other := targetAt(t, n)
		other.Channel = "nochannel"
		_, err := other.Measure(context.Background(), short(), io.Discard)
		require.ErrorContains(t, err, "create the assets")
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		s := short()
		s.Duration = time.Minute
		var calls atomic.Int64
		n.Fail = func(method string) error {
			if method == "Endorse" && calls.Add(1) == 2*seeds {
				cancel(errors.New("signal"))
			}
			return nil
		}
		_, err := targetAt(t, n).Measure(ctx, s, io.Discard)
		require.ErrorContains(t, err, "interrupted: signal")
	})
	for want, spoil := range map[string]func(*Settings){
		"nothing to do":    func(s *Settings) { s.Submitters, s.Evaluators = 0, 0 },
		`loop is "both"`:   func(s *Settings) { s.Loop = "both" },
		"uncommitted":      func(s *Settings) { s.Uncommitted = 0 },
		"one connection":   func(s *Settings) { s.Connections = 0 },
		"rate":             func(s *Settings) { s.Loop, s.Rate = loopClosed, 1 },
		"payload":          func(s *Settings) { s.Payload = maxPayload + 1 },
		"must be positive": func(s *Settings) { s.Duration = 0 },
	} {
		s := short()
		spoil(&s)
		_, err := targetAt(t, n).Measure(context.Background(), s, io.Discard)
		require.ErrorContains(t, err, want)
	}
}

func TestCommands(t *testing.T) {
	n := newNetwork(t, gmgateway.ModeGM)
	dir := t.TempDir()
	profile := n.ProfileFile(t, gmtlstest.SM2)
	files := []string{filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")}
	for i, file := range files {
		var out bytes.Buffer
		err := Command(context.Background(), []string{
			"run", "-profile", profile, "-submitters", "2", "-evaluators", "1", "-warm-up", "50ms", "-duration", "500ms",
			"-pids", "test=" + strconv.Itoa(os.Getpid()), "-label", "side " + strconv.Itoa(i), "-out", file,
		}, &out, io.Discard)
		require.NoError(t, err)
		for _, want := range []string{"side " + strconv.Itoa(i), "committed TPS", "p99", "evaluations/s", "load generator", "no errors"} {
			require.Contains(t, out.String(), want)
		}
		r, err := readResult(file)
		require.NoError(t, err)
		require.Len(t, r.Processes, 2)
	}
	var out bytes.Buffer
	comparison := filepath.Join(dir, "comparison.json")
	require.NoError(t, Command(context.Background(), []string{"compare", "-a", files[0], "-b", files[1], "-out", comparison}, &out, io.Discard))
	require.Contains(t, out.String(), "A: side 0 (1 runs)")
	require.Contains(t, out.String(), "resident MiB, all nodes")
	content, err := os.ReadFile(comparison)
	require.NoError(t, err)
	var c Comparison
	require.NoError(t, json.Unmarshal(content, &c))
	require.Equal(t, "side 1", c.B.Label)

	for want, args := range map[string][]string{
		"say what to do":       {},
		"say what":             {"walk"},
		"no argument":          {"run", "fast"},
		"-pids goes with":      {"run", "-pids", "a=1"},
		"is not name=pid":      {"run", "-profile", profile, "-pids", "a"},
		"no network in":        {"run", "-network", dir},
		"results on both":      {"compare", "-a", files[0]},
		"no such file":         {"compare", "-a", filepath.Join(dir, "absent.json"), "-b", files[1]},
		"not a result":         {"compare", "-a", profile, "-b", files[1]},
		"at least one round":   {"alternate", "-rounds", "0"},
		"no such option":       {"alternate", "-a", "speed=9"},
		"MODE=slow":            {"alternate", "-a", "mode=slow"},
		"want a positive numb": {"alternate", "-submitters", "0"},
	} {
		err := Command(context.Background(), args, io.Discard, io.Discard)
		require.ErrorContains(t, err, want, "%v", args)
	}
}
