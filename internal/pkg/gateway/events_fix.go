// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"

	gp "github.com/hyperledger/fabric-protos-go/gateway"
	commonledger "github.com/hyperledger/fabric/common/ledger"
	"github.com/hyperledger/fabric/internal/pkg/gateway/ledger"
)

// ChaincodeEvents sends events as upstream does, until the client has gone. Upstream notices that only when it sends an event, so
// that a call for events that never come would hold its place among the calls of the gateway, and the blocks it reads, for ever.
//
//fork:wrap fix: a call for events whose client had gone stayed until the next such event, so that some calls took the gateway from everybody
func (gs *Server) ChaincodeEvents(request *gp.SignedChaincodeEventsRequest, stream gp.Gateway_ChaincodeEventsServer) error {
	forClient := *gs
	forClient.ledgerProvider = clientLedgers{gs.ledgerProvider, stream.Context()}
	return forClient.upstreamChaincodeEvents(request, stream)
}

// clientLedgers are ledgers that are read for the call of a client.
type clientLedgers struct {
	ledger.Provider
	client context.Context
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
	client context.Context
}

func (l clientLedger) GetBlocksIterator(start uint64) (commonledger.ResultsIterator, error) {
	blocks, err := l.Ledger.GetBlocksIterator(start)
	if err != nil {
		return nil, err
	}
	return clientBlocks{blocks, l.client, context.AfterFunc(l.client, blocks.Close)}, nil
}

// clientBlocks are blocks until the client has gone. To close them is what ends a Next that waits for a block.
type clientBlocks struct {
	commonledger.ResultsIterator
	client context.Context
	stay   func() bool // takes back that the client's going closes the blocks; false if it did
}

func (b clientBlocks) Next() (commonledger.QueryResult, error) {
	block, err := b.ResultsIterator.Next()
	if gone := b.client.Err(); gone != nil {
		return nil, gone
	}
	return block, err
}

func (b clientBlocks) Close() {
	if b.stay() {
		b.ResultsIterator.Close()
	}
}
