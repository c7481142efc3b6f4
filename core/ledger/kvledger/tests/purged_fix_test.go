// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/kvledger"
)

// TestStateAfterPurge: a peer makes its state again from blocks whose private data were purged since, wholly or in part.
func TestStateAfterPurge(t *testing.T) {
	forBoth(t, func(t *testing.T, c hashCase, env *env, l *testLedger) {
		l.simulateDataTx("", func(s *simulator) {
			s.setPvtdata("cc1", "coll1", "key", "value")
			s.setPvtdata("cc1", "coll1", "kept", "value")
		})
		l.simulateDataTx("", func(s *simulator) { s.setPvtdata("cc1", "coll1", "alone", "value") })
		second := l.cutBlockAndCommitLegacy()
		l.simulateDataTx("", func(s *simulator) {
			s.purgePvtdata("cc1", "coll1", "key")
			s.purgePvtdata("cc1", "coll1", "alone")
			s.setPvtdata("cc1", "coll1", "beside", "value")
		})
		third := l.cutBlockAndCommitLegacy()
		verify := func(l *testLedger) {
			l.verifyPvtState("cc1", "coll1", "key", "")
			l.verifyPvtState("cc1", "coll1", "alone", "")
			l.verifyPvtState("cc1", "coll1", "kept", "value")
			l.verifyPvtState("cc1", "coll1", "beside", "value")
		}
		verify(l)

		env.closeAllLedgersAndRemoveDirContents(rebuildableStatedb | rebuildableBookkeeper)
		l = env.openTestLedger("ledger1")
		verify(l)

		first, err := l.lgr.GetPvtDataAndBlockByNum(1, nil)
		require.NoError(t, err)
		env.closeLedgerMgmt()
		require.NoError(t, kvledger.ResetAllKVLedgers(env.initializer.Config.RootFSPath))
		env.initLedgerMgmt()
		l = env.openTestLedger("ledger1")
		for _, block := range []*ledger.BlockAndPvtData{first, second, third} {
			require.NoError(t, l.lgr.CommitLegacy(&ledger.BlockAndPvtData{Block: block.Block}, &ledger.CommitOptions{FetchPvtDataFromLedger: true}))
		}
		verify(l)
	})
}
