// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"crypto/x509/pkix"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
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

// TestSwitches: a switch is read as nodes read it, whatever its word, in the file and in the environment; one that is neither on nor off is refused.
func TestSwitches(t *testing.T) {
	read := func(word string, environment bool) (*Settings, []cause.Finding, error) {
		dir := t.TempDir()
		for _, folder := range []string{"msp", "data"} {
			require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
		}
		gmtlstest.WriteFile(t, dir, "broken.crt", []byte("broken"))
		text := "peer: {listenAddress: '0.0.0.0:7051', mspConfigPath: msp, fileSystemPath: data, BCCSP: {GM: {Strict: %[1]s}}, tls: {rootcert: {file: broken.crt}, enabled: %[1]s}}"
		if environment {
			t.Setenv("CORE_PEER_TLS_ENABLED", word)
			t.Setenv("CORE_PEER_BCCSP_GM_STRICT", word)
			word = "false"
		}
		gmtlstest.WriteFile(t, dir, "core.yaml", fmt.Appendf(nil, text, word))
		r := &Report{now: time.Now()}
		require.NoError(t, r.upgrade(dir))
		all, err := NodeSettings(dir)
		if err != nil {
			return nil, r.Findings, err
		}
		return all[0], r.Findings, nil
	}
	for word, on := range map[string]bool{"yes": true, "On": true, "no": false, "OFF": false} { // of YAML 1.1
		s, _, err := read(word, false)
		require.NoError(t, err, word)
		require.Equal(t, on, s.Strict, word)
	}
	for _, environment := range []bool{false, true} { // last: it stays set
		for word, on := range map[string]bool{"true": true, "TRUE": true, "1": true, "t": true, "T": true, "false": false, "0": false, "F": false} {
			s, findings, err := read(word, environment)
			require.NoError(t, err, word)
			require.Equal(t, on, s.Strict, word)
			require.Equal(t, on, len(s.Plain) == 0, word)
			require.Equal(t, on, strings.Contains(fmt.Sprint(findings), "broken.crt"), word)
		}
		for _, word := range []string{"2", "truee", "'on'"} {
			_, findings, err := read(word, environment)
			require.ErrorContains(t, err, "write true or false", word)
			require.Contains(t, fmt.Sprint(findings), "peer.tls.enabled: it is ", word)
			require.Contains(t, fmt.Sprint(findings), "broken.crt", word)
		}
	}
}
