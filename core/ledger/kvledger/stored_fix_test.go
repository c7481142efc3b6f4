// SPDX-License-Identifier: Apache-2.0

package kvledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/ledger/testutil"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/pvtdatastorage"
	"github.com/hyperledger/fabric/protoutil"
)

// TestStopBeforePurge: a peer stops when it has stored a block with a purge, but not yet its effects on the state. At its next start it does
// the purge in the state too.
func TestStopBeforePurge(t *testing.T) {
	conf := ledgerConfig(t)
	collections := []*nsCollBtlConfig{{namespace: "ns", btlConfig: map[string]uint64{"coll": 0}}}
	provider := testutilNewProviderWithCollectionConfig(t, collections, conf)
	blocks, genesis := testutil.NewBlockGenerator(t, "testLedger", false)
	opened, err := provider.CreateFromGenesisBlock(genesis)
	require.NoError(t, err)
	l := opened.(*kvLedger)
	commitCollectionConfigsHistoryAndDummyBlock(t, provider, l, collections, blocks)
	data, written := produceSamplePvtdata(t, 0, [][4]string{{"ns", "coll", "purged", "value"}, {"ns", "coll", "kept", "value"}})
	require.NoError(t, l.commit(&ledger.BlockAndPvtData{Block: blocks.NextBlock([][]byte{written}), PvtData: ledger.TxPvtDataMap{0: data}}, &ledger.CommitOptions{}))

	purge, purged := purgeKeyTransaction(t, [][3]string{{"ns", "coll", "purged"}})
	block := &ledger.BlockAndPvtData{Block: blocks.NextBlock([][]byte{purged}), PvtData: ledger.TxPvtDataMap{0: purge}}
	_, _, _, err = l.txmgr.ValidateAndPrepare(block, true)
	require.NoError(t, err)
	hash := protoutil.HashSHA256.Sum([]byte("purged"))
	require.NoError(t, l.commitToPvtAndBlockStore(block, []*pvtdatastorage.PurgeMarker{{Ns: "ns", Coll: "coll", PvtkeyHash: hash}}))
	l.Close()
	provider.Close()

	provider = testutilNewProviderWithCollectionConfig(t, collections, conf)
	defer provider.Close()
	opened, err = provider.Open("testLedger")
	require.NoError(t, err)
	l = opened.(*kvLedger)
	state := l.hashProvider.(*ledgerHash).stateDB // without the comparison of versions that a chaincode gets
	value, err := state.GetPrivateData("ns", "coll", "kept")
	require.NoError(t, err)
	require.Equal(t, "value", string(value.Value))
	value, err = state.GetPrivateData("ns", "coll", "purged")
	require.NoError(t, err)
	require.Nil(t, value, "the state still has it")
}
