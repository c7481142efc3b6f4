// SPDX-License-Identifier: Apache-2.0

package factory_test

import (
	"testing"

	"github.com/hyperledger/fabric/bccsp/factory"
	"github.com/hyperledger/fabric/msp"
	"github.com/stretchr/testify/require"
)

// TestNodeDoesNotStartWithoutItsProvider: what peer, orderer and their commands call first ends with the error of the provider, and at every
// further call too: upstream's GetDefault would otherwise give them a provider of defaults.
func TestNodeDoesNotStartWithoutItsProvider(t *testing.T) {
	factory.Forget(t)
	with := func(random string) *factory.FactoryOpts {
		return &factory.FactoryOpts{Default: "SW", SW: factory.GetDefaultOpts().SW, GM: &factory.GmOpts{Random: random}}
	}
	for _, random := range []string{"dice", "system"} { // the first answer stays
		_, err := msp.GetLocalMspConfig(t.TempDir(), with(random), "TestMSP")
		require.ErrorContains(t, err, "could not initialize BCCSP Factories")
		require.ErrorContains(t, err, `BCCSP.GM.Random: "dice" is neither system nor device`)
	}
	require.ErrorContains(t, factory.InitFactories(nil), `BCCSP.GM.Random: "dice"`)
}
