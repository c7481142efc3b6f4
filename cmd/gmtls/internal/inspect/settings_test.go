// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// TestPlainServers: a server without protection is named, unless only this machine reaches it.
func TestPlainServers(t *testing.T) {
	for text, want := range map[string][]string{
		"General: {ListenAddress: 0.0.0.0, TLS: {Enabled: true}}\nAdmin: {ListenAddress: '0.0.0.0:9443'}":                          {"0.0.0.0:9443 (Admin.TLS.Enabled)"},
		"General: {ListenAddress: 10.0.0.1}\nOperations: {ListenAddress: ':8443', TLS: {Enabled: false}}":                          {"10.0.0.1 (General.TLS.Enabled)", ":8443 (Operations.TLS.Enabled)"},
		"General: {ListenAddress: 127.0.0.1}\nAdmin: {ListenAddress: 'localhost:9443'}\nOperations: {ListenAddress: '[::1]:8443'}": nil,
		"General: {ListenAddress: orderer.example.com}":                                                                            {"orderer.example.com (General.TLS.Enabled)"},
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "orderer.yaml"), []byte(text), 0o600))
		settings, err := NodeSettings(dir)
		require.NoError(t, err)
		require.Equal(t, want, settings[0].Plain, text)
	}
}

// TestEveryNodeOfAFolder: a folder may have the files of a peer and of an orderer.
func TestEveryNodeOfAFolder(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core.yaml"), []byte("peer: {BCCSP: {GM: {Strict: true}}}\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "orderer.yaml"), []byte("General: {ListenAddress: 0.0.0.0}\n"), 0o600))
	all, err := NodeSettings(dir)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.True(t, all[0].Strict)
	require.False(t, all[1].Strict)
}

// TestKeysUnderAPattern: the keystore is read also where the name of its folder is a pattern.
func TestKeysUnderAPattern(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "peer[1]")
	keystore := filepath.Join(dir, "msp", "keystore")
	require.NoError(t, os.MkdirAll(keystore, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core.yaml"), []byte("peer: {mspConfigPath: msp}\n"), 0o600))
	gmtlstest.WriteFile(t, keystore, "key.pem", gmtlstest.NewCA(t).Issue(t, pkix.Name{CommonName: "peer"}).KeyPEM)
	all, err := NodeSettings(dir)
	require.NoError(t, err)
	require.Len(t, all[0].Keys, 1)
	require.False(t, all[0].Keys[0].InDevice)
}
