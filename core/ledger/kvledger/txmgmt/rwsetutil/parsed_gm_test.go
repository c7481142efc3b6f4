// SPDX-License-Identifier: Apache-2.0

//fork:file perf: a peer parses each transaction of a block once while it commits the block

package rwsetutil

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/protoutil"
)

func TestSetParsedOnce(t *testing.T) {
	builder := NewRWSetBuilder()
	builder.AddToWriteSet("asset", "key", []byte("value"))
	results, err := builder.GetTxSimulationResults()
	require.NoError(t, err)
	encoded, err := results.GetPubSimulationBytes()
	require.NoError(t, err)
	parse := func(encoded []byte) *TxRwSet {
		set := new(TxRwSet)
		require.NoError(t, set.FromProtoBytes(encoded))
		require.Equal(t, "value", string(set.NsRwSets[0].KvRwSet.Writes[0].Value))
		return set
	}
	broken := []byte("\x0a\xff")
	end := protoutil.ParseOnce(&common.BlockData{Data: [][]byte{encoded, broken}})
	first, second := parse(encoded), parse(encoded)
	require.NotSame(t, first, second)
	require.Same(t, first.NsRwSets[0], second.NsRwSets[0])
	for range 2 {
		require.Error(t, first.FromProtoBytes(broken))
		require.NotEmpty(t, first.NsRwSets, "a set stays as it was")
	}
	end()
	require.NotSame(t, first.NsRwSets[0], parse(encoded).NsRwSets[0])
}

// many returns a list of so many elements.
func many[E any](n int, element E) []E {
	list := make([]E, n)
	for i := range list {
		list[i] = element
	}
	return list
}

// TestMemoryOfParsedSets: whatever lists the sets of a block's transactions have, what is kept of it takes no more memory than it may.
func TestMemoryOfParsedSets(t *testing.T) {
	const n = 4000
	entries := many(n, &kvrwset.KVMetadataEntry{})
	read := &kvrwset.KVRead{Version: &kvrwset.Version{}}
	ns := func(kv *kvrwset.KVRWSet, hashed ...*kvrwset.HashedRWSet) []*rwset.NsReadWriteSet {
		set := &rwset.NsReadWriteSet{Rwset: protoutil.MarshalOrPanic(kv)}
		for _, h := range hashed {
			set.CollectionHashedRwset = append(set.CollectionHashedRwset, &rwset.CollectionHashedReadWriteSet{HashedRwset: protoutil.MarshalOrPanic(h)})
		}
		return []*rwset.NsReadWriteSet{set}
	}
	none := &kvrwset.KVRWSet{}
	for name, sets := range map[string][]*rwset.NsReadWriteSet{
		"namespaces":      many(n, &rwset.NsReadWriteSet{}),
		"reads":           ns(&kvrwset.KVRWSet{Reads: many(n, read)}),
		"writes":          ns(&kvrwset.KVRWSet{Writes: many(n, &kvrwset.KVWrite{})}),
		"metadata":        ns(&kvrwset.KVRWSet{MetadataWrites: many(n, &kvrwset.KVMetadataWrite{})}),
		"entries":         ns(&kvrwset.KVRWSet{MetadataWrites: []*kvrwset.KVMetadataWrite{{Entries: entries}}}),
		"collections":     ns(none, many(n, &kvrwset.HashedRWSet{})...),
		"hashed reads":    ns(none, &kvrwset.HashedRWSet{HashedReads: many(n, &kvrwset.KVReadHash{Version: &kvrwset.Version{}})}),
		"hashed writes":   ns(none, &kvrwset.HashedRWSet{HashedWrites: many(n, &kvrwset.KVWriteHash{})}),
		"hashed metadata": ns(none, &kvrwset.HashedRWSet{MetadataWrites: many(n, &kvrwset.KVMetadataWriteHash{})}),
		"hashed entries":  ns(none, &kvrwset.HashedRWSet{MetadataWrites: []*kvrwset.KVMetadataWriteHash{{Entries: entries}}}),
		"ranges": ns(&kvrwset.KVRWSet{RangeQueriesInfo: many(n, &kvrwset.RangeQueryInfo{
			ReadsInfo: &kvrwset.RangeQueryInfo_RawReads{RawReads: &kvrwset.QueryReads{}},
		})}),
		"reads of a range": ns(&kvrwset.KVRWSet{RangeQueriesInfo: []*kvrwset.RangeQueryInfo{{
			ReadsInfo: &kvrwset.RangeQueryInfo_RawReads{RawReads: &kvrwset.QueryReads{KvReads: many(n, read)}},
		}}}),
		"hashes of a range": ns(&kvrwset.KVRWSet{RangeQueriesInfo: []*kvrwset.RangeQueryInfo{{
			ReadsInfo: &kvrwset.RangeQueryInfo_ReadsMerkleHashes{ReadsMerkleHashes: &kvrwset.QueryReadsMerkleSummary{MaxLevelHashes: many(n, []byte{})}},
		}}}),
	} {
		t.Run(name, func(t *testing.T) {
			encoded := protoutil.MarshalOrPanic(&rwset.TxReadWriteSet{NsRwset: sets})
			before := heap()
			set := new(TxRwSet)
			require.NoError(t, set.FromProtoBytes(encoded))
			require.Greater(t, elements(set), n-1)
			require.Less(t, heap()-before, len(encoded)+256*elements(set))
			runtime.KeepAlive(set)
		})
	}
	encoded := protoutil.MarshalOrPanic(&rwset.TxReadWriteSet{NsRwset: many(n, &rwset.NsReadWriteSet{})})
	block := make([][]byte, 110)
	for i := range block {
		block[i] = bytes.Clone(encoded)
	}
	before := heap()
	defer protoutil.ParseOnce(&common.BlockData{Data: block})()
	parse := func(encoded []byte) *NsRwSet {
		set := new(TxRwSet)
		require.NoError(t, set.FromProtoBytes(encoded))
		return set.NsRwSets[0]
	}
	for _, encoded := range block {
		parse(encoded)
	}
	require.Less(t, heap()-before, 64<<20)
	require.Same(t, parse(block[0]), parse(block[0]))
	require.NotSame(t, parse(block[109]), parse(block[109]))
}

// heap is the memory in use.
func heap() int {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}
