// SPDX-License-Identifier: Apache-2.0

// Package validationtest makes transactions for tests of validators.
package validationtest

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/protoutil"
)

// WithSM3 returns the transaction with the SM3 of its proposal in place of the SHA-256, signed by its creator.
func WithSM3(t testing.TB, creator interface{ Sign([]byte) ([]byte, error) }, tx *common.Envelope) *common.Envelope {
	t.Helper()
	payload, err := protoutil.UnmarshalPayload(tx.Payload)
	require.NoError(t, err)
	transaction, err := protoutil.UnmarshalTransaction(payload.Data)
	require.NoError(t, err)
	action, err := protoutil.UnmarshalChaincodeActionPayload(transaction.Actions[0].Payload)
	require.NoError(t, err)
	endorsed, err := protoutil.UnmarshalProposalResponsePayload(action.Action.ProposalResponsePayload)
	require.NoError(t, err)
	endorsed.ProposalHash, err = protoutil.ProposalHash(protoutil.HashSM3, payload.Header, action.ChaincodeProposalPayload)
	require.NoError(t, err)
	action.Action.ProposalResponsePayload = protoutil.MarshalOrPanic(endorsed)
	transaction.Actions[0].Payload = protoutil.MarshalOrPanic(action)
	payload.Data = protoutil.MarshalOrPanic(transaction)
	signed := protoutil.MarshalOrPanic(payload)
	signature, err := creator.Sign(signed)
	require.NoError(t, err)
	return &common.Envelope{Payload: signed, Signature: signature}
}
