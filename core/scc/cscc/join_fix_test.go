// SPDX-License-Identifier: Apache-2.0

package cscc

import (
	"errors"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp/sw"
	configtxtest "github.com/hyperledger/fabric/common/configtx/test"
	"github.com/hyperledger/fabric/core/scc/cscc/mocks"
	"github.com/hyperledger/fabric/protoutil"
)

// Who may not join has the peer do nothing with the block. A block without metadata is refused; it ended the peer.
func TestJoinByAStrangeBlock(t *testing.T) {
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	acl := &mocks.ACLProvider{}
	system := &PeerConfiger{aclProvider: acl, bccsp: provider}
	block, err := configtxtest.MakeGenesisBlock("channel")
	require.NoError(t, err)
	join := func() string {
		args := [][]byte{[]byte(JoinChain), protoutil.MarshalOrPanic(block)}
		return system.InvokeNoShim(args, &pb.SignedProposal{}).Message
	}
	for _, metadata := range []*common.BlockMetadata{nil, {}, {Metadata: make([][]byte, common.BlockMetadataIndex_TRANSACTIONS_FILTER)}} {
		block.Metadata = metadata
		acl.CheckACLReturns(errors.New("no admin"))
		require.Equal(t, "access denied for [JoinChain][channel]: [no admin]", join())
		acl.CheckACLReturns(nil)
		require.Contains(t, join(), "metadata entries, and upstream reads the one at 2; use the first block as configtxgen or an orderer gave it")
	}
	require.Equal(t, 6, acl.CheckACLCallCount())
}

// TestJoinByAPath: the name of a channel becomes a path.
func TestJoinByAPath(t *testing.T) {
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	for name, good := range map[string]bool{"channel": true, "Old": true, "x/../other": false, "..": false} {
		block, err := configtxtest.MakeGenesisBlock(name)
		require.NoError(t, err)
		err = validateConfigBlock(block, provider)
		if good {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, "refusing to join channel", name)
	}
}
