// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"hash"
	"math/big"

	"github.com/emmansun/gmsm/sm3"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
)

// The hashes of blocks are computed here by themselves, from docs/hashes.md and not from what nodes use, so that the one checks the
// other.

// sm3Multihash begins a hash of an SM3 channel: the multihash code of sm3-256, and the length.
const sm3Multihash = "\xcd\xa6\x01\x20"

// algorithmOf tells by the previous hash, in a first block by the configuration, what a block is hashed with.
func algorithmOf(block *common.Block, group *common.ConfigGroup) (name string) {
	name = "SHA-256"
	if block.Header.Number == 0 {
		var algorithm common.HashingAlgorithm
		if proto.Unmarshal(group.GetValues()["HashingAlgorithm"].GetValue(), &algorithm) == nil && algorithm.Name == "SM3" {
			return "SM3"
		}
		return name
	}
	if previous := block.Header.PreviousHash; len(previous) == len(sm3Multihash)+sm3.Size && string(previous[:4]) == sm3Multihash {
		return "SM3"
	}
	return name
}

func sum(algorithm string, parts ...[]byte) []byte {
	var (
		h   hash.Hash = sha256.New()
		tag []byte
	)
	if algorithm == "SM3" {
		h, tag = sm3.New(), []byte(sm3Multihash)
	}
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(tag)
}

// hashes describes the hashes of a block, and finds a hash of data that is not theirs.
func (r *Report) hashes(where string, block *common.Block, group *common.ConfigGroup) (string, error) {
	header := block.Header
	algorithm := algorithmOf(block, group)
	if want := sum(algorithm, block.Data.Data...); !bytes.Equal(want, header.DataHash) {
		r.found(where, cause.Find(cause.BlockHash, "block %d says %x, and %s of its data gives %x", header.Number, header.DataHash, algorithm, want))
	}
	der, err := asn1.Marshal(struct {
		Number             *big.Int
		PreviousHash, Data []byte
	}{new(big.Int).SetUint64(header.Number), header.PreviousHash, header.DataHash})
	if err != nil {
		return "", fmt.Errorf("header of block %d: %w", header.Number, err)
	}
	return fmt.Sprintf("hash by %s %x, previous %x", algorithm, sum(algorithm, der), header.PreviousHash), nil
}
