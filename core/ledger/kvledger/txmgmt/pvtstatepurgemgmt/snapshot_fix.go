// SPDX-License-Identifier: Apache-2.0

package pvtstatepurgemgmt

import (
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric/core/ledger/internal/version"
)

// PurgeMgrBuilder collects what expires.
//
//fork:fields fix: import of a snapshot writes what expires together
type PurgeMgrBuilder struct {
	pending          map[expiryInfoKey]*PvtdataKeys
	waiting, written int // keys
}

// maxPending bounds the memory that keys take before they are written.
const maxPending = 10_000

// ConsumeSnapshotData stores when a private key of a snapshot expires.
//
// All keys of a block that expire together are one entry, which was read and written for each of them. Now it is written again when it grows by a
// tenth, or by enough.
//
//fork:replace fix: a block with many private keys that expire does not have a peer that joins by a snapshot write the square of them
func (b *PurgeMgrBuilder) ConsumeSnapshotData(namespace, collection string, keyHash, _ []byte, height *version.Height) error {
	expiry, err := b.btlPolicy.GetExpiringBlock(namespace, collection, height.BlockNum)
	if err != nil {
		return errors.WithMessage(err, "error from btlpolicy")
	}
	if neverExpires(expiry) {
		return nil
	}
	if b.pending == nil {
		b.pending = map[expiryInfoKey]*PvtdataKeys{}
	}
	key := expiryInfoKey{committingBlk: height.BlockNum, expiryBlk: expiry}
	if b.pending[key] == nil {
		b.pending[key] = &PvtdataKeys{Map: map[string]*Collections{}}
	}
	b.pending[key].add(namespace, collection, "", keyHash)
	b.waiting++
	if b.waiting < min(b.written/10, maxPending) {
		return nil
	}
	return b.write()
}

// Done writes what is left.
//
//fork:replace fix: import of a snapshot writes what expires together
func (b *PurgeMgrBuilder) Done() error { return b.write() }

func (b *PurgeMgrBuilder) write() error {
	var grown []*expiryInfo
	for key, keys := range b.pending {
		stored, err := b.expKeeper.retrieveByExpiryKey(&key)
		if err != nil {
			return errors.WithMessage(err, "error from bookkeeper")
		}
		if stored.pvtdataKeys.Map == nil {
			stored.pvtdataKeys.Map = map[string]*Collections{}
		}
		stored.pvtdataKeys.addAll(keys)
		grown = append(grown, stored)
	}
	if len(grown) == 0 {
		return nil
	}
	b.written += b.waiting
	b.pending, b.waiting = nil, 0
	return b.expKeeper.update(grown, nil)
}
