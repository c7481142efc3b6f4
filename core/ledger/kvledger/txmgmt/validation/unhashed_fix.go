// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"

	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"

	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
)

// leaveOutUnhashed takes private writes out of a set that the hashed writes of its transaction do not name, or whose value is not the hashed
// one, and returns the set. Endorsers are asked for hashed writes only, so such a write would pass by the policies of its key: it gave a
// key of others a version that its hash does not have, after which nobody could read it. The other writes stay: to refuse the whole set, or
// the block, would let one write take away what the chain promises, or end the peer. So the private state follows from the chain alone, as
// where the set did not arrive. The hashed state, verdicts and the stored set, which other peers compare with its hash, are as upstream has them.
func leaveOutUnhashed(hash hashFunction, public *rwsetutil.TxRwSet, private *rwsetutil.TxPvtRwSet) *rwsetutil.TxPvtRwSet {
	hashed := map[compositeKey]*kvrwset.KVWriteHash{}
	for _, ns := range public.NsRwSets {
		for _, collection := range ns.CollHashedRwSets {
			for _, write := range collection.HashedRwSet.GetHashedWrites() {
				hashed[compositeKey{ns.NameSpace, collection.CollectionName, string(write.KeyHash)}] = write
			}
		}
	}
	for _, ns := range private.NsPvtRwSet {
		for _, collection := range ns.CollPvtRwSets {
			collection.KvRwSet.Writes = slices.DeleteFunc(collection.KvRwSet.Writes, func(write *kvrwset.KVWrite) bool {
				onChain, ok := hashed[compositeKey{ns.NameSpace, collection.CollectionName, string(hash.Sum([]byte(write.Key)))}]
				leaveOut := !ok || !rwsetutil.FitsHash(hash, write, onChain)
				if leaveOut {
					logger.Warningf("A private write of namespace %q, collection %q is left out: it is not what its transaction has hashed", ns.NameSpace, collection.CollectionName)
				}
				return leaveOut
			})
		}
	}
	return private
}
