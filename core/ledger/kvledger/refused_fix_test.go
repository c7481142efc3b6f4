// SPDX-License-Identifier: Apache-2.0

package kvledger

import (
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger"
)

// TestPrivateDataOfRefused: what a peer stores of a transaction's private data, with its block and later, by the verdict of validation.
func TestPrivateDataOfRefused(t *testing.T) {
	l, blocks := ledgerOf(t, "coll", "large")

	for code, kept := range map[peer.TxValidationCode]int{
		peer.TxValidationCode_VALID:                      2,
		peer.TxValidationCode_MVCC_READ_CONFLICT:         2,
		peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE: 1,
		peer.TxValidationCode_DUPLICATE_TXID:             1,
	} {
		for _, later := range []bool{false, true} {
			data, written := produceSamplePvtdata(t, 0, [][4]string{{"ns", "coll", "key", "value"}, {"ns", "large", "key", strings.Repeat("v", 20_000)}})
			block := &ledger.BlockAndPvtData{Block: blocks.NextBlock([][]byte{written}), PvtData: ledger.TxPvtDataMap{0: data}}
			block.Block.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = []byte{byte(code)}
			number := block.Block.Header.Number
			if later {
				block.PvtData, block.MissingPvtData = nil, ledger.TxMissingPvtData{}
				block.MissingPvtData.Add(0, "ns", "coll", true)
				block.MissingPvtData.Add(0, "ns", "large", true)
			}
			require.NoError(t, l.CommitLegacy(block, &ledger.CommitOptions{}))
			if later {
				_, err := l.CommitPvtDataOfOldBlocks([]*ledger.ReconciledPvtdata{{BlockNum: number, WriteSets: ledger.TxPvtDataMap{0: data}}}, nil)
				require.NoError(t, err)
			}
			stored, err := l.GetPvtDataByNum(number, nil)
			require.NoError(t, err)
			full := 0
			for _, c := range stored[0].WriteSet.NsPvtRwset[0].CollectionPvtRwset {
				if len(c.Rwset) > 0 {
					full++
				}
			}
			require.Equal(t, kept, full, "%s, later: %v", code, later)
			missing, err := l.pvtdataStore.GetMissingPvtDataInfoForMostRecentBlocks(number, 10)
			require.NoError(t, err)
			require.Empty(t, missing, "%s, later: %v", code, later)
		}
	}
}
