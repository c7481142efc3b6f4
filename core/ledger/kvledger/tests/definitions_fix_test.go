// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"strings"
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/common/ccprovider"
	"github.com/hyperledger/fabric/core/scc/lscc"
)

// TestOddDefinitions commits what one member can have written to lscc below V2_0: no block may stop a peer, nor any start.
func TestOddDefinitions(t *testing.T) {
	env := newEnv(t)
	defer env.cleanup()
	env.initLedgerMgmt()
	l := env.createTestLedgerFromGenesisBlk("ledger1")
	definition := func(version string) string {
		bytes, err := proto.Marshal(&ccprovider.ChaincodeData{Name: "cc", Version: version})
		require.NoError(t, err)
		return string(bytes)
	}
	odd, err := proto.Marshal(&peer.CollectionConfigPackage{Config: []*peer.CollectionConfig{{}}})
	require.NoError(t, err)

	blocks := []map[string]string{
		{"cc": "", "cc~collection": string(odd)}, // no text: deleted
		{"~collection": string(odd)},
		{"unreadable": "\xff"},
		{"cc": definition("1"), "cc~collection": "\xff"},
		{"cc": definition("2"), "cc~collection": string(odd)},
		{"cc": definition("3"), "cc~collection": string(odd)},
		{"cc": "", "cc~collection": string(odd)},
		{"cc": definition("4")},
		{"cc": "\xff"},
		{"cc": definition(strings.Repeat("5", 300))},
		{"cc": definition("6\x00")},
	}
	for _, block := range blocks {
		l.simulateDataTx("", func(s *simulator) {
			for key, value := range block {
				if value == "" {
					require.NoError(t, s.DeleteState("lscc", key))
				} else {
					s.setState("lscc", key, value)
				}
			}
		})
		l.cutBlockAndCommitLegacy()
	}
	l.verifyPubState("lscc", "cc", definition("6\x00"))
	qe, err := l.lgr.NewQueryExecutor()
	require.NoError(t, err)
	defined, err := (&lscc.DeployedCCInfoProvider{}).AllChaincodesInfo("ledger1", qe)
	qe.Done()
	require.NoError(t, err)
	require.Len(t, defined, 1)
	require.NotNil(t, defined["cc"])

	env.closeLedgerMgmt()
	env.initLedgerMgmt()
	l = env.openTestLedger("ledger1")
	l.simulateDataTx("", func(s *simulator) { s.setState("cc", "key", "value") })
	l.cutBlockAndCommitLegacy()
	l.verifyPubState("cc", "key", "value")
}
