// SPDX-License-Identifier: Apache-2.0

package kvledger

import (
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/hyperledger/fabric/common/configtx"
)

// checkSnapshotChannel refuses a snapshot whose channel no network can have. The name becomes the path of the ledger's folders, and
// a join that fails removes them. Capitals are harmless here, and upstream refuses them when it opens the channel.
func checkSnapshotChannel(dir string, metadata *SnapshotMetadata) error {
	if err := configtx.ValidateChannelID(strings.ToLower(metadata.ChannelName)); err != nil {
		return errors.WithMessagef(err, "channel_name %q in %s is not the name of a channel; do not use this snapshot, and ask its sender for another",
			metadata.ChannelName, filepath.Join(dir, SnapshotSignableMetadataFileName))
	}
	return nil
}

// checkSnapshotHeight refuses a snapshot of a block that no channel has. The number after the last one is none: a peer with it ends at each start.
func checkSnapshotHeight(dir string, metadata *SnapshotMetadata) error {
	if metadata.LastBlockNumber >= math.MaxInt64 {
		return errors.Errorf("last_block_number %d in %s is not the number of a block; do not use this snapshot, and ask its sender for another",
			metadata.LastBlockNumber, filepath.Join(dir, SnapshotSignableMetadataFileName))
	}
	return nil
}

// checkSnapshotNames refuses metadata that have the peer read anything but files of the folder. What is missing is upstream's to say.
func checkSnapshotNames(dir string, metadata *SnapshotMetadata) error {
	for name := range metadata.FilesAndHashes {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); filepath.Dir(path) != filepath.Clean(dir) || err == nil && !info.Mode().IsRegular() {
			return errors.Errorf("snapshot_files_raw_hashes of %s lists %q, which is not a file of the snapshot; do not use this snapshot, and ask its sender for another",
				filepath.Join(dir, SnapshotSignableMetadataFileName), name)
		}
	}
	return nil
}

// checkSnapshotFiles refuses files that the metadata do not list. The peer would import a file that has one of the names that it
// looks for, and organisations compare the hash of the metadata only.
func checkSnapshotFiles(dir string, metadata *SnapshotMetadata) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return errors.Wrap(err, "error while reading the folder of the snapshot")
	}
	for _, entry := range entries {
		name := entry.Name()
		_, listed := metadata.FilesAndHashes[name]
		if !listed && name != SnapshotSignableMetadataFileName && name != snapshotAdditionalMetadataFileName {
			return errors.Errorf("%s is not listed in snapshot_files_raw_hashes of %s, so that the hash of the snapshot says nothing of it; "+
				"remove it if it is yours, else ask the sender for another snapshot", filepath.Join(dir, name), SnapshotSignableMetadataFileName)
		}
	}
	return nil
}
