// SPDX-License-Identifier: Apache-2.0

package confighistory

import (
	"bytes"
	"path/filepath"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric/common/ledger/snapshot"
)

// ImportFromSnapshot stores the definitions of collections in a snapshot.
//
//fork:wrap fix: what is no definition of collections in a snapshot is refused, and not found later, each time that somebody asks for it
func (m *Mgr) ImportFromSnapshot(ledgerID, dir string) error {
	data := filepath.Join(dir, snapshotDataFileName)
	if err := checkDefinitions(data, filepath.Join(dir, snapshotMetadataFileName)); err != nil {
		return errors.WithMessagef(err, "%s does not have the collections of a channel; do not use this snapshot, and ask its sender for another", data)
	}
	return m.upstreamImportFromSnapshot(ledgerID, dir)
}

// checkDefinitions leaves it to upstream to say what cannot be opened.
func checkDefinitions(data, metadata string) error {
	numbers, err := snapshot.OpenFile(metadata, snapshotFileFormat)
	if err != nil {
		return nil
	}
	defer numbers.Close()
	rows, err := snapshot.OpenFile(data, snapshotFileFormat)
	if err != nil {
		return nil
	}
	defer rows.Close()
	n, err := numbers.DecodeUVarInt()
	for ; err == nil && n > 0; n-- {
		err = checkDefinition(rows)
	}
	return err
}

func checkDefinition(rows *snapshot.FileReader) error {
	key, err := rows.DecodeBytes()
	if err != nil {
		return err
	}
	value, err := rows.DecodeBytes()
	if err != nil {
		return err
	}
	const block = 8 // bytes, after prefix, namespace, separator and name
	if len(key) < len(keyPrefix)+block || bytes.IndexByte(key[len(keyPrefix):len(key)-block], separatorByte) < 0 {
		return errors.Errorf("key %x is no key of a definition", key)
	}
	return errors.Wrapf(proto.Unmarshal(value, &peer.CollectionConfigPackage{}), "value of key %q", key)
}
