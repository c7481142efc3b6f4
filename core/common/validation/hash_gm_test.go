// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/crypto/sm3"
	"github.com/hyperledger/fabric/protoutil"
)

// Upstream's tests call these by the names that they have upstream.

func ValidateTransaction(e *common.Envelope, csp bccsp.BCCSP) (*common.Payload, peer.TxValidationCode) {
	return ValidateTransactionOf(protoutil.HashSHA256, e, csp)
}

func validateEndorserTransaction(data []byte, header *common.Header) error {
	return validateEndorserTransactionOf(protoutil.HashSHA256, data, header)
}

// TestProposalHash: the hash of the proposal that is endorsed must be of the channel's function.
func TestProposalHash(t *testing.T) {
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	proposal, err := getProposal("testchannelid")
	require.NoError(t, err)
	response, err := protoutil.CreateProposalResponse(proposal.Header, proposal.Payload, &peer.Response{Status: 200}, []byte("results"), nil, getChaincodeID(), signer)
	require.NoError(t, err)
	header, err := protoutil.UnmarshalHeader(proposal.Header)
	require.NoError(t, err)
	payload, err := protoutil.UnmarshalChaincodeProposalPayload(proposal.Payload)
	require.NoError(t, err)
	inTransaction, err := protoutil.GetBytesProposalPayloadForTx(payload)
	require.NoError(t, err)
	hashed := bytes.Join([][]byte{header.ChannelHeader, header.SignatureHeader, inTransaction}, nil)
	bySHA256, bySM3 := sha256.Sum256(hashed), sm3.Sum(hashed)

	for name, test := range map[string]struct {
		hash []byte
		fits protoutil.HashFunction
	}{"SHA-256": {bySHA256[:], protoutil.HashSHA256}, "SM3": {bySM3[:], protoutil.HashSM3}, "none": {nil, 255}} {
		endorsed, err := protoutil.UnmarshalProposalResponsePayload(response.Payload)
		require.NoError(t, err)
		endorsed.ProposalHash = test.hash
		response.Payload = protoutil.MarshalOrPanic(endorsed)
		tx, err := protoutil.CreateSignedTx(proposal, signer, response)
		require.NoError(t, err)
		for _, f := range []protoutil.HashFunction{protoutil.HashSHA256, protoutil.HashSM3} {
			expected := peer.TxValidationCode_INVALID_ENDORSER_TRANSACTION
			if f == test.fits {
				expected = peer.TxValidationCode_VALID
			}
			_, code := ValidateTransactionOf(f, tx, csp)
			require.Equal(t, expected, code, "a hash of %s in a channel with %s", name, f)
		}
	}
}
