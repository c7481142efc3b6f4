// SPDX-License-Identifier: Apache-2.0

package protoutil

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
)

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

// configBlock is block number of a channel whose configuration names the algorithm; its data hash is not filled in.
func configBlock(number uint64, algorithm string) *cb.Block {
	block := NewBlock(number, nil)
	group := NewConfigGroup()
	group.Values["HashingAlgorithm"] = &cb.ConfigValue{Value: MarshalOrPanic(&cb.HashingAlgorithm{Name: algorithm})}
	header := MakePayloadHeader(MakeChannelHeader(cb.HeaderType_CONFIG, 0, "chan", 0), MakeSignatureHeader(nil, nil))
	payload := &cb.Payload{Header: header, Data: MarshalOrPanic(&cb.ConfigEnvelope{Config: &cb.Config{ChannelGroup: group}})}
	block.Data = &cb.BlockData{Data: [][]byte{MarshalOrPanic(&cb.Envelope{Payload: MarshalOrPanic(payload)})}}
	return block
}

// TestKnownHashes compares with what "openssl dgst -sm3" gives for the data and for the header's DER.
func TestKnownHashes(t *testing.T) {
	data := &cb.BlockData{Data: [][]byte{[]byte("one"), []byte("two")}}
	previous := append(unhex(t, "cda60120"), bytes.Repeat([]byte{0x11}, 32)...)
	header := &cb.BlockHeader{Number: 7, PreviousHash: previous}
	header.DataHash = ChannelDataHash(header, data)
	require.Equal(t, "cda60120418728beacd10cf516d9511d1dae4bcb6e223eee18a1ca225176377ef5ea59ae", hex.EncodeToString(header.DataHash))
	require.Equal(t, "cda601204836cc4d94b65ad02262eddc84cbadd3c39668ede51d781d1746944b9c4714ed", hex.EncodeToString(BlockHeaderHash(header)))
}

// TestOldChannelsAreHashedAsBefore: without a tagged hash before it, a block is hashed as upstream hashes.
func TestOldChannelsAreHashedAsBefore(t *testing.T) {
	genesis := configBlock(0, "SHA256")
	sum := sha256.Sum256(genesis.Data.Data[0])
	require.Equal(t, sum[:], ChannelDataHash(genesis.Header, genesis.Data))
	next := &cb.BlockHeader{Number: 1, PreviousHash: BlockHeaderHash(genesis.Header)}
	data := &cb.BlockData{Data: [][]byte{[]byte("one"), []byte("two")}}
	sum = sha256.Sum256([]byte("onetwo"))
	require.Equal(t, sum[:], ChannelDataHash(next, data))
	require.Len(t, BlockHeaderHash(next), 32)
	require.NoError(t, CheckConfigBlockHash(genesis)) // and no more is asked of it than before
}

// TestAlgorithmFollowsTheFirstBlock: a block of the other algorithm has another hash than the chain asks for, so every place that
// compares refuses it.
func TestAlgorithmFollowsTheFirstBlock(t *testing.T) {
	genesis := configBlock(0, SM3)
	genesis.Header.DataHash = ChannelDataHash(genesis.Header, genesis.Data)
	require.True(t, isSM3(genesis.Header.DataHash))
	require.NoError(t, CheckConfigBlockHash(genesis))

	data := &cb.BlockData{Data: [][]byte{[]byte("one")}}
	header := &cb.BlockHeader{Number: 1, PreviousHash: BlockHeaderHash(genesis.Header)}
	require.True(t, isSM3(header.PreviousHash))
	right := ChannelDataHash(header, data)
	require.True(t, isSM3(right))

	downgraded := &cb.BlockHeader{Number: 1, PreviousHash: header.PreviousHash}
	sum := sha256.Sum256([]byte("one"))
	downgraded.DataHash = sum[:]
	require.NotEqual(t, downgraded.DataHash, ChannelDataHash(downgraded, data))
	require.True(t, isSM3(BlockHeaderHash(downgraded)), "its header is hashed as the chain's, whatever its data hash says")

	old := &cb.BlockHeader{Number: 1, PreviousHash: sum[:], DataHash: right}
	require.NotEqual(t, old.DataHash, ChannelDataHash(old, data))
	require.False(t, isSM3(BlockHeaderHash(old)))
}

func TestJoinBlocks(t *testing.T) {
	sm3Genesis := func(change func(*cb.Block)) *cb.Block {
		block := configBlock(0, SM3)
		block.Header.DataHash = ChannelDataHash(block.Header, block.Data)
		change(block)
		return block
	}
	later := func(previous []byte) *cb.Block {
		block := configBlock(4, SM3)
		block.Header.PreviousHash = previous
		block.Header.DataHash = ChannelDataHash(block.Header, block.Data)
		return block
	}
	tagged := append(unhex(t, "cda60120"), bytes.Repeat([]byte{0x11}, 32)...)
	for name, test := range map[string]struct {
		block *cb.Block
		want  string
	}{
		"first":                      {sm3Genesis(func(*cb.Block) {}), ""},
		"later":                      {later(tagged), ""},
		"first, data changed":        {sm3Genesis(func(b *cb.Block) { b.Header.DataHash[35] ^= 1 }), "is not the SM3 of them"},
		"first, SHA-256 of its data": {sm3Genesis(func(b *cb.Block) { s := sha256.Sum256(b.Data.Data[0]); b.Header.DataHash = s[:] }), "is not the SM3 of them"},
		"first, other tag":           {sm3Genesis(func(b *cb.Block) { b.Header.DataHash[0] = 0x12 }), "is not the SM3 of them"},
		"first, cut":                 {sm3Genesis(func(b *cb.Block) { b.Header.DataHash = b.Header.DataHash[:35] }), "is not the SM3 of them"},
		"later, previous by SHA-256": {later(bytes.Repeat([]byte{0x11}, 32)), "its previous hash is not one of SM3"},
		"tagged, names SHA256": {func() *cb.Block {
			b := configBlock(0, "SHA256")
			b.Header.DataHash = tagged
			return b
		}(), `names HashingAlgorithm "SHA256"`},
		"no header":        {&cb.Block{Data: configBlock(0, SM3).Data}, "is not the SM3 of them"},
		"no transaction":   {NewBlock(0, nil), "has no transaction"},
		"no configuration": {&cb.Block{Header: &cb.BlockHeader{}, Data: &cb.BlockData{Data: [][]byte{{0xff}}}}, "is not a config block"},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckConfigBlockHash(test.block)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

// TestHashFunctions compares with what "openssl dgst" gives.
func TestHashFunctions(t *testing.T) {
	for f, expected := range map[HashFunction]string{
		HashSHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		HashSM3:    "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
	} {
		require.Equal(t, expected, hex.EncodeToString(f.Sum([]byte("abc"))))
		h := f.New()
		h.Write([]byte("a"))
		h.Write([]byte("bc"))
		require.Equal(t, expected, hex.EncodeToString(h.Sum(nil)))
	}
	require.Equal(t, HashSHA256, HashFunction(0), "structs of upstream's tests hash as upstream")
	require.Equal(t, "SHA-256 SM3", HashSHA256.String()+" "+HashSM3.String())
}

// TestFunctionOfChain: the first block and each block after it say the same function.
func TestFunctionOfChain(t *testing.T) {
	for name, f := range map[string]HashFunction{"SHA256": HashSHA256, SM3: HashSM3} {
		genesis := configBlock(0, name)
		genesis.Header.DataHash = ChannelDataHash(genesis.Header, genesis.Data)
		found, err := HashFunctionOfFirst(genesis)
		require.NoError(t, err)
		require.Equal(t, f, found)
		next := &cb.BlockHeader{Number: 1, PreviousHash: BlockHeaderHash(genesis.Header)}
		next.DataHash = ChannelDataHash(next, &cb.BlockData{Data: [][]byte{[]byte("one")}})
		for _, hash := range [][]byte{BlockHeaderHash(genesis.Header), BlockHeaderHash(next)} {
			require.Equal(t, f, HashFunctionOf(hash))
		}
		other := configBlock(0, map[string]string{"SHA256": SM3, SM3: "SHA256"}[name])
		genesis.Header.DataHash = ChannelDataHash(other.Header, other.Data)
		_, err = HashFunctionOfFirst(genesis)
		require.ErrorContains(t, err, "the first block names "+f.String())
	}
}

// TestProposalHashOf: with SHA-256 it is upstream's, and the parts are hashed one after the other.
func TestProposalHashOf(t *testing.T) {
	header := &cb.Header{ChannelHeader: []byte("a"), SignatureHeader: []byte("b")}
	upstream, err := GetProposalHash2(header, []byte("c"))
	require.NoError(t, err)
	for f, expected := range map[HashFunction][]byte{
		HashSHA256: upstream, HashSM3: unhex(t, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
	} {
		got, err := ProposalHash(f, header, []byte("c"))
		require.NoError(t, err)
		require.Equal(t, expected, got)
		for _, bad := range []*cb.Header{nil, {ChannelHeader: []byte("a")}, {SignatureHeader: []byte("b")}} {
			_, err = ProposalHash(f, bad, []byte("c"))
			require.Error(t, err)
		}
		_, err = ProposalHash(f, header, nil)
		require.Error(t, err)
	}
}

// FuzzBlockHashes: the hashes of a block that anybody sends are computed whatever is in it, and have the length of one of the algorithms.
func FuzzBlockHashes(f *testing.F) {
	for _, algorithm := range []string{"SHA256", SM3} {
		genesis := configBlock(0, algorithm)
		genesis.Header.DataHash = ChannelDataHash(genesis.Header, genesis.Data)
		f.Add(MarshalOrPanic(genesis))
		f.Add(MarshalOrPanic(NewBlock(1, BlockHeaderHash(genesis.Header))))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		block, err := UnmarshalBlock(raw)
		if err != nil {
			return
		}
		hash := ChannelDataHash(block.Header, block.Data)
		require.Contains(t, []int{sha256.Size, len(sm3Tag) + sha256.Size}, len(hash))
		if CheckConfigBlockHash(block) == nil && isSM3(block.GetHeader().GetDataHash()) {
			require.Equal(t, block.Header.DataHash, hash)
		}
	})
}
