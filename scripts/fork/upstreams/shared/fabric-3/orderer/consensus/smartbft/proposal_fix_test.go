// SPDX-License-Identifier: Apache-2.0

package smartbft_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	"github.com/hyperledger-labs/SmartBFT/smartbftprotos"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft/mocks"
	"github.com/hyperledger/fabric/protoutil"
)

const (
	maxCount = 10
	maxBytes = 4096
)

// proposing is a leader's assembler and another consenter's verifier, of a channel whose last block is block 19.
func proposing(t *testing.T) (*smartbft.Assembler, *smartbft.Verifier, *smartbft.Signer) {
	logger := flogging.MustGetLogger("test")
	last := makeNonConfigBlock(19, 10)
	rtc := &atomic.Value{}
	rtc.Store(smartbft.RuntimeConfig{
		BFTConfig:              types.Configuration{RequestBatchMaxCount: maxCount, RequestBatchMaxBytes: maxBytes},
		LastCommittedBlockHash: hex.EncodeToString(protoutil.BlockHeaderHash(last.Header)),
		LastBlock:              last,
		LastConfigBlock:        makeConfigBlock(10),
		ID2Identities:          map[uint64][]byte{3: {0, 2, 4, 6}},
	})
	sequencer := &mocks.Sequencer{}
	sequencer.On("Sequence").Return(uint64(12))
	clients, consenters := &mocks.AccessController{}, &mocks.ConsenterVerifier{}
	clients.On("Evaluate", mock.Anything).Return(nil)
	consenters.On("Evaluate", mock.Anything).Return(nil)
	configs := mocks.NewConfigValidator(t)
	configs.EXPECT().ValidateConfig(mock.Anything).Return(nil).Maybe()
	signing := &mocks.SignerSerializer{}
	signing.On("Sign", mock.Anything).Return([]byte{1, 2, 3}, nil)
	verifier := &smartbft.Verifier{
		Channel: "test-chain", RuntimeConfig: rtc, Logger: logger, VerificationSequencer: sequencer, AccessController: clients,
		ConsenterVerifier: consenters, ConfigValidator: configs, ReqInspector: &smartbft.RequestInspector{
			ValidateIdentityStructure: func(*msp.SerializedIdentity) error { return nil }, Logger: logger,
		},
	}
	signer := &smartbft.Signer{ID: 3, SignerSerializer: signing, Logger: logger, LastConfigBlockNum: func(block *cb.Block) uint64 {
		if protoutil.IsConfigBlock(block) {
			return block.Header.Number
		}
		return 10
	}}
	return &smartbft.Assembler{RuntimeConfig: rtc, VerificationSeq: verifier.VerificationSequence, Logger: logger}, verifier, signer
}

// sized is an endorser transaction of size bytes.
func sized(t *testing.T, size int) []byte {
	env := &cb.Envelope{}
	require.NoError(t, proto.Unmarshal(nonConfigTx, env))
	env.Signature = nil
	env.Signature = make([]byte, size-proto.Size(env)-3) // a tag, and a length of two bytes
	raw := protoutil.MarshalOrPanic(env)
	require.Len(t, raw, size)
	return raw
}

// configUpdate is a config transaction with an update, as the orderer makes them.
func configUpdate(t *testing.T) []byte {
	env := &cb.Envelope{}
	require.NoError(t, proto.Unmarshal(configTx, env))
	payload := protoutil.UnmarshalPayloadOrPanic(env.Payload)
	payload.Data = protoutil.MarshalOrPanic(&cb.ConfigEnvelope{LastUpdate: &cb.Envelope{Payload: protoutil.MarshalOrPanic(payload)}})
	env.Payload = protoutil.MarshalOrPanic(payload)
	return protoutil.MarshalOrPanic(env)
}

// TestHonestProposals: what the assembler makes of a batch within BatchSize is accepted, and so is its consenters' vote.
func TestHonestProposals(t *testing.T) {
	assembler, verifier, signer := proposing(t)
	view := &smartbftprotos.ViewMetadata{LatestSequence: 1, ViewId: 2}
	digest := sha256.Sum256(nil)
	rotating := &smartbftprotos.ViewMetadata{
		LatestSequence: 1 << 40, ViewId: 1 << 40, DecisionsInView: 3, BlackList: []uint64{1, 1 << 40}, PrevCommitSignatureDigest: digest[:],
	}
	oddForm := append(bytes.Clone(nonConfigTx), 0x78, 1) // a client's bytes are its own matter
	for name, c := range map[string]struct {
		view     *smartbftprotos.ViewMetadata
		requests [][]byte
	}{
		"one transaction":      {view, [][]byte{nonConfigTx}},
		"MaxMessageCount":      {view, slices.Repeat([][]byte{nonConfigTx}, maxCount)},
		"AbsoluteMaxBytes":     {rotating, [][]byte{sized(t, maxBytes-1000), sized(t, 1000)}},
		"a configuration":      {view, [][]byte{configUpdate(t)}},
		"leaders that rotate":  {rotating, [][]byte{nonConfigTx}},
		"a client's odd bytes": {view, [][]byte{oddForm}},
		"an empty view":        {&smartbftprotos.ViewMetadata{}, [][]byte{nonConfigTx}},
	} {
		t.Run(name, func(t *testing.T) {
			proposal := assembler.AssembleProposal(protoutil.MarshalOrPanic(c.view), c.requests)
			infos, err := verifier.VerifyProposal(proposal)
			require.NoError(t, err)
			require.Len(t, infos, len(c.requests))
			_, err = verifier.VerifyConsenterSig(*signer.SignProposal(proposal, nil), proposal)
			require.NoError(t, err)
		})
	}
}

type asn1Header struct {
	Number                 *big.Int
	PreviousHash, DataHash []byte
}

func changeNumber(p *types.Proposal, number *big.Int) {
	header := &asn1Header{}
	if _, err := asn1.Unmarshal(p.Header, header); err != nil {
		panic(err)
	}
	header.Number = number
	p.Header, _ = asn1.Marshal(*header)
}

// changePayload changes the data and the metadata of a proposal's block, in their marshalled forms too.
func changePayload(t *testing.T, p *types.Proposal, change func(*smartbft.ByteBufferTuple, *cb.BlockMetadata)) {
	tuple, metadata := &smartbft.ByteBufferTuple{}, &cb.BlockMetadata{}
	require.NoError(t, tuple.FromBytes(p.Payload))
	require.NoError(t, proto.Unmarshal(tuple.B, metadata))
	tuple.B = nil
	change(tuple, metadata)
	tuple.B = append(protoutil.MarshalOrPanic(metadata), tuple.B...)
	p.Payload = tuple.ToBytes()
}

// changeEntry changes one entry of the metadata of a proposal's block.
func changeEntry(t *testing.T, p *types.Proposal, index cb.BlockMetadataIndex, change func(*cb.Metadata)) {
	changePayload(t, p, func(_ *smartbft.ByteBufferTuple, m *cb.BlockMetadata) {
		entry := &cb.Metadata{}
		require.NoError(t, proto.Unmarshal(m.Metadata[index], entry))
		change(entry)
		m.Metadata[index] = protoutil.MarshalOrPanic(entry)
	})
}

// TestDishonestProposals: an honest proposal that is changed in one place is refused.
func TestDishonestProposals(t *testing.T) {
	assembler, verifier, _ := proposing(t)
	const header, payload, view = "its header, with the number", "the metadata of block 20, or the form", "the view metadata of block 20 have"
	unknown := []byte{0x78, 1}
	for name, c := range map[string]struct {
		change func(t *testing.T, p *types.Proposal)
		want   string
	}{
		"another number":          {func(_ *testing.T, p *types.Proposal) { changeNumber(p, big.NewInt(4711)) }, header + " 4711, is not the one that block 20"},
		"the last number":         {func(_ *testing.T, p *types.Proposal) { changeNumber(p, big.NewInt(19)) }, header},
		"a negative number":       {func(_ *testing.T, p *types.Proposal) { changeNumber(p, big.NewInt(-20)) }, header},
		"a number of 65 bits":     {func(_ *testing.T, p *types.Proposal) { changeNumber(p, new(big.Int).SetBit(big.NewInt(20), 64, 1)) }, header},
		"bytes after the header":  {func(_ *testing.T, p *types.Proposal) { p.Header = append(p.Header, 0) }, header},
		"bytes after the payload": {func(_ *testing.T, p *types.Proposal) { p.Payload = append(p.Payload, 0) }, payload},
		"one entry more": {func(t *testing.T, p *types.Proposal) {
			changePayload(t, p, func(_ *smartbft.ByteBufferTuple, m *cb.BlockMetadata) { m.Metadata = append(m.Metadata, []byte("x")) })
		}, payload},
		"a filter of transactions": {func(t *testing.T, p *types.Proposal) {
			changePayload(t, p, func(_ *smartbft.ByteBufferTuple, m *cb.BlockMetadata) {
				m.Metadata[cb.BlockMetadataIndex_TRANSACTIONS_FILTER] = []byte{0}
			})
		}, payload},
		"a large filter of transactions": {func(t *testing.T, p *types.Proposal) {
			changePayload(t, p, func(_ *smartbft.ByteBufferTuple, m *cb.BlockMetadata) {
				m.Metadata[cb.BlockMetadataIndex_TRANSACTIONS_FILTER] = make([]byte, 50<<20)
			})
		}, "BatchSize allows"},
		"an unknown field of the block's data": {func(t *testing.T, p *types.Proposal) {
			changePayload(t, p, func(b *smartbft.ByteBufferTuple, _ *cb.BlockMetadata) { b.A = append(b.A, unknown...) })
		}, payload},
		"an unknown field of the block's metadata": {func(t *testing.T, p *types.Proposal) {
			changePayload(t, p, func(b *smartbft.ByteBufferTuple, _ *cb.BlockMetadata) { b.B = unknown })
		}, payload},
		"an unknown field of an entry": {func(t *testing.T, p *types.Proposal) {
			changePayload(t, p, func(_ *smartbft.ByteBufferTuple, m *cb.BlockMetadata) {
				m.Metadata[cb.BlockMetadataIndex_SIGNATURES] = append(m.Metadata[cb.BlockMetadataIndex_SIGNATURES], unknown...)
			})
		}, payload},
		"an unknown field of OrdererBlockMetadata": {func(t *testing.T, p *types.Proposal) {
			changeEntry(t, p, cb.BlockMetadataIndex_SIGNATURES, func(m *cb.Metadata) { m.Value = append(m.Value, unknown...) })
		}, payload},
		"an unknown field of LastConfig": {func(t *testing.T, p *types.Proposal) {
			changeEntry(t, p, cb.BlockMetadataIndex_LAST_CONFIG, func(m *cb.Metadata) { m.Value = append(m.Value, unknown...) })
		}, payload},
		"signatures": {func(t *testing.T, p *types.Proposal) {
			changeEntry(t, p, cb.BlockMetadataIndex_SIGNATURES, func(m *cb.Metadata) { m.Signatures = []*cb.MetadataSignature{{}} })
		}, payload},
		"signatures of LastConfig": {func(t *testing.T, p *types.Proposal) {
			changeEntry(t, p, cb.BlockMetadataIndex_LAST_CONFIG, func(m *cb.Metadata) { m.Signatures = []*cb.MetadataSignature{{}} })
		}, payload},
		"an unknown field of the view metadata": {func(_ *testing.T, p *types.Proposal) {
			*p = assembler.AssembleProposal(append(p.Metadata, unknown...), [][]byte{nonConfigTx})
		}, view + " fields"},
		"a long digest": {func(_ *testing.T, p *types.Proposal) {
			*p = assembler.AssembleProposal(protoutil.MarshalOrPanic(&smartbftprotos.ViewMetadata{PrevCommitSignatureDigest: make([]byte, 33)}), [][]byte{nonConfigTx})
		}, view + " a digest of 33 bytes"},
		"one transaction too many": {func(_ *testing.T, p *types.Proposal) {
			*p = assembler.AssembleProposal(p.Metadata, slices.Repeat([][]byte{nonConfigTx}, maxCount+1))
		}, "block 20 has 11 transactions, and BatchSize.MaxMessageCount is 10"},
		"one byte too many": {func(t *testing.T, p *types.Proposal) {
			*p = assembler.AssembleProposal(p.Metadata, [][]byte{sized(t, maxBytes-1000), sized(t, 1001)})
		}, "the transactions of block 20 have 4097 bytes, and BatchSize.AbsoluteMaxBytes is 4096"},
	} {
		t.Run(name, func(t *testing.T) {
			proposal := assembler.AssembleProposal(protoutil.MarshalOrPanic(&smartbftprotos.ViewMetadata{LatestSequence: 1, ViewId: 2}), [][]byte{nonConfigTx})
			c.change(t, &proposal)
			infos, err := verifier.VerifyProposal(proposal)
			require.ErrorContains(t, err, c.want)
			require.Empty(t, infos)
		})
	}
}

// TestLyingLeader: three honest consenters refuse the proposals of the first leader, and order the transaction under another one.
func TestLyingLeader(t *testing.T) {
	const channel = "testchannel"
	for name, lie := range map[string]func(*types.Proposal){
		"another number":         func(p *types.Proposal) { changeNumber(p, big.NewInt(4711)) },
		"what nobody can commit": func(p *types.Proposal) { p.Header = append(p.Header, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			network := NewNetworkSetupInfo(t, channel, t.TempDir())
			nodes := network.CreateNodes(4)
			nodes[1].Chain.LieInProposals(lie)
			network.StartAllNodes()
			require.Eventually(t, func() bool { return network.GetAgreedLeader() == 1 }, 20*time.Second, 50*time.Millisecond)
			require.NoError(t, network.SendTxToAllAvailableNodes(createEndorserTxEnvelope("good", channel)))
			for _, id := range []uint64{2, 3, 4} {
				require.Eventually(t, func() bool { return nodes[id].State.GetLedgerHeight() == 2 }, 60*time.Second, 50*time.Millisecond)
				require.EqualValues(t, 1, nodes[id].State.GetLastBlock().Header.Number)
			}
			require.NotEqualValues(t, 1, nodes[2].Chain.GetLeaderID())
		})
	}
}
