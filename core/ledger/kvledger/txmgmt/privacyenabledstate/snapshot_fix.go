// SPDX-License-Identifier: Apache-2.0

package privacyenabledstate

import (
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric/common/ledger/snapshot"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
)

// readMetadata reads which namespaces a file of a snapshot has.
//
//fork:wrap fix: a file of a snapshot for no namespace ends no peer
func readMetadata(file *snapshot.FileReader) ([]*metadataRow, error) {
	rows, err := upstreamReadMetadata(file)
	if err == nil && len(rows) == 0 {
		err = errors.New("the metadata of a file of the snapshot name no namespace; do not use this snapshot, and ask its sender for another")
	}
	return rows, err
}

// Next returns the next record.
//
//fork:wrap fix: ledgerutil compares a snapshot that has private hashes with one that has none
func (r *SnapshotReader) Next() (string, *SnapshotRecord, error) {
	if r == nil { // which NewSnapshotReader returns for a file that is not there
		return "", nil, nil
	}
	return r.upstreamNext()
}

// ImportFromSnapshot imports state.
//
//fork:wrap fix: a transaction that a snapshot numbers as no block can does not take gigabytes
func (p *DBProvider) ImportFromSnapshot(channel string, savepoint *version.Height, dir string, consumers ...SnapshotPvtdataHashesConsumer) error {
	return p.upstreamImportFromSnapshot(channel, savepoint, dir, append([]SnapshotPvtdataHashesConsumer{checkedVersions{savepoint.BlockNum}}, consumers...)...)
}

// checkedVersions refuses versions of private hashes that the channel cannot have. The peer keeps a bit for each transaction of a block.
type checkedVersions struct{ last uint64 }

// maxTransactions is more than a block has, by far: half a gigabyte of the smallest ones.
const maxTransactions = 1 << 20

func (c checkedVersions) ConsumeSnapshotData(namespace, collection string, _, _ []byte, height *version.Height) error {
	if height.BlockNum > c.last || height.TxNum >= maxTransactions {
		return errors.Errorf("the snapshot of block %d has hashes of private data of transaction %d of block %d, in %q of %q; do not use this snapshot, and ask its sender for another",
			c.last, height.TxNum, height.BlockNum, collection, namespace)
	}
	return nil
}

func (checkedVersions) Done() error { return nil }
