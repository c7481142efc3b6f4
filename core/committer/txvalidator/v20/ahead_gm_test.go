// SPDX-License-Identifier: Apache-2.0

//fork:file perf: large SM2 messages of a block are hashed together, and remembered as verified

package txvalidator

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/msp/cache"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

// sm2Member returns an MSP as channels have it, with the cache of identities, and its signing identity.
func sm2Member(t testing.TB) (msp.MSP, msp.SigningIdentity) {
	t.Helper()
	dir := t.TempDir()
	writeMember(t, dir)
	folder := filepath.Join(dir, "peer", "msp")
	conf, err := msp.GetLocalMspConfig(folder, nil, "OrgMSP")
	require.NoError(t, err)
	keys, err := sw.NewFileBasedKeyStore(nil, filepath.Join(folder, "keystore"), true)
	require.NoError(t, err)
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(keys)
	require.NoError(t, err)
	bare, err := msp.New(msp.Options[msp.ProviderTypeToString(msp.FABRIC)], csp)
	require.NoError(t, err)
	member, err := cache.New(bare)
	require.NoError(t, err)
	require.NoError(t, member.Setup(conf))
	signer, err := member.GetDefaultSigningIdentity()
	require.NoError(t, err)
	return member, signer
}

// transaction is an envelope by signer with a response of the given size, endorsed a number of times.
func transaction(t testing.TB, signer msp.SigningIdentity, size, endorsements int) []byte {
	t.Helper()
	creator, err := signer.Serialize()
	require.NoError(t, err)
	sign := func(message []byte) []byte {
		signature, err := signer.Sign(message)
		require.NoError(t, err)
		return signature
	}
	response := bytes.Repeat([]byte{byte(size)}, size)
	action := &pb.ChaincodeEndorsedAction{ProposalResponsePayload: response}
	for range endorsements {
		action.Endorsements = append(action.Endorsements, &pb.Endorsement{Endorser: creator, Signature: sign(slices.Concat(response, creator))})
	}
	payload := protoutil.MarshalOrPanic(&common.Payload{
		Header: &common.Header{
			ChannelHeader:   protoutil.MarshalOrPanic(&common.ChannelHeader{Type: int32(common.HeaderType_ENDORSER_TRANSACTION)}),
			SignatureHeader: protoutil.MarshalOrPanic(&common.SignatureHeader{Creator: creator}),
		},
		Data: protoutil.MarshalOrPanic(&pb.Transaction{Actions: []*pb.TransactionAction{{
			Payload: protoutil.MarshalOrPanic(&pb.ChaincodeActionPayload{Action: action}),
		}}}),
	})
	return protoutil.MarshalOrPanic(&common.Envelope{Payload: payload, Signature: sign(payload)})
}

func TestLargeMessages(t *testing.T) {
	member, signer := sm2Member(t)
	block := &common.Block{Data: &common.BlockData{Data: [][]byte{
		transaction(t, signer, sw.AheadFrom, 2),
		transaction(t, signer, 64, 0), // small
		bytes.Repeat([]byte("no envelope"), sw.AheadFrom),
		nil,
		transaction(t, signer, 2*sw.AheadFrom, 1),
	}}}
	list := largeMessages(block, member)
	require.Len(t, list, 3+2)
	require.NotContains(t, gm.VerifyTogether(list), false, "each is what has been signed")

	require.Empty(t, largeMessages(&common.Block{}, member))
}

func TestLargeMessagesAreBounded(t *testing.T) {
	member, signer := sm2Member(t)
	data := transaction(t, signer, aheadAtMost/8, 20)
	list := largeMessages(&common.Block{Data: &common.BlockData{Data: [][]byte{data, data}}}, member)
	size := 0
	for _, s := range list {
		size += len(s.Message)
	}
	require.NotEmpty(t, list)
	require.LessOrEqual(t, size, aheadAtMost)
}

// TestLargeMessagesOfManyActions: validation refuses a transaction with several actions, so none of them is parsed ahead of it.
func TestLargeMessagesOfManyActions(t *testing.T) {
	member, signer := sm2Member(t)
	envelope, err := protoutil.UnmarshalEnvelope(transaction(t, signer, sw.AheadFrom, 2))
	require.NoError(t, err)
	payload, err := protoutil.UnmarshalPayload(envelope.Payload)
	require.NoError(t, err)
	tx, err := protoutil.UnmarshalTransaction(payload.Data)
	require.NoError(t, err)
	tx.Actions = append(tx.Actions, tx.Actions[0])
	payload.Data = protoutil.MarshalOrPanic(tx)
	envelope.Payload = protoutil.MarshalOrPanic(payload)
	list := largeMessages(&common.Block{Data: &common.BlockData{Data: [][]byte{protoutil.MarshalOrPanic(envelope)}}}, member)
	require.Len(t, list, 1, "the creator's alone")
}

// FuzzLargeMessages: a client can write anything into a transaction, and a peer that stopped over it would stop at the block again and again.
func FuzzLargeMessages(f *testing.F) {
	member, signer := sm2Member(f)
	whole := transaction(f, signer, sw.AheadFrom, 2)
	f.Add(whole)
	f.Add(whole[:len(whole)-70])
	f.Fuzz(func(t *testing.T, data []byte) {
		data = append(data, make([]byte, max(0, sw.AheadFrom-len(data)))...) // an unknown field, and then no envelope, if it is short
		list := largeMessages(&common.Block{Data: &common.BlockData{Data: [][]byte{data, data}}}, member)
		sw.VerifyAhead(list)()
	})
}
