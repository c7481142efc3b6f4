// SPDX-License-Identifier: Apache-2.0

package identifytxs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger/kvledger"
	"github.com/hyperledger/fabric/protoutil"
)

// transactionWith is a transaction that writes the key, or whose header, data or results are others.
func transactionWith(id string, header, data, results []byte) []byte {
	if header == nil {
		header = protoutil.MarshalOrPanic(&common.ChannelHeader{TxId: id, ChannelId: "ch", Type: int32(common.HeaderType_ENDORSER_TRANSACTION)})
	}
	if results == nil {
		writes := protoutil.MarshalOrPanic(&kvrwset.KVRWSet{Writes: []*kvrwset.KVWrite{{Key: "key", Value: []byte(id)}}})
		results = protoutil.MarshalOrPanic(&rwset.TxReadWriteSet{NsRwset: []*rwset.NsReadWriteSet{{Namespace: "cc", Rwset: writes}}})
	}
	if data == nil {
		response := protoutil.MarshalOrPanic(&peer.ProposalResponsePayload{Extension: protoutil.MarshalOrPanic(&peer.ChaincodeAction{Results: results})})
		data = protoutil.MarshalOrPanic(&peer.Transaction{Actions: []*peer.TransactionAction{{Payload: protoutil.MarshalOrPanic(
			&peer.ChaincodeActionPayload{Action: &peer.ChaincodeEndorsedAction{ProposalResponsePayload: response}})}}})
	}
	return protoutil.MarshalOrPanic(&common.Envelope{Payload: protoutil.MarshalOrPanic(
		&common.Payload{Header: &common.Header{ChannelHeader: header}, Data: data})})
}

// TestMalformedTransactions: the search goes on behind messages of every kind that cannot be read.
func TestMalformedTransactions(t *testing.T) {
	dir := t.TempDir()
	junk := []byte{0xff}
	messages := [][]byte{
		junk,
		protoutil.MarshalOrPanic(&common.Envelope{Payload: junk}),
		protoutil.MarshalOrPanic(&common.Envelope{}),
		transactionWith("header", junk, nil, nil),
		transactionWith("data", nil, junk, nil),
		transactionWith("no action", nil, protoutil.MarshalOrPanic(&peer.Transaction{}), nil),
		transactionWith("results", nil, nil, junk),
		transactionWith("good", nil, nil, nil),
	}
	chains := kvledger.BlockStorePath(filepath.Join(dir, ledgersDataDirName))
	require.NoError(t, os.MkdirAll(filepath.Join(chains, "chains"), 0o700)) // an empty folder is refused
	provider, err := getBlockStoreProvider(dir)
	require.NoError(t, err)
	store, err := provider.Open("ch")
	require.NoError(t, err)
	var last []byte
	for number, data := range [][][]byte{{transactionWith("first", nil, nil, nil)}, messages} {
		block := protoutil.NewBlock(uint64(number), last)
		block.Data.Data = data
		block.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = make([]byte, len(data))
		require.NoError(t, store.AddBlock(block))
		last = protoutil.BlockHeaderHash(block.Header)
	}
	store.Shutdown()
	provider.Close()

	records := filepath.Join(dir, "records.json")
	require.NoError(t, os.WriteFile(records, []byte(`{"ledgerid":"ch","diffRecords":[{"namespace":"cc","key":"key","hashed":false,
		"snapshotrecord1":{"value":"a","blockNum":1,"txNum":7},"snapshotrecord2":{"value":"b","blockNum":1,"txNum":7}}]}`), 0o600))
	_, _, err = IdentifyTxs(records, dir, dir)
	require.NoError(t, err)
	found, err := filepath.Glob(filepath.Join(dir, "ch_identified_transactions", "*"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	text, err := os.ReadFile(found[0])
	require.NoError(t, err)
	require.Contains(t, string(text), `"good"`)
}
