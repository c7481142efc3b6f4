// SPDX-License-Identifier: Apache-2.0

package protoutil

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/common/crypto/sm3"
)

// SM3 is the name, in the configuration of a channel, of the hash function of GB/T 32905.
const SM3 = "SM3"

// sm3Tag begins each hash of a block in a channel that hashes with SM3: the code of sm3-256 (0x534d) as a varint, then the
// length, as in the multihash format of draft-multiformats-multihash. So a hash says by which algorithm it was made, no
// function needs to be told the channel, and software that knows only SHA-256, 32 bytes, takes it for wrong.
var sm3Tag = []byte{0xcd, 0xa6, 0x01, sm3.Size}

// HashFunction is the function by which the peers of a channel hash what its transactions and ledgers hold: private data, proposals,
// read sets. It is the one that hashes the blocks of the channel. Such a hash is 32 bytes without a tag: what it belongs to fixes
// the function. The zero value is SHA-256.
type HashFunction uint8

const (
	HashSHA256 HashFunction = iota
	HashSM3
)

func (f HashFunction) String() string {
	if f == HashSM3 {
		return SM3
	}
	return "SHA-256"
}

// New returns a computation of the hash.
func (f HashFunction) New() hash.Hash {
	if f == HashSM3 {
		return sm3.New()
	}
	return sha256.New()
}

// Sum returns the hash of data.
func (f HashFunction) Sum(data []byte) []byte {
	if f == HashSM3 {
		sum := sm3.Sum(data)
		return sum[:]
	}
	sum := sha256.Sum256(data)
	return sum[:]
}

// HashFunctionOf returns the function of the channel in which a block has this hash.
func HashFunctionOf(blockHash []byte) HashFunction {
	if isSM3(blockHash) {
		return HashSM3
	}
	return HashSHA256
}

// HashFunctionOfFirst returns the function of the channel that begins with this block.
func HashFunctionOfFirst(block *cb.Block) (HashFunction, error) {
	named := namedFunction(block.GetData())
	if found := HashFunctionOf(block.GetHeader().GetDataHash()); found != named {
		return 0, fmt.Errorf("the first block names %s, and its data are hashed with %s", named, found)
	}
	return named, nil
}

// ProposalHash returns the hash of a proposal whose endorsement is to be in a transaction of a channel with this function. The
// payload is the one that the transaction has, without transient data.
func ProposalHash(f HashFunction, header *cb.Header, payload []byte) ([]byte, error) {
	if header.GetChannelHeader() == nil || header.GetSignatureHeader() == nil || payload == nil {
		return nil, errors.New("a proposal without headers or without a payload has no hash")
	}
	h := f.New()
	for _, part := range [][]byte{header.ChannelHeader, header.SignatureHeader, payload} {
		h.Write(part)
	}
	return h.Sum(nil), nil
}

func isSM3(hash []byte) bool {
	return len(hash) == len(sm3Tag)+sm3.Size && bytes.HasPrefix(hash, sm3Tag)
}

// BlockHeaderHash returns the hash that the next block names as its previous one. The algorithm is that of the hash of the
// block before, in a first block that of its data; so a chain keeps the algorithm of its first block.
//
//fork:wrap gm: headers of channels that hash with SM3
func BlockHeaderHash(b *cb.BlockHeader) []byte {
	if b.Number == 0 && isSM3(b.DataHash) || b.Number > 0 && isSM3(b.PreviousHash) {
		h := sm3.New()
		h.Write(BlockHeaderBytes(b))
		return h.Sum(bytes.Clone(sm3Tag))
	}
	return upstreamBlockHeaderHash(b)
}

// ChannelDataHash returns the hash that a block with this data, this number and this previous hash has to have as the hash of
// its data. The algorithm is that of the previous hash, in a first block the one that its configuration names. A caller that
// compares the result with header.DataHash has therefore checked the algorithm too.
func ChannelDataHash(header *cb.BlockHeader, data *cb.BlockData) []byte {
	f := HashFunctionOf(header.GetPreviousHash())
	if header.GetNumber() == 0 {
		f = namedFunction(data)
	}
	var tag []byte
	if f == HashSM3 {
		tag = bytes.Clone(sm3Tag)
	}
	h := f.New()
	for _, transaction := range data.GetData() {
		h.Write(transaction)
	}
	return h.Sum(tag)
}

// CheckConfigBlockHash refuses a config block by which a node is to join a channel if its hashes are not those of the algorithm
// that its configuration names. Blocks of SHA-256 channels are left to upstream's checks.
func CheckConfigBlockHash(block *cb.Block) error {
	header, number := block.GetHeader(), block.GetHeader().GetNumber()
	name, err := hashingAlgorithm(block.GetData())
	if err != nil {
		return fmt.Errorf("block %d is not a config block: %w", number, err)
	}
	named, tagged := name == SM3, isSM3(header.GetDataHash()) || isSM3(header.GetPreviousHash())
	switch {
	case !named && !tagged:
		return nil
	case !named:
		return fmt.Errorf("block %d has hashes of SM3, and its configuration names HashingAlgorithm %q", number, name)
	case number > 0 && !isSM3(header.GetPreviousHash()):
		return fmt.Errorf("block %d names HashingAlgorithm SM3, and its previous hash is not one of SM3", number)
	case !bytes.Equal(header.GetDataHash(), ChannelDataHash(header, block.Data)):
		return fmt.Errorf("block %d names HashingAlgorithm SM3, and the hash of its data is not the SM3 of them", number)
	}
	return nil
}

// namedFunction returns the function that the data of a first block name. Data that are not a configuration name SHA-256.
func namedFunction(data *cb.BlockData) HashFunction {
	if name, err := hashingAlgorithm(data); err == nil && name == SM3 {
		return HashSM3
	}
	return HashSHA256
}

// hashingAlgorithm returns the HashingAlgorithm of the channel configuration in the first transaction.
func hashingAlgorithm(data *cb.BlockData) (string, error) {
	if len(data.GetData()) == 0 {
		return "", errors.New("it has no transaction")
	}
	envelope, err := UnmarshalEnvelope(data.Data[0])
	if err != nil {
		return "", err
	}
	config := &cb.ConfigEnvelope{}
	if _, err := UnmarshalEnvelopeOfType(envelope, cb.HeaderType_CONFIG, config); err != nil {
		return "", err
	}
	value := config.GetConfig().GetChannelGroup().GetValues()["HashingAlgorithm"]
	algorithm := &cb.HashingAlgorithm{}
	if err := proto.Unmarshal(value.GetValue(), algorithm); err != nil {
		return "", fmt.Errorf("value HashingAlgorithm: %w", err)
	}
	return algorithm.Name, nil
}
