// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"math"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger"
	privdatacommon "github.com/hyperledger/fabric/gossip/privdata/common"
	"github.com/hyperledger/fabric/gossip/privdata/mocks"
	"github.com/hyperledger/fabric/gossip/util"
	"github.com/hyperledger/fabric/protoutil"
)

// expiring returns the puller of a peer at height 7 that knows others of these heights. They have private data that expire after 100 blocks.
func expiring(heights ...uint64) *puller {
	collections := everybody()
	collections.withPolicy("coll", 100).thatMapsTo("this", "other0", "other1", "other2")
	p := pulling(collections, heights...)
	for _, id := range []string{"other0", "other1", "other2"} {
		other := p.gossip.(*mockGossip).network.newPuller(id, collections, &mocks.CollectionAccessFactory{})
		data := Dig2PvtRWSetWithConfig{}
		for _, tx := range []string{"tx", ""} {
			key := privdatacommon.DigKey{TxId: tx, Namespace: "cc", Collection: "coll", BlockSeq: 7}
			data[key] = &util.PrivateRWSetWithConfig{RWSet: []util.PrivateRWSet{[]byte("data")}}
		}
		other.PrivateDataRetriever.(*dataRetrieverMock).On("CollectionRWSet", mock.Anything, mock.Anything).Return(data, true, nil)
	}
	return p
}

// TestFalseHeight: what a peer that says that it is far ahead keeps from a block is missing, and comes by reconciliation. No block waits for it.
func TestFalseHeight(t *testing.T) {
	for name, c := range map[string]struct {
		heights []uint64
		comes   bool
	}{
		"nobody has purged": {[]uint64{8, 8, 8}, true},
		"one lies":          {[]uint64{8, math.MaxUint64, 8}, false},
		"most have purged":  {[]uint64{200, 200, 8}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := expiring(c.heights...)
			pdp := &PvtdataProvider{logger: logger, fetcher: p, pullRetryThreshold: time.Minute, blockNum: 7}
			key := rwSetKey{txID: "tx", namespace: "cc", collection: "coll"}
			info := &pvtdataRetrievalInfo{
				remainingEligibleMissingKeys: rwsetKeys{key: {}}, resolvedAsToReconcileLater: rwsetKeys{},
				expectedHashes: map[rwSetKey][]byte{key: protoutil.HashSHA256.Sum([]byte("data"))}, hash: protoutil.HashSHA256,
			}
			pulled := rwsetByKeys{}
			require.False(t, pdp.populateFromRemotePeers(pulled, info)) // nothing to wait for

			missing := ledger.TxMissingPvtData{}
			if c.comes {
				require.Equal(t, []byte("data"), pulled[key])
			} else {
				missing.Add(0, "cc", "coll", true)
			}
			require.Equal(t, missing, pdp.prepareBlockPvtdata(pulled, info).MissingPvtData)

			found, err := p.FetchReconciledItems(privdatacommon.Dig2CollectionConfig{
				{Namespace: "cc", Collection: "coll", BlockSeq: 7}: &peer.StaticCollectionConfig{Name: "coll"},
			})
			require.NoError(t, err)
			require.Len(t, found.AvailableElements, 1)
		})
	}
}
