// SPDX-License-Identifier: Apache-2.0

//fork:file perf: what the memo may not decide

package msp_test

import (
	"bytes"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	m "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/common/cauthdsl"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// quorum is four consenters of SmartBFT, and the policy that upstream makes of them.
type quorum struct {
	members    []*msp.Member
	consenters []*cb.Consenter
	verify     protoutil.BlockVerifierFunc
}

func newQuorum(t *testing.T, org *msp.Organisation) *quorum {
	t.Helper()
	q := &quorum{}
	for id := range uint32(4) {
		member, identity := org.Peer(t, time.Now().Add(time.Hour)), &m.SerializedIdentity{}
		require.NoError(t, proto.Unmarshal(member.Serialized(), identity))
		q.members = append(q.members, member)
		q.consenters = append(q.consenters, &cb.Consenter{Id: id + 1, MspId: identity.Mspid, Identity: identity.IdBytes})
	}
	group := &cb.ConfigGroup{Policies: map[string]*cb.ConfigPolicy{policies.BlockValidationPolicyKey: {}}}
	policies.EncodeBFTBlockVerificationPolicy(q.consenters, group)
	policy, _, err := cauthdsl.NewPolicyProvider(newMSP(t, org.Config(t))).NewPolicy(group.Policies[policies.BlockValidationPolicyKey].Policy.Value)
	require.NoError(t, err)
	q.verify = protoutil.BlockSignatureVerifier(true, q.consenters, policy)
	return q
}

// signedValue is what the orderers say of a block.
var signedValue = protoutil.MarshalOrPanic(&cb.OrdererBlockMetadata{LastConfig: &cb.LastConfig{Index: 3}})

// sign is the signature of a block by a member, in the name of the consenter with that number.
func sign(t *testing.T, header *cb.BlockHeader, member *msp.Member, id uint32) *cb.MetadataSignature {
	t.Helper()
	identifier := protoutil.MarshalOrPanic(&cb.IdentifierHeader{Identifier: id})
	message := bytes.Join([][]byte{signedValue, identifier, protoutil.BlockHeaderBytes(header)}, nil)
	return &cb.MetadataSignature{IdentifierHeader: identifier, Signature: member.Sign(t, message)}
}

func (q *quorum) check(header *cb.BlockHeader, signatures ...*cb.MetadataSignature) error {
	metadata := protoutil.MarshalOrPanic(&cb.Metadata{Value: signedValue, Signatures: signatures})
	return q.verify(header, &cb.BlockMetadata{Metadata: [][]byte{cb.BlockMetadataIndex_SIGNATURES: metadata}})
}

// A block of SmartBFT has the signatures of three of four consenters. Nothing else counts for one of them, and what the memo knows of a signature
// lets none count for more.
func TestBlocksHaveTheSignaturesOfAQuorum(t *testing.T) {
	msp.EachOrganisation(t, func(t *testing.T, org *msp.Organisation) {
		for _, memo := range []string{"computed", "remembered"} {
			t.Run(memo, func(t *testing.T) {
				if memo == "remembered" {
					hits := observe(t)
					defer func() { require.NotZero(t, hits.Load(), "nothing was remembered") }()
				}
				q := newQuorum(t, org)
				header := &cb.BlockHeader{Number: 7, PreviousHash: []byte("before"), DataHash: []byte("data")}
				next := &cb.BlockHeader{Number: 8, PreviousHash: []byte("before"), DataHash: []byte("data")}
				first, second := sign(t, header, q.members[0], 1), sign(t, header, q.members[1], 2)
				third, fourth := sign(t, header, q.members[2], 3), sign(t, header, q.members[3], 4)
				require.NoError(t, q.check(header, first, second, third))
				require.NoError(t, q.check(header, fourth, third, second, first))

				stranger := org.Peer(t, time.Now().Add(time.Hour))
				damaged := proto.Clone(third).(*cb.MetadataSignature)
				damaged.Signature[len(damaged.Signature)-1] ^= 1
				for name, one := range map[string]*cb.MetadataSignature{
					"one that is there already":              second,
					"of the block after it":                  sign(t, next, q.members[2], 3),
					"damaged":                                damaged,
					"of another in a consenter's name":       sign(t, header, stranger, 3),
					"of a consenter in another's name":       sign(t, header, q.members[1], 3),
					"of a number that no consenter has":      sign(t, header, q.members[2], 9),
					"of a consenter that nobody can look up": {Signature: third.Signature},
				} {
					require.Error(t, q.check(header, first, second, one), name)
				}
				require.Error(t, q.check(header, first, second), "two of four")
				require.Error(t, q.check(header), "none")
				require.Error(t, q.check(next, first, second, third), "signatures of another block")
			})
		}
	})
}
