// SPDX-License-Identifier: Apache-2.0

package state

import (
	"testing"
	"time"

	pb "github.com/golang/protobuf/proto"
	pcomm "github.com/hyperledger/fabric-protos-go/common"
	proto "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/gossip/common"
	"github.com/hyperledger/fabric/gossip/metrics"
	"github.com/hyperledger/fabric/gossip/util"
	"github.com/stretchr/testify/require"
)

// kept is a block that was committed, with the private data that was given with it.
type kept struct {
	number  uint64
	private util.PvtDataCollections
}

type keeps struct {
	ledgerResources
	blocks chan kept
}

func (k keeps) StoreBlock(block *pcomm.Block, private util.PvtDataCollections) error {
	k.blocks <- kept{block.Header.Number, private}
	return nil
}

type tellsNobody struct{ GossipAdapter }

func (tellsNobody) UpdateLedgerHeight(uint64, common.ChannelID) {}

func payloadOf(t *testing.T, number uint64, private [][]byte) *proto.Payload {
	block, err := pb.Marshal(&pcomm.Block{Header: &pcomm.BlockHeader{Number: number}, Data: &pcomm.BlockData{}})
	require.NoError(t, err)
	return &proto.Payload{SeqNum: number, Data: block, PrivateData: private}
}

// TestJunkBesideABlock: a block is committed in its turn, whatever came with it as private data.
func TestJunkBesideABlock(t *testing.T) {
	good := util.PvtDataCollections{{SeqInBlock: 1, WriteSet: &rwset.TxPvtReadWriteSet{}}}
	private, err := good.Marshal()
	require.NoError(t, err)
	s := &GossipStateProviderImpl{
		logger: util.GetLogger("junk", ""), chainID: "mine", payloads: NewPayloadsBuffer(1), stopCh: make(chan struct{}),
		ledger: keeps{blocks: make(chan kept, 10)}, mediator: &ServicesMediator{GossipAdapter: tellsNobody{}},
		stateMetrics: metrics.NewGossipMetrics(&disabled.Provider{}).StateMetrics,
	}
	s.payloads.Push(payloadOf(t, 1, [][]byte{{255}}))
	s.payloads.Push(payloadOf(t, 2, append(private, []byte{255})))
	s.payloads.Push(payloadOf(t, 3, private))
	s.payloads.Push(payloadOf(t, 4, nil))
	defer close(s.stopCh)
	go s.deliverPayloads()
	for number, private := range []int{0, 0, 1, 0} {
		select {
		case committed := <-s.ledger.(keeps).blocks:
			require.EqualValues(t, number+1, committed.number)
			require.Len(t, committed.private, private)
		case <-time.After(10 * time.Second):
			require.Fail(t, "not committed", "block %d", number+1)
		}
	}
}
