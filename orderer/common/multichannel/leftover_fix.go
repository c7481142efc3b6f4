// SPDX-License-Identifier: Apache-2.0

package multichannel

import (
	"fmt"
	"os"
	"path/filepath"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/mitchellh/mapstructure"

	"github.com/hyperledger/fabric/orderer/consensus"
)

// resourcesToJoin makes the resources of a channel that the orderer does not have. A first block is refused while the log of a channel of
// that name is there: removing a channel leaves it, and the new channel would end the orderer by what the old one voted, at each start.
func (r *Registrar) resourcesToJoin(channelID string, block *cb.Block) (*ledgerResources, consensus.ClusterConsenter, error) {
	if block.GetHeader().GetNumber() == 0 {
		if err := r.checkLeftOver(channelID); err != nil {
			return nil, nil, err
		}
	}
	return r.initLedgerResourcesClusterConsenter(block)
}

func (r *Registrar) checkLeftOver(channelID string) error {
	var folders struct{ WALDir, SnapDir string }
	if err := mapstructure.Decode(r.config.Consensus, &folders); err != nil {
		return fmt.Errorf("the section Consensus of orderer.yaml: %w", err)
	}
	for _, parent := range []string{folders.WALDir, folders.SnapDir} {
		if parent == "" {
			continue
		}
		folder := filepath.Join(parent, channelID)
		files, err := os.ReadDir(folder)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		if len(files) > 0 {
			return fmt.Errorf("a channel named %s, which this orderer left or could not join, has files in %s: for a new channel of that name, move "+
				"this folder away; to return to the old channel, keep it, and join by the channel's latest configuration block", channelID, folder)
		}
	}
	return nil
}
