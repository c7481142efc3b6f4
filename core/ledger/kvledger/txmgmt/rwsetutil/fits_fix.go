// SPDX-License-Identifier: Apache-2.0

package rwsetutil

import (
	"bytes"

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
