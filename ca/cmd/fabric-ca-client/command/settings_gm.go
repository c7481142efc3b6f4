// SPDX-License-Identifier: Apache-2.0

package command

import (
	"github.com/hyperledger/fabric-ca/util"
	"github.com/hyperledger/fabric/internal/settings"
)

// ConfigInit reads the configuration.
//
//fork:wrap gm: misspelt settings of TLCP are errors
func (c *ClientCmd) ConfigInit() error {
	if err := c.upstreamConfigInit(); err != nil {
		return err
	}
	return util.CheckSettings(settings.CAClient, c.cfgFileName)
}
