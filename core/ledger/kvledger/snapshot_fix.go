// SPDX-License-Identifier: Apache-2.0

package kvledger

import (
	"path/filepath"

	"github.com/pkg/errors"

	"github.com/hyperledger/fabric/common/configtx"
)

// checkSnapshotChannel refuses a snapshot whose channel no network can have. The name becomes the path of the ledger's folders, and
// a join that fails removes them.
func checkSnapshotChannel(dir string, metadata *SnapshotMetadata) error {
	if err := configtx.ValidateChannelID(metadata.ChannelName); err != nil {
		return errors.WithMessagef(err, "channel_name %q in %s is not the name of a channel; do not use this snapshot, and ask its sender for another",
			metadata.ChannelName, filepath.Join(dir, SnapshotSignableMetadataFileName))
	}
	return nil
}
