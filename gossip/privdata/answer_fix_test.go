// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"testing"
	"time"

	protosgossip "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	protostransientstore "github.com/hyperledger/fabric-protos-go/transientstore"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/transientstore"
	"github.com/hyperledger/fabric/gossip/comm"
	privdatacommon "github.com/hyperledger/fabric/gossip/privdata/common"
	"github.com/hyperledger/fabric/gossip/privdata/mocks"
	"github.com/hyperledger/fabric/gossip/protoext"
	"github.com/hyperledger/fabric/gossip/util"
	"github.com/hyperledger/fabric/protoutil"
)

var (
	pushedDigest = privdatacommon.DigKey{TxId: "tx", Namespace: "cc", Collection: "coll", BlockSeq: 7}
	pushedKey    = rwSetKey{txID: "tx", namespace: "cc", collection: "coll"}
)

// pushed returns the puller of a peer that knows another one, to which data were pushed with a definition by which "this" is no member.
// The other one does something before it answers.
func pushed(before func(p *puller), data ...util.PrivateRWSet) *puller {
	collections := everybody()
	collections.withPolicy("coll", 0).thatMapsTo("this", "other0")
	p := pulling(collections, 7)
	nobody := &mocks.CollectionAccessPolicy{}
	Setup(nobody, 1, 2, func(protoutil.SignedData) bool { return false }, nil, false)
	factory := &mocks.CollectionAccessFactory{}
	factory.On("AccessPolicy", mock.Anything, mock.Anything).Return(nobody, nil)
	other := p.gossip.(*mockGossip).network.newPuller("other0", collections, factory)
	other.PrivateDataRetriever.(*dataRetrieverMock).On("CollectionRWSet", mock.Anything, mock.Anything).
		Run(func(mock.Arguments) { before(p) }).Return(Dig2PvtRWSetWithConfig{pushedDigest: {RWSet: data}}, false, nil)
	return p
}

// pulls returns what a block that lacks "right" gets, and what is left for reconciliation.
func pulls(t *testing.T, p *puller) (pulled rwsetByKeys, later rwsetKeys) {
	pdp := &PvtdataProvider{logger: logger, fetcher: p, pullRetryThreshold: time.Minute, blockNum: 7}
	info := &pvtdataRetrievalInfo{
		remainingEligibleMissingKeys: rwsetKeys{pushedKey: {}}, resolvedAsToReconcileLater: rwsetKeys{},
		expectedHashes: map[rwSetKey][]byte{pushedKey: protoutil.HashSHA256.Sum([]byte("right"))}, hash: protoutil.HashSHA256,
	}
	pulled = rwsetByKeys{}
	require.False(t, pdp.populateFromRemotePeers(pulled, info))
	return pulled, info.resolvedAsToReconcileLater
}

func nothing(*puller) {}

// TestWrongBesideRight: what a member pushed to the peer that is asked takes the place of nothing that is right.
func TestWrongBesideRight(t *testing.T) {
	pulled, later := pulls(t, pushed(nothing, []byte("wrong"), []byte("right"), []byte("false")))
	require.Equal(t, rwsetByKeys{pushedKey: []byte("right")}, pulled)
	require.Empty(t, later)

	pulled, later = pulls(t, pushed(nothing, []byte("wrong"), []byte("false")))
	require.Empty(t, pulled)
	require.Len(t, later, 1)
}

// TestAnswerOfAnother: a peer that was not asked answers nothing.
func TestAnswerOfAnother(t *testing.T) {
	var nonce uint64
	answers := func(p *puller) {
		m, err := protoext.NoopSign(&protosgossip.GossipMessage{
			Channel: []byte("A"), Nonce: nonce,
			Content: &protosgossip.GossipMessage_PrivateRes{PrivateRes: &protosgossip.RemotePvtDataResponse{
				Elements: []*protosgossip.PvtDataElement{{
					Digest:  &protosgossip.PvtDataDigest{TxId: "tx", Namespace: "cc", Collection: "coll", BlockSeq: 7},
					Payload: [][]byte{[]byte("wrong")},
				}},
			}},
		})
		require.NoError(t, err)
		p.gossip.(*mockGossip).msgChan <- &receivedMsg{SignedGossipMessage: m, RemotePeer: &comm.RemotePeer{}}
	}
	for nonce = range 2 {
		pulled, later := pulls(t, pushed(answers, []byte("right")))
		require.Equal(t, rwsetByKeys{pushedKey: []byte("right")}, pulled)
		require.Empty(t, later)
	}
}

// TestWrongBesideBlock: the peer that a block came from puts nothing wrong in the place of what was pushed to this one.
func TestWrongBesideBlock(t *testing.T) {
	provider, err := transientstore.NewStoreProvider(t.TempDir())
	require.NoError(t, err)
	defer provider.Close()
	store, err := provider.OpenStore("A")
	require.NoError(t, err)
	beside := util.PvtDataCollections{{WriteSet: &rwset.TxPvtReadWriteSet{NsPvtRwset: []*rwset.NsPvtReadWriteSet{{
		Namespace: "cc", CollectionPvtRwset: []*rwset.CollectionPvtReadWriteSet{
			{CollectionName: "coll", Rwset: []byte("wrong")}, {CollectionName: "other", Rwset: []byte("wrong")},
		},
	}}}}}
	require.NoError(t, store.Persist("tx", 6, &protostransientstore.TxPvtReadWriteSetWithConfigInfo{PvtRwset: &rwset.TxPvtReadWriteSet{
		NsPvtRwset: []*rwset.NsPvtReadWriteSet{pvtReadWriteSet("cc", "coll", []byte("right"))},
	}}))
	other := rwSetKey{txID: "tx", namespace: "cc", collection: "other"}
	hash := protoutil.HashSHA256.Sum([]byte("right"))
	info := &pvtdataRetrievalInfo{
		remainingEligibleMissingKeys: rwsetKeys{pushedKey: {}, other: {}}, resolvedAsToReconcileLater: rwsetKeys{},
		expectedHashes: map[rwSetKey][]byte{pushedKey: hash, other: hash}, hash: protoutil.HashSHA256,
	}
	pdp := &PvtdataProvider{logger: logger, transientStore: store, prefetchedPvtdata: beside}
	found := rwsetByKeys{}
	pdp.populateFromCache(found, info, []*ledger.TxPvtdataInfo{{TxID: "tx"}})
	require.Equal(t, rwsetByKeys{pushedKey: []byte("right")}, found)
	require.Equal(t, rwsetKeys{other: {}}, info.resolvedAsToReconcileLater)
	require.Empty(t, info.remainingEligibleMissingKeys)
}
