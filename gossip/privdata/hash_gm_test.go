// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"testing"

	proto "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	tspb "github.com/hyperledger/fabric-protos-go/transientstore"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/channelhash"
	"github.com/hyperledger/fabric/core/transientstore"
	privdatacommon "github.com/hyperledger/fabric/gossip/privdata/common"
	"github.com/hyperledger/fabric/protoutil"
)

func init() { channelhash.Set("testchannelid", protoutil.HashSHA256) } // the channel of upstream's tests

type fetcherFunc func() *privdatacommon.FetchedPvtDataContainer

func (f fetcherFunc) fetch(dig2sources) (*privdatacommon.FetchedPvtDataContainer, error) {
	return f(), nil
}

// TestWriteSetsByTheirHash: write sets from the cache, the transient store and other peers are taken if their hash, by the function of
// the channel, is the one in the block.
func TestWriteSetsByTheirHash(t *testing.T) {
	key := rwSetKey{txID: "tx", seqInBlock: 0, namespace: "ns", collection: "coll"}
	data := []byte("write set")
	set := &rwset.TxPvtReadWriteSet{NsPvtRwset: []*rwset.NsPvtReadWriteSet{{
		Namespace: "ns", CollectionPvtRwset: []*rwset.CollectionPvtReadWriteSet{{CollectionName: "coll", Rwset: data}},
	}}}
	provider, err := transientstore.NewStoreProvider(t.TempDir())
	require.NoError(t, err)
	defer provider.Close()
	store, err := provider.OpenStore("sm3-channel")
	require.NoError(t, err)
	require.NoError(t, store.Persist("tx", 1, &tspb.TxPvtReadWriteSetWithConfigInfo{PvtRwset: set}))
	pdp := &PvtdataProvider{
		logger: logger, transientStore: store, prefetchedPvtdata: []*ledger.TxPvtData{{WriteSet: set}},
		fetcher: fetcherFunc(func() *privdatacommon.FetchedPvtDataContainer {
			digest := &proto.PvtDataDigest{TxId: "tx", Namespace: "ns", Collection: "coll"}
			return &privdatacommon.FetchedPvtDataContainer{AvailableElements: []*proto.PvtDataElement{{Digest: digest, Payload: [][]byte{data}}}}
		}),
	}
	for source, populate := range map[string]func(rwsetByKeys, *pvtdataRetrievalInfo){
		"cache": func(found rwsetByKeys, info *pvtdataRetrievalInfo) {
			pdp.populateFromCache(found, info, []*ledger.TxPvtdataInfo{{TxID: "tx"}})
		},
		"transient store": pdp.populateFromTransientStore,
		"peer":            func(found rwsetByKeys, info *pvtdataRetrievalInfo) { pdp.populateFromRemotePeers(found, info) },
	} {
		for _, inBlock := range []protoutil.HashFunction{protoutil.HashSHA256, protoutil.HashSM3} {
			for _, ofChannel := range []protoutil.HashFunction{protoutil.HashSHA256, protoutil.HashSM3} {
				found := rwsetByKeys{}
				populate(found, &pvtdataRetrievalInfo{
					hash: ofChannel, expectedHashes: map[rwSetKey][]byte{key: inBlock.Sum(data)},
					remainingEligibleMissingKeys: rwsetKeys{key: {}}, resolvedAsToReconcileLater: rwsetKeys{},
				})
				require.Equal(t, inBlock == ofChannel, string(found[key]) == string(data), "%s: %s in a channel with %s", source, inBlock, ofChannel)
			}
		}
	}
}

// TestFunctionOfRetrieval: what is retrieved for a block is compared by the function of its channel; without it nothing is.
func TestFunctionOfRetrieval(t *testing.T) {
	channelhash.Set("sm3-channel", protoutil.HashSM3)
	info, err := (&eligibilityComputer{channelID: "sm3-channel", logger: logger}).computeEligibility("Org1MSP", nil)
	require.NoError(t, err)
	require.Equal(t, protoutil.HashSM3, info.hash)
	info, err = (&eligibilityComputer{channelID: "testchannelid", logger: logger}).computeEligibility("Org1MSP", nil)
	require.NoError(t, err)
	require.Equal(t, protoutil.HashSHA256, info.hash)
	_, err = (&eligibilityComputer{channelID: "not open", logger: logger}).computeEligibility("Org1MSP", nil)
	require.ErrorContains(t, err, `the hash function of channel "not open" is not known`)
}
