// SPDX-License-Identifier: Apache-2.0

package rwsetutil

import (
	"bytes"
	"slices"

	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
)

// FitsHash reports whether a private write does to its key what the hash on the chain says: it writes the value of this hash, or deletes
// where the hash says so. That a whole set has its hash proves only that the endorsers, or whoever plays them, have seen it.
func FitsHash(hash hashFunction, write *kvrwset.KVWrite, hashed *kvrwset.KVWriteHash) bool {
	if IsKVWriteDelete(write) || IsKVWriteHashDeleteOf(hash, hashed) {
		return IsKVWriteDelete(write) && IsKVWriteHashDeleteOf(hash, hashed)
	}
	return bytes.Equal(hash.Sum(write.Value), hashed.ValueHash)
}

// LeaveOutUnhashed takes private writes out of a set that the hashed writes of its transaction do not name, or whose value is not the hashed
// one, and returns the set. Endorsers are asked for hashed writes only, so such a write would pass by the policies of its key: it gave a
// key of others a version that its hash does not have, after which nobody could read it. The other writes stay: to refuse the whole set, or
// the block, would let one write take away what the chain promises, or end the peer. So the private state follows from the chain alone, as
// where the set did not arrive. The hashed state, verdicts and the stored set, which other peers compare with its hash, are as upstream has them.
func LeaveOutUnhashed(hash hashFunction, public *TxRwSet, private *TxPvtRwSet) *TxPvtRwSet {
	type hashedKey struct{ namespace, collection, hash string }
	hashed := map[hashedKey]*kvrwset.KVWriteHash{}
	for _, ns := range public.NsRwSets {
		for _, collection := range ns.CollHashedRwSets {
			for _, write := range collection.HashedRwSet.GetHashedWrites() {
				hashed[hashedKey{ns.NameSpace, collection.CollectionName, string(write.KeyHash)}] = write
			}
		}
	}
	for _, ns := range private.NsPvtRwSet {
		for _, collection := range ns.CollPvtRwSets {
			before := len(collection.KvRwSet.Writes)
			collection.KvRwSet.Writes = slices.DeleteFunc(collection.KvRwSet.Writes, func(write *kvrwset.KVWrite) bool {
				onChain, ok := hashed[hashedKey{ns.NameSpace, collection.CollectionName, string(hash.Sum([]byte(write.Key)))}]
				return !ok || !FitsHash(hash, write, onChain)
			})
			if n := before - len(collection.KvRwSet.Writes); n > 0 {
				logger.Warningf("%d private writes of namespace %q, collection %q are left out: they are not what their transaction has hashed", n, ns.NameSpace, collection.CollectionName)
			}
		}
	}
	return private
}
