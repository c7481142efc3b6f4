// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	gp "github.com/hyperledger/fabric-protos-go/gateway"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/internal/pkg/gateway/mocks"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

// namingCalls are the calls by which a client names organisations.
var namingCalls = map[string]func(test *preparedTest, ctx context.Context, orgs []string) error{
	"evaluate": func(test *preparedTest, ctx context.Context, orgs []string) error {
		_, err := test.server.Evaluate(ctx, &gp.EvaluateRequest{ProposedTransaction: test.signedProposal, TargetOrganizations: orgs})
		return err
	},
	"endorse": func(test *preparedTest, ctx context.Context, orgs []string) error {
		_, err := test.server.Endorse(ctx, &gp.EndorseRequest{ProposedTransaction: test.signedProposal, EndorsingOrganizations: orgs})
		return err
	},
}

// askedOfMsp2 counts the calls to the two peers of the organisation msp2.
func askedOfMsp2() int {
	count := func(e *endorser) int { return e.client.(*mocks.EndorserClient).ProcessProposalCallCount() }
	return count(peer2Mock) + count(peer3Mock)
}

// A client that names an organisation often has each of its peers asked once.
func TestOrganizationsNamedOften(t *testing.T) {
	failing := &endpointDef{proposalError: errors.New("no")}
	orgs := make([]string, 1000)
	for i := range orgs {
		orgs[i] = "msp2"
	}
	for name, call := range namingCalls {
		t.Run(name, func(t *testing.T) {
			test := prepareTest(t, &testDef{endpointDefinition: failing})
			require.Error(t, call(test, context.Background(), orgs))
			require.Equal(t, 2, askedOfMsp2())
		})
	}
}

// A client that names more organisations than there can be has nobody asked, and gets a short answer.
func TestManyOrganizationsNamed(t *testing.T) {
	orgs := []string{"msp2"}
	for i := range 5000 {
		orgs = append(orgs, strconv.Itoa(i))
	}
	for name, call := range namingCalls {
		t.Run(name, func(t *testing.T) {
			err := call(prepareTest(t, &testDef{}), context.Background(), orgs)
			require.ErrorContains(t, err, "more than 16384 bytes")
			require.Less(t, len(err.Error()), 200)
			require.Zero(t, askedOfMsp2())
		})
	}
}

// When its client has gone, an endorsement asks no further peer.
func TestNobodyIsAskedForAClientThatWent(t *testing.T) {
	test := prepareTest(t, &testDef{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, e := range []*endorser{peer2Mock, peer3Mock} {
		e.client.(*mocks.EndorserClient).ProcessProposalStub = func(context.Context, *peer.SignedProposal, ...grpc.CallOption) (*peer.ProposalResponse, error) {
			cancel()
			return createErrorResponse(t, 500, "no", nil), nil
		}
	}
	require.Error(t, namingCalls["endorse"](test, ctx, []string{"msp2"}))
	time.Sleep(100 * time.Millisecond)
	require.Equal(t, 1, askedOfMsp2())
}
