// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/common/privdata"
	"github.com/hyperledger/fabric/gossip/privdata/mocks"
	"github.com/hyperledger/fabric/protoutil"
)

// pulling returns the puller of a peer that knows others of these heights, which are members of all collections and never answer.
func pulling(collections privdata.CollectionStore, heights ...uint64) *puller {
	network := &gossipNetwork{}
	var others []peerData
	for i, h := range heights {
		others = append(others, peerData{fmt.Sprint("other", i), h})
	}
	return network.newPuller("this", collections, &mocks.CollectionAccessFactory{}, membership(others...)...)
}

func everybody() *mockCollectionStore {
	return newCollectionStore().withAccessFilter(func(protoutil.SignedData) bool { return true })
}

// TestOthersDoNotAnswer: a block waits for the time that core.yaml names, and not for each of the peers that could have its private data.
func TestOthersDoNotAnswer(t *testing.T) {
	collections := everybody()
	collections.withPolicy("coll", 0).thatMapsTo("other0", "other1", "other2", "other3")
	p := pulling(collections, 1, 1, 1, 1)
	pdp := &PvtdataProvider{logger: logger, fetcher: p, pullRetryThreshold: time.Second}
	wanted := rwsetKeys{{txID: "tx", namespace: "cc", collection: "coll"}: {}}
	info := &pvtdataRetrievalInfo{remainingEligibleMissingKeys: wanted}

	start := time.Now()
	require.True(t, pdp.populateFromRemotePeers(rwsetByKeys{}, info))
	require.Less(t, time.Since(start), 2*responseWaitTime) // one of four was asked
	require.Len(t, wanted, 1)
	require.True(t, pdp.populateFromRemotePeers(rwsetByKeys{}, info))
	require.Less(t, time.Since(start), 2*responseWaitTime) // and nobody else
}
