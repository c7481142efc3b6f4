// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/common"
	gp "github.com/hyperledger/fabric-protos-go/gateway"
	"github.com/hyperledger/fabric/common/crypto"
	commonledger "github.com/hyperledger/fabric/common/ledger"
	"github.com/hyperledger/fabric/core/aclmgmt/resources"
	"github.com/hyperledger/fabric/internal/pkg/gateway/ledger"
	"github.com/hyperledger/fabric/protoutil"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ChaincodeEvents sends events as upstream does, until the client has gone, or may have no more of them. Upstream notices the first only
// when it sends an event, so that a call for events that never come would hold its place among the calls of the gateway, and the blocks
// it reads, for ever. The second it asks only once.
//
//fork:wrap fix: a call for events whose client had gone stayed until the next such event, and a client whose certificate was revoked or expired went on to get events
func (gs *Server) ChaincodeEvents(request *gp.SignedChaincodeEventsRequest, stream gp.Gateway_ChaincodeEventsServer) error {
	client := &eventsClient{ctx: stream.Context(), access: gs.accessToEvents(request)}
	forClient := *gs
	forClient.ledgerProvider = clientLedgers{gs.ledgerProvider, client}
	err := forClient.upstreamChaincodeEvents(request, stream)
	if client.refused != nil {
		return status.Error(codes.PermissionDenied, client.refused.Error())
	}
	return err
}

// eventsClient is the client of a call for events.
type eventsClient struct {
	ctx     context.Context
	access  func(block *common.Block) error
	refused error // what access said
}

// accessToEvents returns what says whether a client may have the events of a block: as in Deliver, its certificate must not have expired,
// and with each configuration of the channel it is judged again.
func (gs *Server) accessToEvents(signed *gp.SignedChaincodeEventsRequest) func(*common.Block) error {
	request := &gp.ChaincodeEventsRequest{}
	if err := proto.Unmarshal(signed.GetRequest(), request); err != nil {
		return nil // upstream refuses it before it asks for blocks
	}
	expires := crypto.ExpiresAt(request.GetIdentity())
	return func(block *common.Block) error {
		if !expires.IsZero() && time.Now().After(expires) {
			return fmt.Errorf("the client's certificate expired at %s", expires)
		}
		if !protoutil.IsConfigBlock(block) {
			return nil
		}
		return gs.policy.CheckACL(resources.Gateway_ChaincodeEvents, request.GetChannelId(), &protoutil.SignedData{
			Data: signed.GetRequest(), Identity: request.GetIdentity(), Signature: signed.GetSignature(),
		})
	}
}

// clientLedgers are ledgers that are read for the call of a client.
type clientLedgers struct {
	ledger.Provider
	client *eventsClient
}

func (l clientLedgers) Ledger(channel string) (ledger.Ledger, error) {
	found, err := l.Provider.Ledger(channel)
	if err != nil {
		return nil, err
	}
	return clientLedger{found, l.client}, nil
}

type clientLedger struct {
	ledger.Ledger
	client *eventsClient
}

func (l clientLedger) GetBlocksIterator(start uint64) (commonledger.ResultsIterator, error) {
	blocks, err := l.Ledger.GetBlocksIterator(start)
	if err != nil {
		return nil, err
	}
	return clientBlocks{blocks, l.client, context.AfterFunc(l.client.ctx, blocks.Close)}, nil
}

// clientBlocks are blocks until the client has gone or may have no more. To close them is what ends a Next that waits for a block.
type clientBlocks struct {
	commonledger.ResultsIterator
	client *eventsClient
	stay   func() bool // takes back that the client's going closes the blocks; false if it did
}

func (b clientBlocks) Next() (commonledger.QueryResult, error) {
	result, err := b.ResultsIterator.Next()
	if gone := b.client.ctx.Err(); gone != nil {
		return nil, gone
	}
	if block, ok := result.(*common.Block); ok && err == nil {
		if b.client.refused = b.client.access(block); b.client.refused != nil {
			return nil, b.client.refused
		}
	}
	return result, err
}

func (b clientBlocks) Close() {
	if b.stay() {
		b.ResultsIterator.Close()
	}
}
