// SPDX-License-Identifier: Apache-2.0

package channelparticipation

import (
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/bccsp/factory"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/protoutil"
)

// checkFirst judges the configuration in a first block by rules for updates. A later one was judged when it was ordered.
func checkFirst(block *cb.Block, rules ...func(first channelconfig.Resources) error) error {
	if block.GetHeader().GetNumber() != 0 {
		return nil
	}
	envelope, err := protoutil.ExtractEnvelope(block, 0)
	if err != nil {
		return err
	}
	bundle, err := channelconfig.NewBundleFromEnvelope(envelope, factory.GetDefault())
	if err != nil {
		return err
	}
	for _, judge := range rules {
		if err := judge(bundle); err != nil {
			return fmt.Errorf("%w (a channel that other orderers already have can be joined by its latest configuration block)", err)
		}
	}
	return nil
}
