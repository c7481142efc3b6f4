// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
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

// output is a buffer for several writers.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// matches returns what a pattern finds, in order.
func (o *output) matches(pattern string) []string {
	return regexp.MustCompile(pattern).FindAllString(o.String(), -1)
}

func newNetwork(t *testing.T, mode gmgateway.Mode) *fakenet.Network {
	t.Helper()
	chaincode, err := contract.NewChaincode()
	require.NoError(t, err)
	return fakenet.New(t, chaincode, fakenet.Options{Chaincode: "asset", Mode: mode, Mutual: true})
}

func configFor(t *testing.T, n *fakenet.Network, identity gmtlstest.Family) config {
	t.Helper()
	return config{
		profile: n.ProfileFile(t, identity), channel: fakepeer.Channel, chaincode: "asset",
		checkpoints: filepath.Join(t.TempDir(), "checkpoints"), timeout: 30 * time.Second,
	}
}

var eventNames = []string{"event CreateAsset", "event UpdateAsset", "event TransferAsset", "event DeleteAsset"}

func TestTransactionsAndEvents(t *testing.T) {
	for _, mode := range []gmgateway.Mode{gmgateway.ModeTLS, gmgateway.ModeGM} {
		for identity, key := range map[gmtlstest.Family]string{gmtlstest.SM2: "EC sm2p256v1", gmtlstest.ECDSA: "EC P-256"} {
			t.Run(string(mode)+" "+identity.String(), func(t *testing.T) {
				c := configFor(t, newNetwork(t, mode), identity)
				var out output
				require.NoError(t, run(context.Background(), c, &out))
				require.Contains(t, out.String(), "acting for Org1MSP with a key of type "+key)
				require.Contains(t, out.String(), "is red and belongs to 李四")
				require.Equal(t, eventNames, out.matches(`event \w+`))
				require.Equal(t, []string{"block 0", "block 1", "block 2", "block 3", "block 4"}, out.matches(`(?m)^block \d`))

				// A second run continues where the first stopped: no event comes twice, none is left out.
				out = output{}
				require.NoError(t, run(context.Background(), c, &out))
				require.Equal(t, eventNames, out.matches(`event \w+`))
				require.Equal(t, []string{"block 5", "block 6", "block 7", "block 8"}, out.matches(`(?m)^block \d`))
			})
		}
	}
}

// TestListenAfterCrash stops a listener between two events, lets transactions pass, and starts it again.
func TestListenAfterCrash(t *testing.T) {
	n := newNetwork(t, gmgateway.ModeTLS)
	c := configFor(t, n, gmtlstest.SM2)
	c.listen = true
	connection, err := gmgateway.Connect(c.profile)
	require.NoError(t, err)
	defer connection.Close()
	submit := func(id string) {
		_, err := connection.GetNetwork(c.channel).GetContract("asset").SubmitTransaction("CreateAsset", id, "blue", "1", "x", "1")
		require.NoError(t, err)
	}
	listenUntil := func(events, blocks int) *output {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		out := &output{}
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, c, out) }()
		require.Eventually(t, func() bool {
			return len(out.matches(`"id":"\w+"`)) >= events && len(out.matches(`(?m)^block \d`)) >= blocks
		}, 15*time.Second, 5*time.Millisecond, "%s", out)
		cancel()
		require.NoError(t, <-ended)
		return out
	}
	submit("a")
	submit("b")
	require.Equal(t, []string{`"id":"a"`, `"id":"b"`}, listenUntil(2, 3).matches(`"id":"\w+"`))
	submit("c")
	submit("d")
	out := listenUntil(2, 2)
	require.Equal(t, []string{`"id":"c"`, `"id":"d"`}, out.matches(`"id":"\w+"`))
	require.Equal(t, []string{"block 3", "block 4"}, out.matches(`(?m)^block \d`))
}

// TestCheckpointsOfAnotherNetwork are not followed: its blocks never come.
func TestCheckpointsOfAnotherNetwork(t *testing.T) {
	old := configFor(t, newNetwork(t, gmgateway.ModeTLS), gmtlstest.SM2)
	require.NoError(t, run(context.Background(), old, &output{}))
	require.NoError(t, run(context.Background(), old, &output{}))
	next := configFor(t, newNetwork(t, gmgateway.ModeTLS), gmtlstest.SM2)
	next.checkpoints = old.checkpoints
	require.ErrorContains(t, run(context.Background(), next, &output{}), "of another network: remove them, or name another folder with -checkpoints")
}

func TestStreamsThatBreakAreOpenedAgain(t *testing.T) {
	n := newNetwork(t, gmgateway.ModeTLS)
	var mu sync.Mutex
	broken := map[string]int{}
	n.Fail = func(method string) error {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasSuffix(method, "Events") || method == "Deliver" {
			if broken[method]++; broken[method] <= 2 {
				return status.Error(codes.Unavailable, "the peer restarts")
			}
		}
		return nil
	}
	var out output
	require.NoError(t, run(context.Background(), configFor(t, n, gmtlstest.SM2), &out))
	require.Equal(t, eventNames, out.matches(`event \w+`))
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, map[string]int{"ChaincodeEvents": 3, "Deliver": 4}, broken)
}

// TestStreamThatBreaksBeforeTheRequest is opened again too: gRPC tells the client io.EOF then, whatever the reason was.
func TestStreamThatBreaksBeforeTheRequest(t *testing.T) {
	handled, refused := errors.New("handled"), errors.New("refused")
	open := func(failures ...error) func() (<-chan int, error) {
		return func() (<-chan int, error) {
			if len(failures) > 0 {
				err := failures[0]
				failures = failures[1:]
				return nil, err
			}
			events := make(chan int, 1)
			events <- 1
			return events, nil
		}
	}
	handle := func(int) error { return handled }
	require.ErrorIs(t, stream(context.Background(), io.Discard, open(fmt.Errorf("send: %w", io.EOF)), handle), handled)
	require.ErrorIs(t, stream(context.Background(), io.Discard, open(refused), handle), refused)
}

// TestPeersThatAreBehind: a transaction that peers endorse differently is sent again, as long as another may have to commit a block.
func TestPeersThatAreBehind(t *testing.T) {
	differ, err := status.New(codes.Aborted, "failed to collect enough transaction endorsements").WithDetails(
		&gateway.ErrorDetail{Address: "peer1:7051", MspId: "Org2MSP", Message: "ProposalResponsePayloads do not match"})
	require.NoError(t, err)
	for failures, want := range map[int32]string{2: "", 1000: "do not match"} {
		n := newNetwork(t, gmgateway.ModeTLS)
		var endorsed atomic.Int32
		n.Fail = func(method string) error {
			if method == "Endorse" && endorsed.Add(1) <= failures {
				return differ.Err()
			}
			return nil
		}
		err := run(context.Background(), configFor(t, n, gmtlstest.SM2), &output{})
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
		require.EqualValues(t, endorseAttempts, endorsed.Load())
	}
}

func TestErrorsTellTheStep(t *testing.T) {
	for method, want := range map[string]string{
		"Evaluate":     "evaluate WhoAmI",
		"Endorse":      "submit CreateAsset: endorse error",
		"Submit":       "submit CreateAsset: submit error",
		"CommitStatus": "its commit is unknown",
	} {
		t.Run(method, func(t *testing.T) {
			n := newNetwork(t, gmgateway.ModeTLS)
			n.Fail = func(m string) error {
				if m == method {
					return status.Error(codes.Unavailable, "no luck today")
				}
				return nil
			}
			err := run(context.Background(), configFor(t, n, gmtlstest.SM2), &output{})
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, "no luck today")
		})
	}
	t.Run("invalid transaction", func(t *testing.T) {
		n := newNetwork(t, gmgateway.ModeTLS)
		n.Validate = func(string) peer.TxValidationCode { return peer.TxValidationCode_MVCC_READ_CONFLICT }
		err := run(context.Background(), configFor(t, n, gmtlstest.SM2), &output{})
		require.ErrorContains(t, err, "MVCC_READ_CONFLICT")
	})
	t.Run("refusal of the chaincode", func(t *testing.T) {
		n := newNetwork(t, gmgateway.ModeTLS)
		connection, err := gmgateway.Connect(n.ProfileFile(t, gmtlstest.SM2))
		require.NoError(t, err)
		defer connection.Close()
		contract := connection.GetNetwork(fakepeer.Channel).GetContract("asset")
		_, err = contract.EvaluateTransaction("ReadAsset", "absent")
		require.Contains(t, explain(fmt.Errorf("evaluate: %w", err)), "asset absent does not exist")
		_, err = contract.SubmitTransaction("DeleteAsset", "absent")
		var flow *client.EndorseError
		require.True(t, errors.As(err, &flow))
		require.Equal(t, 1, strings.Count(explain(err), "asset absent does not exist"))
	})
}

func TestTimeout(t *testing.T) {
	n := newNetwork(t, gmgateway.ModeTLS)
	n.Fail = func(method string) error {
		if method == "ChaincodeEvents" {
			return status.Error(codes.Unavailable, "never")
		}
		return nil
	}
	c := configFor(t, n, gmtlstest.SM2)
	c.timeout = time.Second
	err := run(context.Background(), c, &output{})
	// It may strike while the program waits or, on a slow machine, within a call.
	require.True(t, errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded, "%v", err)
}

func TestStreamAttempts(t *testing.T) {
	broken := errors.New("connection refused")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	attempts := 0
	open := func() (<-chan int, error) {
		attempts++
		if attempts == 2 {
			return nil, broken
		}
		events := make(chan int, 1)
		events <- attempts
		close(events)
		return events, nil
	}
	var handled []int
	var out output
	err := stream(ctx, &out, open, func(event int) error {
		if handled = append(handled, event); len(handled) == 2 {
			cancel()
		}
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []int{1, 3}, handled)
	require.Contains(t, out.String(), "connection refused")

	never := func() (<-chan int, error) { return nil, broken }
	require.ErrorIs(t, stream(context.Background(), &out, never, func(int) error { return nil }), broken)
	attempts = 0
	full := errors.New("disk full")
	require.ErrorIs(t, stream(context.Background(), &out, open, func(int) error { return full }), full)
}
