// SPDX-License-Identifier: Apache-2.0

package rwsetutil

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/sm3"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/protoutil"
)

// Upstream's tests call these by the names that they have upstream.

func newPvtKVReadHash(key string, v *version.Height) *kvrwset.KVReadHash {
	return newPvtKVReadHashOf(protoutil.HashSHA256, key, v)
}

func newPvtKVWriteAndHash(key string, value []byte) (*kvrwset.KVWrite, *kvrwset.KVWriteHash) {
	return newPvtKVWriteAndHashOf(protoutil.HashSHA256, key, value)
}

func IsKVWriteHashDelete(write *kvrwset.KVWriteHash) bool {
	return IsKVWriteHashDeleteOf(protoutil.HashSHA256, write)
}

// TestSHA256AsInStock compares the public results of a simulation, byte for byte by their SHA-256, with those of stock Fabric 2.5.9.
func TestSHA256AsInStock(t *testing.T) {
	for _, b := range []*RWSetBuilder{NewRWSetBuilder(), NewRWSetBuilderOf(protoutil.HashSHA256)} {
		fill(b)
		results, err := b.GetTxSimulationResults()
		require.NoError(t, err)
		public, err := proto.Marshal(results.PubSimulationResults)
		require.NoError(t, err)
		require.Equal(t, "35ad138e7d5d5ba36f287ef733cdab46d11d3f0316d730d855c8899a0ac3dc74", hex.EncodeToString(sum256(public)))
	}
}

func fill(b *RWSetBuilder) {
	b.AddToReadSet("ns", "public", version.NewHeight(1, 2))
	b.AddToHashedReadSet("ns", "coll", "read", version.NewHeight(3, 4))
	b.AddToPvtAndHashedWriteSet("ns", "coll", "written", []byte("value"))
	b.AddToPvtAndHashedWriteSet("ns", "coll", "deleted", nil)
	b.AddToPvtAndHashedWriteSetForPurge("ns", "coll", "purged")
	b.AddToHashedMetadataWriteSet("ns", "coll", "described", map[string][]byte{"a": []byte("b")})
}

func sum256(b []byte) []byte { s := sha256.Sum256(b); return s[:] }

func sumSM3(b []byte) []byte { s := sm3.Sum(b); return s[:] }

// TestHashesOfBuilder: each hash that a builder makes is of its function.
func TestHashesOfBuilder(t *testing.T) {
	for f, sum := range map[protoutil.HashFunction]func([]byte) []byte{protoutil.HashSHA256: sum256, protoutil.HashSM3: sumSM3} {
		b := NewRWSetBuilderOf(f)
		fill(b)
		results, err := b.GetTxSimulationResults()
		require.NoError(t, err)
		set, err := TxRwSetFromProtoMsg(results.PubSimulationResults)
		require.NoError(t, err)
		coll := set.NsRwSets[0].CollHashedRwSets[0]
		require.Equal(t, sum(results.PvtSimulationResults.NsPvtRwset[0].CollectionPvtRwset[0].Rwset), coll.PvtRwSetHash)
		require.Equal(t, sum([]byte("read")), coll.HashedRwSet.HashedReads[0].KeyHash)
		require.Equal(t, sum([]byte("described")), coll.HashedRwSet.MetadataWrites[0].KeyHash)
		for i, key := range []string{"deleted", "purged", "written"} {
			require.Equal(t, sum([]byte(key)), coll.HashedRwSet.HashedWrites[i].KeyHash)
		}
		require.Equal(t, sum([]byte("value")), coll.HashedRwSet.HashedWrites[2].ValueHash)
	}
}

// TestEmptyValueByItsHash: the hash of nothing deletes in channels of its function alone.
func TestEmptyValueByItsHash(t *testing.T) {
	sha, sm := &kvrwset.KVWriteHash{ValueHash: sum256(nil)}, &kvrwset.KVWriteHash{ValueHash: sumSM3(nil)}
	require.True(t, IsKVWriteHashDeleteOf(protoutil.HashSHA256, sha))
	require.False(t, IsKVWriteHashDeleteOf(protoutil.HashSHA256, sm))
	require.False(t, IsKVWriteHashDeleteOf(protoutil.HashSM3, sha))
	require.True(t, IsKVWriteHashDeleteOf(protoutil.HashSM3, sm))
	for _, f := range []protoutil.HashFunction{protoutil.HashSHA256, protoutil.HashSM3} {
		require.True(t, IsKVWriteHashDeleteOf(f, &kvrwset.KVWriteHash{}))
		require.True(t, IsKVWriteHashDeleteOf(f, &kvrwset.KVWriteHash{IsDelete: true, ValueHash: f.Sum([]byte("value"))}))
		require.False(t, IsKVWriteHashDeleteOf(f, &kvrwset.KVWriteHash{ValueHash: f.Sum([]byte("value"))}))
	}
}
