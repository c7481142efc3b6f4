// SPDX-License-Identifier: Apache-2.0

package pvtdatastorage

import (
	"bytes"
	"time"

	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"

	"github.com/hyperledger/fabric/common/ledger/util/leveldbhelper"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
)

const (
	purgeBatchBytes = 4 << 20 // read and written while others wait for the lock, and one write set
	lengthOfKeyHash = 32      // by SHA-256 and SM3
)

// deleteDataMarkedForPurge takes the purged keys out of the stored write sets. Its caller holds purgerLock, on which the reconciler waits, and
// for that the commit of the next block with a purge. Upstream's processor of updates, which reads and writes a set for each of its keys
// once it has had 4 MiB, has no caller any more.
//
//fork:replace fix: a purge writes each write set once, and others have a turn between its batches
func (s *Store) deleteDataMarkedForPurge() error {
	p := &purge{Store: s, batch: s.db.NewUpdateBatch(), written: map[string]bool{}, followed: map[string][]byte{}}
	p.pause = func() {
		s.purgerLock.Unlock()
		time.Sleep(time.Duration(s.batchesInterval) * time.Millisecond)
		s.purgerLock.Lock()
	}
	return p.run()
}

// purge follows the markers of purged keys by the index to the write sets that have the keys.
type purge struct {
	*Store
	batch    *leveldbhelper.UpdateBatch
	read     int               // bytes, for this batch
	written  map[string]bool   // write sets in this batch, which have no purged keys any more
	followed map[string][]byte // markers: their heights, all of whose write sets are in this batch or earlier ones
	pause    func()            // between batches

	keys, records int
}

func (p *purge) run() error {
	markers, err := p.db.GetIterator(rangeScanKeysForPurgeMarkers())
	if err != nil {
		return err
	}
	defer markers.Release()
	for markers.Next() {
		if err := p.follow(markers.Key()); err != nil {
			return err
		}
	}
	if err := markers.Error(); err != nil {
		return err
	}
	if err := p.write(); err != nil {
		return err
	}
	if p.keys > 0 { // the texts of both lines are upstream's, as audits look for them
		logger.Infow("Purged private data from private data storage", "channel", p.ledgerid, "numKeysPurged", p.keys, "numPrivateDataStoreRecordsPurged", p.records)
	}
	return nil
}

// follow purges what a marker is for. The height comes from the store, because the key may have been purged once more during a pause.
func (p *purge) follow(marker []byte) error {
	height, err := p.db.Get(marker)
	if err != nil || height == nil {
		return err
	}
	// An earlier version may have stored markers of a part of a hash, by which it would find other keys.
	if name := bytes.SplitN(marker[1:], []byte{nilByte}, 3); len(name) == 3 && len(name[2]) == lengthOfKeyHash {
		from, to, err := driveHashedIndexKeyRangeFromPurgeMarker(marker, height)
		if err != nil {
			return err
		}
		index, err := p.db.GetIterator(from, to)
		if err != nil {
			return err
		}
		defer index.Release()
		for index.Next() {
			if err := p.takeOut(index.Key()); err != nil {
				return err
			}
		}
		if err := index.Error(); err != nil {
			return err
		}
	}
	p.followed[string(marker)] = height
	p.keys++
	return p.writeIfFull()
}

// takeOut takes all purged keys out of the write set that an entry of the index is for, not only the one of the entry.
func (p *purge) takeOut(indexKey []byte) error {
	p.batch.Delete(indexKey)
	dataKey, err := deriveDataKeyFromEncodedHashedIndexKey(indexKey)
	if err != nil || p.written[string(dataKey)] {
		return err
	}
	value, err := p.db.Get(dataKey)
	if err != nil || value == nil { // it has expired
		return err
	}
	p.read += len(value)
	encoded, err := decodeDataValue(value)
	if err != nil {
		return err
	}
	set, err := rwsetutil.CollPvtRwSetFromProtoMsg(encoded)
	if err != nil {
		return err
	}
	purged, err := p.takeOutOf(dataKey, set.KvRwSet)
	if err != nil || !purged {
		return err
	}
	if encoded, err = set.ToProtoMsg(); err != nil {
		return err
	}
	if value, err = encodeDataValue(encoded); err != nil {
		return err
	}
	p.batch.Put(dataKey, value)
	p.written[string(dataKey)] = true
	return p.writeIfFull()
}

// takeOutOf takes the purged keys out of a write set and the index, and reports whether there were any.
func (p *purge) takeOutOf(encodedKey []byte, set *kvrwset.KVRWSet) (bool, error) {
	key, err := decodeDatakey(encodedKey)
	if err != nil {
		return false, err
	}
	var kept []*kvrwset.KVWrite
	for _, write := range set.Writes {
		hash := p.hash.Sum([]byte(write.Key))
		marker, err := p.db.Get(encodePurgeMarkerKey(&purgeMarkerKey{ns: key.ns, coll: key.coll, pvtkeyHash: hash}))
		if err != nil {
			return false, err
		}
		if marker == nil {
			kept = append(kept, write)
			continue
		}
		height, err := decodePurgeMarkerVal(marker)
		if err != nil {
			return false, err
		}
		if version.NewHeight(key.blkNum, key.txNum).Compare(height) > 0 { // written after the purge
			kept = append(kept, write)
			continue
		}
		p.batch.Delete(encodeHashedIndexKey(&hashedIndexKey{ns: key.ns, coll: key.coll, pvtkeyHash: hash, blkNum: key.blkNum, txNum: key.txNum}))
		p.records++
		if p.purgedKeyAuditLogging {
			logger.Infow("Purging private data from private data storage", "channel", p.ledgerid, "chaincode", key.ns, "collection", key.coll,
				"key", write.Key, "blockNum", key.blkNum, "tranNum", key.txNum)
		}
	}
	purged := len(kept) < len(set.Writes)
	set.Writes = kept
	return purged, nil
}

func (p *purge) writeIfFull() error {
	if p.read+p.batch.Size() <= purgeBatchBytes {
		return nil
	}
	if err := p.write(); err != nil {
		return err
	}
	p.pause()
	return nil
}

// write writes the batch, and removes the markers that were followed, unless their keys were purged once more meanwhile.
func (p *purge) write() error {
	for marker, followed := range p.followed {
		height, err := p.db.Get([]byte(marker))
		if err != nil {
			return err
		}
		if bytes.Equal(height, followed) {
			p.batch.Delete([]byte(marker))
		}
	}
	if err := p.db.WriteBatch(p.batch, true); err != nil {
		return err
	}
	p.batch.Reset()
	p.read = 0
	clear(p.written)
	clear(p.followed)
	return nil
}
