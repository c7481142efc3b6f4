// SPDX-License-Identifier: Apache-2.0

package txvalidator_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/committer/txvalidator/plugin"
	txvalidator "github.com/hyperledger/fabric/core/committer/txvalidator/v14"
	"github.com/hyperledger/fabric/core/committer/txvalidator/v20/plugindispatcher"
	"github.com/hyperledger/fabric/core/handlers/library"
	validation "github.com/hyperledger/fabric/core/handlers/validation/api"
)

func TestPluginsOfNoPeer(t *testing.T) {
	viper.Reset()
	defer viper.Reset()
	viper.SetConfigType("yaml")
	require.NoError(t, viper.ReadConfig(strings.NewReader("peer: {handlers: {validators: {None: {name: DefaultValidation}}}}")))
	config, err := library.LoadConfig()
	require.NoError(t, err)
	require.NotContains(t, config.Validators, "None", "a peer can have a name with a capital letter")

	none := plugin.MapBasedMapper{}
	v14 := txvalidator.NewPluginValidator(none, nil, nil, nil)
	v20 := plugindispatcher.NewPluginValidator(none, nil, nil, nil, nil, nil)
	for name, stops := range map[string]bool{"None": false, "none": true} { // another peer may have "none"
		for _, err := range []error{
			v14.ValidateWithPlugin(&txvalidator.Context{VSCCName: name}), v20.ValidateWithPlugin(&plugindispatcher.Context{PluginName: name}),
		} {
			require.Error(t, err)
			var failure *validation.ExecutionFailureError
			require.Equal(t, stops, errors.As(err, &failure), name)
		}
	}
}
