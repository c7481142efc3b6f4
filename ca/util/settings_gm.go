// SPDX-License-Identifier: Apache-2.0

package util

import (
	"os"

	"github.com/pkg/errors"
	"github.com/spf13/viper"

	"github.com/hyperledger/fabric/internal/settings"
)

// CheckSettings refuses a variable, or a key of one of the configuration files, that is a misspelt one of ours: what it was to protect
// would not be. A file that is not there is left to the program.
func CheckSettings(ours settings.Names, files ...string) error {
	if err := ours.CheckEnvironment(os.Environ()); err != nil {
		return err
	}
	for _, name := range files {
		if !FileExists(name) {
			continue
		}
		file := viper.New() // the program's has the flags too
		file.SetConfigFile(name)
		if err := file.ReadInConfig(); err != nil {
			return errors.Wrapf(err, "reading %s", name)
		}
		if err := ours.CheckKeys(name, file.AllKeys()); err != nil {
			return err
		}
	}
	return nil
}
