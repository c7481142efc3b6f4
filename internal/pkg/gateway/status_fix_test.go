// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"runtime"
	"testing"
	"time"

	gp "github.com/hyperledger/fabric-protos-go/gateway"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/internal/pkg/gateway/mocks"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestAnswerWithoutResponse(t *testing.T) {
	for _, answer := range []*peer.ProposalResponse{{}, {Payload: []byte("payload")}, nil} {
		code, message, retry, remove := responseStatus(answer, nil)
		require.Equal(t, codes.Aborted, code)
		require.Contains(t, message, "no response")
		require.True(t, retry, "another endorser may answer")
		require.False(t, remove)
	}
}

// A client whose proposal an endorser refuses takes the connection to it from nobody; one that does not serve is made anew.
func TestRefusedProposalsCloseNoConnection(t *testing.T) {
	for code, stays := range map[codes.Code]bool{codes.Unknown: true, codes.ResourceExhausted: true, codes.Unavailable: false, codes.DeadlineExceeded: false} {
		t.Run(code.String(), func(t *testing.T) {
			test := prepareTest(t, &testDef{members: []networkMember{{"id4", "peer3:10051", "msp2", 0}, {"id5", "peer4:11051", "msp3", 0}}})
			for _, e := range []*endorser{peer3Mock, peer4Mock} {
				e.client.(*mocks.EndorserClient).ProcessProposalReturns(nil, status.Error(code, "refused"))
			}
			for range 2 {
				for _, call := range namingCalls {
					require.Error(t, call(test, context.Background(), []string{"msp2"}))
					require.Error(t, call(test, context.Background(), []string{"msp3"}))
				}
			}
			require.NoError(t, test.server.registry.connectChannelPeers(testChannel, true))
			require.Equal(t, stays, test.dialer.CallCount() == 2)
		})
	}
}

// Of two calls that failed over the same connection, the second leaves the connection that was made meanwhile.
func TestNewerConnectionIsNotRemoved(t *testing.T) {
	test := prepareTest(t, &testDef{})
	reg, closed := test.server.registry, 0
	old := &endorser{endpointConfig: peer2Mock.endpointConfig, closeConnection: func() error { closed++; return nil }}
	newer := &endorser{endpointConfig: peer2Mock.endpointConfig}
	reg.remoteEndorsers[old.address] = old
	reg.removeEndorser(old)
	require.Empty(t, reg.remoteEndorsers)
	reg.remoteEndorsers[old.address] = newer
	reg.removeEndorser(old)
	reg.removeEndorser(reg.localEndorser)
	require.Same(t, newer, reg.remoteEndorsers[old.address])
	require.Equal(t, 1, closed)
}

// slowEndorsers are endorsers of all organisations that answer nothing until the call ends; asked has a message when one was asked.
func slowEndorsers(t *testing.T) (test *preparedTest, asked chan struct{}) {
	test = prepareTest(t, &testDef{layouts: []endorsementLayout{{"g1": 1, "g3": 1}}, plan: endorsementPlan{
		"g1": {{endorser: localhostMock}}, "g3": {{endorser: peer4Mock}},
	}})
	asked = make(chan struct{}, 1)
	slow := func(ctx context.Context, _ *peer.SignedProposal, _ ...grpc.CallOption) (*peer.ProposalResponse, error) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	test.server.options.EndorsementTimeout = time.Minute
	test.localEndorser.ProcessProposalStub = slow
	for _, e := range endorsers {
		e.client.(*mocks.EndorserClient).ProcessProposalStub = slow
		t.Cleanup(func() { e.client.(*mocks.EndorserClient).ProcessProposalStub = nil })
	}
	return test, asked
}

// A client that cancels its calls leaves nothing behind, and takes no connection from others.
func TestCancelledCalls(t *testing.T) {
	calls := map[string]func(test *preparedTest, ctx context.Context) error{
		"evaluate": func(test *preparedTest, ctx context.Context) error {
			_, err := test.server.Evaluate(ctx, &gp.EvaluateRequest{ProposedTransaction: test.signedProposal, TargetOrganizations: []string{"msp3"}})
			return err
		},
		"endorse, organisations named": func(test *preparedTest, ctx context.Context) error {
			_, err := test.server.Endorse(ctx, &gp.EndorseRequest{ProposedTransaction: test.signedProposal, EndorsingOrganizations: []string{"msp3"}})
			return err
		},
		"endorse": func(test *preparedTest, ctx context.Context) error {
			test.server.registry.localEndorser.mspid = "none" // so that the first endorser is another peer
			_, err := test.server.Endorse(ctx, &gp.EndorseRequest{ProposedTransaction: test.signedProposal})
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			test, asked := slowEndorsers(t)
			require.NoError(t, test.server.registry.connectChannelPeers(testChannel, false))
			connected := len(test.server.registry.remoteEndorsers)
			require.NotZero(t, connected)
			before := runtime.NumGoroutine()
			for range 20 {
				ctx, cancel := context.WithCancel(context.Background())
				ended := make(chan error, 1)
				go func() { ended <- call(test, ctx) }()
				<-asked
				cancel()
				require.Error(t, <-ended)
			}
			require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+5 }, 10*time.Second, 10*time.Millisecond, "%d before", before)
			require.Len(t, test.server.registry.remoteEndorsers, connected)
		})
	}
}
