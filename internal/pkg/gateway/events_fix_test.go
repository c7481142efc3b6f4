// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	cp "github.com/hyperledger/fabric-protos-go/common"
	gp "github.com/hyperledger/fabric-protos-go/gateway"
	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	commonledger "github.com/hyperledger/fabric/common/ledger"
	"github.com/hyperledger/fabric/common/ledger/blkstorage"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// prepareTest gives the stream of events a context, as each stream of gRPC has one.
//
//fork:wrap fix: the stream of upstream's tests has no context
func prepareTest(t *testing.T, tt *testDef) *preparedTest {
	test := upstreamPrepareTest(t, tt)
	test.eventsServer.ContextReturns(context.Background())
	return test
}

// countedBlocks are blocks that count how many of them were read, and how often they were closed.
type countedBlocks struct {
	commonledger.ResultsIterator
	read, closed *atomic.Int32
}

func (b countedBlocks) Next() (commonledger.QueryResult, error) {
	b.read.Add(1)
	return b.ResultsIterator.Next()
}

func (b countedBlocks) Close() {
	b.closed.Add(1)
	b.ResultsIterator.Close()
}

// otherBlocks are blocks without end, each with an event of another chaincode than the one that is asked for.
type otherBlocks struct{ block *cp.Block }

func (b otherBlocks) Next() (commonledger.QueryResult, error) { return b.block, nil }
func (b otherBlocks) Close()                                  {}

func eventBlock(chaincode string) *cp.Block {
	envelope := &cp.Envelope{Payload: protoutil.MarshalOrPanic(&cp.Payload{
		Header: &cp.Header{ChannelHeader: protoutil.MarshalOrPanic(&cp.ChannelHeader{Type: int32(cp.HeaderType_ENDORSER_TRANSACTION), TxId: "tx"})},
		Data: protoutil.MarshalOrPanic(&peer.Transaction{Actions: []*peer.TransactionAction{{
			Payload: protoutil.MarshalOrPanic(&peer.ChaincodeActionPayload{Action: &peer.ChaincodeEndorsedAction{
				ProposalResponsePayload: protoutil.MarshalOrPanic(&peer.ProposalResponsePayload{Extension: protoutil.MarshalOrPanic(&peer.ChaincodeAction{
					Events: protoutil.MarshalOrPanic(&peer.ChaincodeEvent{ChaincodeId: chaincode, TxId: "tx", EventName: "event"}),
				})}),
			}}),
		}}}),
	})}
	block := protoutil.NewBlock(0, nil)
	block.Data.Data = [][]byte{protoutil.MarshalOrPanic(envelope)}
	block.Metadata.Metadata[cp.BlockMetadataIndex_TRANSACTIONS_FILTER] = []byte{byte(peer.TxValidationCode_VALID)}
	return block
}

// storedBlocks are the blocks of a ledger that has one, read from a number on.
func storedBlocks(t *testing.T, first *cp.Block, from uint64) func() commonledger.ResultsIterator {
	provider, err := blkstorage.NewProvider(blkstorage.NewConf(t.TempDir(), 0), &blkstorage.IndexConfig{
		AttrsToIndex: []blkstorage.IndexableAttr{blkstorage.IndexableAttrBlockNum},
	}, &disabled.Provider{})
	require.NoError(t, err)
	t.Cleanup(provider.Close)
	store, err := provider.Open(testChannel)
	require.NoError(t, err)
	t.Cleanup(store.Shutdown)
	require.NoError(t, store.AddBlock(first))
	return func() commonledger.ResultsIterator {
		blocks, err := store.RetrieveBlocks(from)
		require.NoError(t, err)
		return blocks
	}
}

// A client that asks for events and goes leaves nothing behind, whether or not blocks and events come.
func TestEventsOfClientsThatWent(t *testing.T) {
	other := eventBlock("other")
	cases := map[string]func() commonledger.ResultsIterator{
		"no block comes":                    storedBlocks(t, other, 1),
		"no block comes after the first":    storedBlocks(t, other, 0),
		"blocks come, without these events": func() commonledger.ResultsIterator { return otherBlocks{other} },
	}
	for name, open := range cases {
		t.Run(name, func(t *testing.T) {
			test := prepareTest(t, &testDef{})
			var read, closed atomic.Int32
			test.ledger.GetBlocksIteratorStub = func(uint64) (commonledger.ResultsIterator, error) {
				return countedBlocks{open(), &read, &closed}, nil
			}
			request := &gp.SignedChaincodeEventsRequest{Request: protoutil.MarshalOrPanic(&gp.ChaincodeEventsRequest{ChannelId: testChannel, ChaincodeId: testChaincode})}
			before := runtime.NumGoroutine()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			test.eventsServer.ContextReturns(ctx)
			ended := make(chan error, 20)
			for range cap(ended) {
				go func() { ended <- test.server.ChaincodeEvents(request, test.eventsServer) }()
			}
			require.Eventually(t, func() bool { return int(read.Load()) >= cap(ended) }, 10*time.Second, time.Millisecond)
			cancel()
			for range cap(ended) {
				select {
				case err := <-ended:
					require.ErrorContains(t, err, context.Canceled.Error())
				case <-time.After(10 * time.Second):
					t.Fatal("a call whose client has gone runs on")
				}
			}
			require.Eventually(t, func() bool { return int(closed.Load()) == cap(ended) }, 10*time.Second, time.Millisecond, "each call closes its blocks once")
			require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+5 }, 10*time.Second, time.Millisecond, "%d before", before)
			require.Zero(t, test.eventsServer.SendCallCount())
		})
	}
}

// A call that ends by itself closes its blocks once, and its client's going closes nothing more.
func TestEventsEndOnce(t *testing.T) {
	test := prepareTest(t, &testDef{blocks: []*cp.Block{eventBlock(testChaincode)}})
	ctx, cancel := context.WithCancel(context.Background())
	test.eventsServer.ContextReturns(ctx)
	var read, closed atomic.Int32
	blocks, err := test.ledger.GetBlocksIterator(0)
	require.NoError(t, err)
	test.ledger.GetBlocksIteratorReturns(countedBlocks{blocks, &read, &closed}, nil)
	request := &gp.SignedChaincodeEventsRequest{Request: protoutil.MarshalOrPanic(&gp.ChaincodeEventsRequest{ChannelId: testChannel, ChaincodeId: testChaincode})}
	require.ErrorContains(t, test.server.ChaincodeEvents(request, test.eventsServer), "NO_MORE_BLOCKS")
	require.Equal(t, 1, test.eventsServer.SendCallCount())
	require.EqualValues(t, 1, closed.Load())
	cancel()
	require.Never(t, func() bool { return closed.Load() != 1 }, 100*time.Millisecond, 10*time.Millisecond)
}

// manyBlocks are blocks in order, of which the last comes again and again.
type manyBlocks struct{ blocks []*cp.Block }

func (b *manyBlocks) Next() (commonledger.QueryResult, error) {
	next := b.blocks[0]
	if len(b.blocks) > 1 {
		b.blocks = b.blocks[1:]
	}
	return next, nil
}

func (b *manyBlocks) Close() {}

// TestEventsWhileAccessLasts: a client that a configuration of the channel excludes gets no more events, nor one whose certificate has
// expired. One that stays in gets those of later blocks.
func TestEventsWhileAccessLasts(t *testing.T) {
	configuration := protoutil.NewBlock(1, nil)
	configuration.Data.Data = [][]byte{protoutil.MarshalOrPanic(&cp.Envelope{Payload: protoutil.MarshalOrPanic(&cp.Payload{
		Header: &cp.Header{ChannelHeader: protoutil.MarshalOrPanic(&cp.ChannelHeader{Type: int32(cp.HeaderType_CONFIG)})},
	})})}
	configuration.Metadata.Metadata[cp.BlockMetadataIndex_TRANSACTIONS_FILTER] = []byte{byte(peer.TxValidationCode_VALID)}
	identity := func(end time.Time) []byte {
		ca, err := tlsgen.NewCA()
		require.NoError(t, err)
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-time.Hour), NotAfter: end}
		root, err := x509.ParseCertificate(pemBytes(t, ca.CertBytes()))
		require.NoError(t, err)
		der, err := x509.CreateCertificate(rand.Reader, template, root, root.PublicKey, ca.Signer())
		require.NoError(t, err)
		return protoutil.MarshalOrPanic(&msp.SerializedIdentity{Mspid: "msp", IdBytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})})
	}
	for name, test := range map[string]struct {
		identity []byte
		refusals []error // of CheckACL, one call after the other
		events   int
		refused  bool
	}{
		"stays in":                {identity(time.Now().Add(time.Hour)), []error{nil, nil}, 3, false},
		"excluded":                {identity(time.Now().Add(time.Hour)), []error{nil, errors.New("revoked")}, 1, true},
		"expired":                 {identity(time.Now().Add(-time.Minute)), []error{nil, nil}, 0, true},
		"without an end":          {nil, []error{nil, nil}, 3, false},
		"excluded from the start": {nil, []error{errors.New("nobody")}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			prepared := prepareTest(t, &testDef{})
			for i, refusal := range test.refusals {
				prepared.policy.CheckACLReturnsOnCall(i, refusal)
			}
			event := eventBlock(testChaincode)
			prepared.ledger.GetBlocksIteratorStub = func(uint64) (commonledger.ResultsIterator, error) {
				return &manyBlocks{[]*cp.Block{event, configuration, event}}, nil
			}
			sent := 0
			prepared.eventsServer.SendStub = func(*gp.ChaincodeEventsResponse) error {
				if sent++; sent == 3 {
					return io.EOF
				}
				return nil
			}
			err := prepared.server.ChaincodeEvents(&gp.SignedChaincodeEventsRequest{Request: protoutil.MarshalOrPanic(
				&gp.ChaincodeEventsRequest{ChannelId: testChannel, ChaincodeId: testChaincode, Identity: test.identity},
			)}, prepared.eventsServer)
			require.Equal(t, test.events, sent)
			require.Equal(t, test.refused, status.Code(err) == codes.PermissionDenied, "%v", err)
		})
	}
}

func pemBytes(t *testing.T, text []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(text)
	require.NotNil(t, block)
	return block.Bytes
}
