// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/protoutil"
)

type filteredStream struct {
	peer.Deliver_DeliverFilteredServer
	got *peer.DeliverResponse
}

func (s *filteredStream) Send(response *peer.DeliverResponse) error {
	s.got = response
	return nil
}

// TestFilteredBlockWithMalformedTransactions: the verdicts on all transactions of a block are in its filtered form, and the events of those
// that can be read.
func TestFilteredBlockWithMalformedTransactions(t *testing.T) {
	message := func(id string, data []byte) []byte {
		header := &common.ChannelHeader{TxId: id, Type: int32(common.HeaderType_ENDORSER_TRANSACTION)}
		return protoutil.MarshalOrPanic(&common.Envelope{Payload: protoutil.MarshalOrPanic(&common.Payload{
			Header: &common.Header{ChannelHeader: protoutil.MarshalOrPanic(header)}, Data: data,
		})})
	}
	action := func(payload []byte) []byte {
		return protoutil.MarshalOrPanic(&peer.Transaction{Actions: []*peer.TransactionAction{{Payload: payload}}})
	}
	event := protoutil.MarshalOrPanic(&peer.ChaincodeEvent{ChaincodeId: "cc", EventName: "event"})
	response := &peer.ProposalResponsePayload{Extension: protoutil.MarshalOrPanic(&peer.ChaincodeAction{Events: event})}
	good := action(protoutil.MarshalOrPanic(&peer.ChaincodeActionPayload{
		Action: &peer.ChaincodeEndorsedAction{ProposalResponsePayload: protoutil.MarshalOrPanic(response)},
	}))
	block := protoutil.NewBlock(7, nil)
	block.Data.Data = [][]byte{
		message("0", []byte{0xff}), message("1", action([]byte{0xff})), message("2", action([]byte{0x12, 3, 0x0a, 1, 0xff})), message("3", good),
		// What only a consenter can put in a block has no name.
		protoutil.MarshalOrPanic(&common.Envelope{Payload: []byte{0xff}}),
		protoutil.MarshalOrPanic(&common.Envelope{Payload: protoutil.MarshalOrPanic(&common.Payload{Header: &common.Header{ChannelHeader: []byte{0xff}}})}),
	}
	block.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = []byte{22, 22, 22, 0, 2, 2}

	listener := &filteredStream{}
	require.NoError(t, (&filteredBlockResponseSender{listener}).SendBlockResponse(block, "", nil, nil))
	filtered := listener.got.GetFilteredBlock()
	require.NotNil(t, filtered)
	require.Len(t, filtered.FilteredTransactions, 4)
	for i, tx := range filtered.FilteredTransactions {
		actions := tx.GetTransactionActions()
		require.NotNil(t, actions)
		if i < 3 {
			require.Empty(t, actions.ChaincodeActions)
			require.EqualValues(t, 22, tx.TxValidationCode)
		} else {
			require.Equal(t, "event", actions.ChaincodeActions[0].ChaincodeEvent.EventName)
			require.EqualValues(t, 0, tx.TxValidationCode)
		}
	}
}
