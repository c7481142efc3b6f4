// SPDX-License-Identifier: Apache-2.0

package tlsconfig

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	names "github.com/hyperledger/fabric/internal/settings"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"
)

// TestCheckPeer holds what is refused, by the name of the key, and what is not.
func TestCheckPeer(t *testing.T) {
	n := newNode(t)
	const operator = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"
	for name, c := range map[string]struct {
		keys map[string]any
		want string
	}{
		"mode in capitals":    {map[string]any{"peer.tls.mode": "GM"}, `peer.tls.mode: comm: "GM" is not a server mode: use tls, dual or gm`},
		"mode yes":            {map[string]any{"peer.tls.mode": "yes"}, `peer.tls.mode: comm: "yes"`},
		"client mode dual":    {map[string]any{"peer.tls.clientMode": "dual"}, `peer.tls.clientMode: comm: "dual"`},
		"no TLS":              {map[string]any{"peer.tls.enabled": false}, `peer.tls.mode is "gm" but peer.tls.enabled is false`},
		"TLS yes":             {map[string]any{"peer.tls.enabled": "yes"}, `peer.tls.enabled is "yes": write true or false`},
		"client auth on":      {map[string]any{"peer.tls.clientAuthRequired": "on"}, `peer.tls.clientAuthRequired is "on"`},
		"dialing without TLS": {map[string]any{"peer.tls.enabled": "", "peer.tls.mode": "", "peer.tls.clientMode": "gm"}, `peer.tls.clientMode is "gm" but peer.tls.enabled is false`},
		"half a pair":         {map[string]any{"peer.tls.gm.encKey.file": ""}, "peer.tls.gm.encKey.file is missing"},
		"half a client pair":  {map[string]any{"peer.tls.gm.clientEncKey.file": "x"}, "peer.tls.gm.clientSignCert.file is missing"},
		"no pair": {map[string]any{
			"peer.tls.gm.signCert.file": "", "peer.tls.gm.signKey.file": "", "peer.tls.gm.encCert.file": "", "peer.tls.gm.encKey.file": "",
		}, "peer.tls.gm.signCert.file and its three companions"},
		"no pair to dial": {map[string]any{
			"peer.tls.mode": "tls", "peer.tls.gm.signCert.file": "", "peer.tls.gm.signKey.file": "", "peer.tls.gm.encCert.file": "", "peer.tls.gm.encKey.file": "",
		}, `peer.tls.clientMode is "gm" but no SM2 certificates are given`},
		"dual without TLS pair": {map[string]any{"peer.tls.mode": "dual", "peer.tls.cert.file": ""}, "set peer.tls.cert.file"},
		"TLS to dial without pair": {map[string]any{"peer.tls.clientMode": "tls", "peer.tls.cert.file": "/absent", "peer.tls.key.file": "/absent"},
			`set peer.tls.clientMode to "gm"`},
		"suite":              {map[string]any{"peer.tls.gm.cipherSuites": []string{"SM4"}}, `peer.tls.gm.cipherSuites: TLCP has no cipher suite "SM4"`},
		"protocols":          {map[string]any{"peer.tls.gm.protocols": []string{"TLS1.3"}}, `peer.tls.gm.protocols: "TLS1.3" is not a GM protocol`},
		"operations protos":  {map[string]any{"operations.tls.gm.protocols": []string{"TLCP", "TLCP"}}, `operations.tls.gm.protocols: the GM protocol TLCP is there twice`},
		"client protocol":    {map[string]any{"peer.tls.gm.clientProtocol": "TLS"}, `peer.tls.gm.clientProtocol: "TLS" is not a GM protocol`},
		"hybrid":             {map[string]any{"peer.tls.gm.hybridKeyExchange": "on"}, `peer.tls.gm.hybridKeyExchange is "on"`},
		"handshakes":         {map[string]any{"peer.tls.handshakesPerAddress": "513"}, "peer.tls.handshakesPerAddress is"},
		"grace":              {map[string]any{"operations.tls.drainGrace": "60"}, "operations.tls.drainGrace is"},
		"revocation on":      {map[string]any{"peer.tls.checkRevocation": "on"}, `peer.tls.checkRevocation is "on": write true or false`},
		"lists, no check":    {map[string]any{"peer.tls.revocationLists.files": []string{"x"}}, "peer.tls.revocationLists.files is given but peer.tls.checkRevocation is false"},
		"operations lists":   {map[string]any{"operations.tls.checkRevocation": true}, "operations.tls.checkRevocation is true but operations.tls.enabled is false"},
		"operations mode":    {map[string]any{"operations.tls.mode": "GM"}, `operations.tls.mode: comm: "GM"`},
		"operations no TLS":  {map[string]any{"operations.tls.mode": "gm"}, `operations.tls.mode is "gm" but operations.tls.enabled is false`},
		"operations TLS on":  {map[string]any{"operations.tls.enabled": "on"}, `operations.tls.enabled is "on"`},
		"operations pair":    {map[string]any{"operations.tls.enabled": true, "operations.tls.mode": "gm"}, "operations.tls.gm.signCert.file"},
		"operations no cert": {map[string]any{"operations.tls.enabled": true}, "operations.tls.enabled is true but no TLS certificate is given: set operations.tls.cert.file"},
		"operators":          {map[string]any{"operations.operators": "CN=admin"}, "operations.operators: "},
		"launched":           {map[string]any{"chaincode.tls.mode": "dual"}, `chaincode.tls.mode: comm: "dual"`},
		"launched, no TLS":   {map[string]any{"chaincode.tls.mode": "gm", "peer.tls.enabled": false, "peer.tls.mode": "", "peer.tls.clientMode": ""}, `chaincode.tls.mode is "gm" but peer.tls.enabled is false`},
		"launched by what":   {map[string]any{"chaincode.tls.mode": "gm", "chaincode.tls.gm.protocols": []string{"TLS1.3"}}, `chaincode.tls.gm.protocols: "TLS1.3" is not a GM protocol: use TLCP or TLS13`},
		"launched, no gm":    {map[string]any{"chaincode.tls.gm.protocols": []string{"TLS13"}}, `chaincode.tls.gm.protocols is given but chaincode.tls.mode is ""`},
		"launched, TLS 1.3":  {map[string]any{"chaincode.tls.mode": "gm", "chaincode.tls.gm.protocols": []string{"TLS13", "TLCP"}}, ""},
		"all is well":        {map[string]any{"peer.tls.checkRevocation": true, "peer.tls.revocationLists.files": []string{"x"}, "operations.operators": operator, "chaincode.tls.mode": "gm"}, ""},
		"stock":              {map[string]any{"peer.tls.mode": nil, "peer.tls.clientMode": nil, "peer.tls.enabled": false}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			keys := n.serverKeys("gm")
			keys["peer.tls.clientMode"] = "gm"
			for key, value := range c.keys {
				keys[key] = value
			}
			set(t, keys)
			_, err := CheckPeer()
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestNotes: a pair that no mode uses is the first step of a switch.
func TestNotes(t *testing.T) {
	n := newNode(t)
	set(t, n.serverKeys("tls"))
	notes, err := CheckPeer()
	require.NoError(t, err)
	require.Equal(t, []string{"The TLCP pair of peer.tls.gm.signCert.file and its three companions is not in use: peer.tls.mode is tls and peer.tls.clientMode is tls"}, notes)
	viper.Set("peer.tls.clientMode", "gm")
	notes, err = CheckPeer()
	require.NoError(t, err)
	require.Empty(t, notes)
	keys := n.gatewayKeys()
	keys["peer.tls.clientMode"] = "tls"
	set(t, keys)
	notes, err = CheckPeer()
	require.NoError(t, err)
	require.Len(t, notes, 1)
	require.Contains(t, notes[0], "clientSignCert")
}

// TestStockNamesAreNoErrors: no key of upstream's core.yaml, and none that upstream's code asks viper for, is taken for a misspelt
// one of ours.
func TestStockNamesAreNoErrors(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	set(t, nil)
	viper.SetConfigFile(filepath.Join(root, "sampleconfig", "core.yaml"))
	require.NoError(t, viper.ReadInConfig())
	keys := viper.AllKeys()
	asked := regexp.MustCompile(`viper\.(?:Get\w*|IsSet|Sub)\("([\w.]+)"\)`)
	for _, folder := range []string{"core", "gossip", "internal", "cmd", "common", "discovery"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, match := range asked.FindAllSubmatch(text, -1) {
				keys = append(keys, string(match[1]))
			}
			return err
		}))
	}
	require.Greater(t, len(keys), 200)
	require.NoError(t, names.Core.CheckKeys("core.yaml", keys))
	for _, key := range append(keys, "tls.client.key.path", "tls.client.cert.file", "chaincode.id.name", "chaincode.logging.level") {
		variable := "CORE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		require.NoError(t, names.Core.CheckEnvironment([]string{variable + "=x"}))
	}
}
