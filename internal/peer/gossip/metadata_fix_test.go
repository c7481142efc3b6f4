// SPDX-License-Identifier: Apache-2.0

package gossip

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/internal/peer/gossip/mocks"
	"github.com/hyperledger/fabric/protoutil"
)

// anybody is a policy that all signatures satisfy.
type anybody struct{ policies.Policy }

func (anybody) EvaluateSignedData([]*protoutil.SignedData) error { return nil }

// TestMetadataOfReceivedBlocks: a block of the channel whose metadata were added to on the way is refused, and so is asked for elsewhere.
func TestMetadataOfReceivedBlocks(t *testing.T) {
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	managers := map[string]policies.Manager{"C": &mocks.ChannelPolicyManager{Policy: anybody{}}}
	service := newService(&mocks.ChannelPolicyManagerGetterWithManager{Managers: managers}, csp)
	signer := &mocks.SignerSerializer{}
	block, _ := mockBlock(t, "C", 42, signer, nil)
	require.NoError(t, service.VerifyBlock([]byte("C"), 42, block))

	genuine := block.Metadata.Metadata
	block.Metadata.Metadata = append(genuine[:len(genuine):len(genuine)], make([]byte, 20<<20))
	require.ErrorContains(t, service.VerifyBlock([]byte("C"), 42, block), "of metadata")

	block.Metadata.Metadata = append([][]byte{}, genuine...)
	signed := &common.Metadata{}
	for range 1001 {
		signed.Signatures = append(signed.Signatures, &common.MetadataSignature{})
	}
	block.Metadata.Metadata[common.BlockMetadataIndex_SIGNATURES] = protoutil.MarshalOrPanic(signed)
	require.ErrorContains(t, service.VerifyBlock([]byte("C"), 42, block), "1001 signatures")
}
