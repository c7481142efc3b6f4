// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"errors"
	"testing"

	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/core/common/privdata"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/gossip/metrics"
	"github.com/hyperledger/fabric/gossip/privdata/mocks"
	"github.com/hyperledger/fabric/gossip/util"
)

// unreadable is a store without the definition of "gone".
type unreadable struct{ privdata.CollectionStore }

func (s unreadable) RetrieveCollectionAccessPolicy(c privdata.CollectionCriteria) (privdata.CollectionAccessPolicy, error) {
	if c.Collection == "gone" {
		return nil, errors.New("it cannot be read")
	}
	return s.CollectionStore.RetrieveCollectionAccessPolicy(c)
}

// missing are private data that the block lacks.
func missing(block uint64, collections ...string) ledger.MissingPvtDataInfo {
	all := ledger.MissingPvtDataInfo{}
	for _, c := range collections {
		all.Add(block, 0, "cc", c)
	}
	return all
}

// reconciler returns one of a peer with a ledger that lacks private data, and where it puts what it reconciled and did not.
func reconciler(from ReconciliationFetcher, lacks ...ledger.MissingPvtDataInfo) (r *Reconciler, reconciled map[uint64]bool, not ledger.MissingPvtDataInfo) {
	tracker, committer, history := &mocks.MissingPvtDataTracker{}, &mocks.Committer{}, &mocks.ConfigHistoryRetriever{}
	for _, batch := range append(lacks, nil) {
		tracker.On("GetMissingPvtDataInfoForMostRecentBlocks", mock.Anything).Return(batch, nil).Once()
	}
	committer.On("GetMissingPvtDataTracker").Return(tracker, nil)
	committer.On("GetConfigHistoryRetriever").Return(history, nil)
	var defined []*peer.CollectionConfig
	for _, c := range []string{"own", "gone", "coll"} {
		defined = append(defined, &peer.CollectionConfig{Payload: &peer.CollectionConfig_StaticCollectionConfig{
			StaticCollectionConfig: &peer.StaticCollectionConfig{Name: c},
		}})
	}
	history.On("MostRecentCollectionConfigBelow", mock.Anything, mock.Anything).Return(&ledger.CollectionConfigInfo{
		CollectionConfig: &peer.CollectionConfigPackage{Config: defined},
	}, nil)
	reconciled, not = map[uint64]bool{}, ledger.MissingPvtDataInfo{}
	committer.On("CommitPvtDataOfOldBlocks", mock.Anything, mock.Anything).Run(func(args mock.Arguments) {
		for _, data := range args.Get(0).([]*ledger.ReconciledPvtdata) {
			reconciled[data.BlockNum] = true
		}
		for block, data := range args.Get(1).(ledger.MissingPvtDataInfo) {
			not[block] = data
		}
	}).Return(nil, nil)
	return &Reconciler{
		channel: "A", logger: logger, metrics: metrics.NewGossipMetrics(&disabled.Provider{}).PrivdataMetrics,
		ReconcileBatchSize: 1, ReconciliationFetcher: from, Committer: committer,
	}, reconciled, not
}

// giving returns a puller of a peer that knows another one, which is a member of "coll" but not of "own", and gives what it is asked for.
func giving() *puller {
	collections := everybody()
	collections.withPolicy("coll", 0).thatMapsTo("this", "other0")
	collections.withPolicy("own", 0).thatMapsTo("this")
	p := pulling(unreadable{collections}, 1)
	other := p.gossip.(*mockGossip).network.newPuller("other0", collections, &mocks.CollectionAccessFactory{})
	other.PrivateDataRetriever.(*dataRetrieverMock).On("CollectionRWSet", mock.Anything, mock.Anything).Return(Dig2PvtRWSetWithConfig{
		{Namespace: "cc", Collection: "coll", BlockSeq: 7}: {RWSet: []util.PrivateRWSet{[]byte("data")}},
	}, true, nil)
	return p
}

// TestWhatNobodyHas: the newest private data that a peer lacks may be such as nobody has or can have; it comes to those of others.
func TestWhatNobodyHas(t *testing.T) {
	r, reconciled, not := reconciler(giving(), missing(9, "own"), missing(8, "gone"), missing(7, "coll", "gone", "own"))
	require.NoError(t, r.reconcile())
	require.Equal(t, map[uint64]bool{7: true}, reconciled)
	require.Equal(t, missing(9, "own"), ledger.MissingPvtDataInfo{9: not[9]})
	require.Equal(t, missing(8, "gone"), ledger.MissingPvtDataInfo{8: not[8]})
	require.Len(t, not[7][0], 2)
}

// TestAlone: a peer that knows no other one puts nothing behind.
func TestAlone(t *testing.T) {
	collections := everybody()
	collections.withPolicy("coll", 0).thatMapsTo("this", "other0")
	r, _, not := reconciler(pulling(collections), missing(7, "coll"))
	require.Error(t, r.reconcile())
	require.Empty(t, not)
}
