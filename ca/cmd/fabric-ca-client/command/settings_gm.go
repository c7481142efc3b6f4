// SPDX-License-Identifier: Apache-2.0

package command

import (
	"os"

	"github.com/pkg/errors"
	"github.com/spf13/viper"

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
	if err := settings.CAClient.CheckEnvironment(os.Environ()); err != nil || !util.FileExists(c.cfgFileName) {
		return err
	}
	file := viper.New() // the other has the flags too
	file.SetConfigFile(c.cfgFileName)
	if err := file.ReadInConfig(); err != nil {
		return errors.Wrapf(err, "reading %s", c.cfgFileName)
	}
	return settings.CAClient.CheckKeys(c.cfgFileName, file.AllKeys())
}
