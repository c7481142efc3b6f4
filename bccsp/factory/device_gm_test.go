// SPDX-License-Identifier: Apache-2.0

package factory

import (
	"crypto/rand"
	"testing"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"
)

// An existing configuration with upstream's PKCS11 provider is told what to do. A process that has a provider already must not
// continue with it.
func TestDefaultPKCS11(t *testing.T) {
	if pkcs11Enabled {
		t.Skip("built with upstream's provider")
	}
	for range 2 {
		config := &FactoryOpts{Default: "PKCS11"}
		require.ErrorContains(t, startOver(t, config), "docs/hsm.md")
		_, err := GetBCCSPFromOpts(config)
		require.ErrorContains(t, err, "gmtls key reference")
		require.NotNil(t, GetDefault()) // as orderers do before they read the configuration
	}
}

func TestRandomDevice(t *testing.T) {
	t.Cleanup(func() { gm.UseRandom(rand.Reader) })
	d := keydtest.StartSDF(t)
	for text, config := range map[string]*GmOpts{
		`BCCSP.GM.Random: "dice"`:                 {Random: "dice"},
		"are for Random: device":                  {RandomSocket: "/x"},
		"no device of this name has random: true": {Random: "device", RandomDevice: "none", RandomSocket: d.Socket},
	} {
		require.ErrorContains(t, startOver(t, &FactoryOpts{Default: "SW", SW: GetDefaultOpts().SW, GM: config}), text)
	}
	v := viper.New()
	v.Set("BCCSP.Default", "SW")
	v.Set("BCCSP.GM.Random", "device")
	v.Set("BCCSP.GM.RandomSocket", d.Socket)
	config := GetDefaultOpts()
	require.NoError(t, v.UnmarshalKey("BCCSP", &config))
	require.NoError(t, startOver(t, config))

	csp := GetDefault()
	key, err := csp.KeyGen(&bccsp.SM2KeyGenOpts{Temporary: true})
	require.NoError(t, err)
	_, err = csp.Sign(key, []byte("m"), &bccsp.SM2SignerOpts{})
	require.NoError(t, err)
	d.Kill()
	p := make([]byte, 8192) // more than is in stock
	_, err = gm.Random().Read(p)
	require.ErrorContains(t, err, d.Socket)
	require.Equal(t, make([]byte, len(p)), p)
}
