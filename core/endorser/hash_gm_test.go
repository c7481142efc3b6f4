// SPDX-License-Identifier: Apache-2.0

package endorser_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/sm3"
	"github.com/hyperledger/fabric/core/endorser"
	"github.com/hyperledger/fabric/core/ledger/channelhash"
	"github.com/hyperledger/fabric/protoutil"
)

func init() { channelhash.Set("channel-id", protoutil.HashSHA256) } // the channel of upstream's tests

// TestProposalHash: a proposal is hashed by the function of its channel. For an unknown channel there is no hash that a transaction
// could have.
func TestProposalHash(t *testing.T) {
	channelhash.Set("sm3-channel", protoutil.HashSM3)
	for channel, sum := range map[string]func([]byte) []byte{
		"":            func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
		"channel-id":  func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
		"sm3-channel": func(b []byte) []byte { s := sm3.Sum(b); return s[:] },
		"not open":    func([]byte) []byte { return nil },
	} {
		extension := protoutil.MarshalOrPanic(&pb.ChaincodeHeaderExtension{ChaincodeId: &pb.ChaincodeID{Name: "asset"}})
		header := &cb.Header{
			ChannelHeader: protoutil.MarshalOrPanic(&cb.ChannelHeader{
				Type: int32(cb.HeaderType_ENDORSER_TRANSACTION), ChannelId: channel, Extension: extension,
			}),
			SignatureHeader: protoutil.MarshalOrPanic(&cb.SignatureHeader{Creator: []byte("creator"), Nonce: []byte("nonce")}),
		}
		input := protoutil.MarshalOrPanic(&pb.ChaincodeInvocationSpec{ChaincodeSpec: &pb.ChaincodeSpec{Input: &pb.ChaincodeInput{}}})
		proposal := &pb.Proposal{
			Header: protoutil.MarshalOrPanic(header),
			Payload: protoutil.MarshalOrPanic(&pb.ChaincodeProposalPayload{
				Input: input, TransientMap: map[string][]byte{"secret": []byte("x")},
			}),
		}
		up, err := endorser.UnpackProposal(&pb.SignedProposal{ProposalBytes: protoutil.MarshalOrPanic(proposal)})
		require.NoError(t, err)
		inTransaction := protoutil.MarshalOrPanic(&pb.ChaincodeProposalPayload{Input: input})
		hashed := bytes.Join([][]byte{header.ChannelHeader, header.SignatureHeader, inTransaction}, nil)
		require.Equal(t, sum(hashed), up.ProposalHash, "channel %q", channel)
	}
}
