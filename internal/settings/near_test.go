// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMisspelt holds what a misspelt name is answered with; "" stands for names that are not ours.
func TestMisspelt(t *testing.T) {
	for _, c := range []struct {
		names     Names
		key, want string
	}{
		{Core, "peer.tls.modes", "peer.tls.mode"},
		{Core, "peer.tsl.mode", "peer.tls.mode"},
		{Core, "peer.tls.modus", "peer.tls.mode"},
		{Core, "peer.tls_mode", "peer.tls.mode"},
		{Core, "peer.tls.client-mode", "peer.tls.clientMode"},
		{Core, "tls.mode", "peer.tls.mode"},
		{Core, "peer.tls.gm.mode", "peer.tls.mode"},
		{Core, "peer.tls.gmSignCertificate", "peer.tls.gm.signCert.file"},
		{Core, "peer.tls.gm.signCert.path", "peer.tls.gm.signCert.file"},
		{Core, "peer.tls.gm.encCertificate.file", "peer.tls.gm.encCert.file"},
		{Core, "operation.tls.mode", "operations.tls.mode"},
		{Core, "operations.operator", "operations.operators"},
		{Core, "chaincode.tls.mod", "chaincode.tls.mode"},
		{Core, "peer.bccsp.gm.hashes", "peer.BCCSP.GM.Hash"},
		{Core, "orderer.tls.clientmod", "orderer.tls.clientMode"},
		{Core, "peer.tls.drainGrade", "peer.tls.drainGrace"},
		{Orderer, "General.TLS.Modes", "General.TLS.Mode"},
		{Orderer, "General.TLS.SignCertificate", "General.TLS.GMSignCertificate"},
		{Orderer, "Cluster.Mode", "General.Cluster.Mode"},
		{Orderer, "General.TLS.GM.SignCert", "General.TLS.GMSignCertificate"},
		{Orderer, "Admin.TLS.Modus", "Admin.TLS.Mode"},
		{Orderer, "Operations.Operator", "Operations.Operators"},
		{CAServer, "tls.modes", "tls.mode"},
		{CAServer, "tls.gmprotocol", "tls.gmprotocols"},
		{CAServer, "tls.gm.sign-cert", "tls.gm.signcert"},
		{CAServer, "operations.operator", "operations.operators"},
		{CAServer, "server.tls.mode", "tls.mode"},
		{CAServer, "tlcp.encryption_key", "tlcp.encryptionkey"},
		{CAServer, "bccsp.gm.filekeystore.password", "bccsp.gm.filekeystore.passwordfile"},
		{CAClient, "tls.mod", "tls.mode"},
		{CAClient, "tls.gmprotocols", "tls.gmprotocol"},

		{Core, "PEER.TLS.MODE", ""},
		{Core, "peer.tls.rootcert.file", ""},
		{Core, "peer.mode", ""},
		{Core, "chaincode.mode", ""},
		{Core, "peer.BCCSP.SW.FileKeyStore.KeyStore", ""},
		{Core, "myapp.tls.cert", ""},
		{CAServer, "tls.certfile", ""},
		{CAServer, "tls.clientauth.type", ""},
		{CAServer, "ldap.tls.client.certfile", ""},
		{CAServer, "operations.tls.cert.file", ""},
		{CAServer, "operations.listenAddress", ""},
		{CAServer, "bccsp.sw.filekeystore.keystore", ""},
		{CAClient, "tls.client.certfile", ""},
		{Orderer, "General.TLS.Certificate", ""},
		{Orderer, "General.Cluster.ClientCertificate", ""},
	} {
		err := c.names.CheckKeys("the file", []string{"an.innocent.key", c.key})
		variable := c.names.Prefix + strings.ToUpper(strings.ReplaceAll(c.key, ".", "_"))
		environ := c.names.CheckEnvironment([]string{"PATH=/bin", variable + "=gm"})
		if c.want == "" {
			require.NoError(t, err)
			require.NoError(t, environ)
			continue
		}
		require.EqualError(t, err, "the file has the key "+c.key+", which does not exist: write "+c.want+", or remove it", c.key)
		want := c.names.Prefix + strings.ToUpper(strings.ReplaceAll(c.want, ".", "_"))
		if variable == want {
			continue // tls_mode and tls.mode are one variable
		}
		require.EqualError(t, environ, "the environment has the variable "+variable+", which does not exist: write "+want+", or unset it", variable)
	}
}

func TestEveryNameIsItself(t *testing.T) {
	for _, names := range []Names{Core, Orderer} {
		require.NoError(t, names.CheckKeys("", names.Keys))
		for _, key := range names.Keys {
			require.NoError(t, names.CheckEnvironment([]string{names.Prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_")) + "=x"}))
		}
	}
}

func TestVariables(t *testing.T) {
	known := []string{"CHAINCODE_TLS_MODE", "CHAINCODE_TLS_CERT", "CHAINCODE_ID"}
	require.NoError(t, CheckVariables([]string{"CHAINCODE_TLS_MODE=gm", "CHAINCODE_LANGUAGE=zh", "TLS_MODE=gm", "CHAINCODE_TLSMODE=", "CHAINCODE_DATABASE_TLS_CERT=x"}, known, "CHAINCODE_"))
	for _, name := range []string{"CHAINCODE_TLSMODE", "chaincode_tls_mode", "Chaincode_TLS_Mode", "CHAINCODE_TLS_MDOE", "CHAINCODE_TSL_MODE"} {
		require.ErrorContains(t, CheckVariables([]string{name + "=gm"}, known, "CHAINCODE_"), "variable "+name+", which does not exist: write CHAINCODE_TLS_MODE")
	}
}

// TestDistance against values counted by hand.
func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abcd", "abdc", 1}, {"kitten", "sitting", 3}, {"mode", "modes", 1}, {"ca", "abc", 3}} {
		require.Equal(t, c.want, distance(c.a, c.b), "%s %s", c.a, c.b)
		require.Equal(t, c.want, distance(c.b, c.a), "%s %s", c.b, c.a)
	}
}

// TestUnreadDocuments: a setting of ours after the first document would be ignored, and what it was to protect would not be. Stock Fabric's
// own settings are ignored there as before.
func TestUnreadDocuments(t *testing.T) {
	first := "peer:\n  tls:\n    enabled: true\n"
	for text, want := range map[string]string{
		"": "",
		"---\npeer:\n  id: a\n  tls:\n    enabled: false\n": "",
		"---\n---\n":                                        "",
		"---\npeer:\n  tls:\n    mode: gm\n":                "has peer.tls.mode in document 2, and only the first is read: join the documents",
		"---\n---\nPeer:\n  TLS:\n    modes: gm\n":          "has Peer.TLS.modes in document 3",
		"---\n- a\n":                                        "document 2, which is not read: ",
		"---\n\tpeer: x\n":                                  "document 2, which is not read: ",
		"---\npeer: &a\n  tls:\n    gm: {}\n    mode: gm\n": "has peer.tls.mode in document 2",
	} {
		file := filepath.Join(t.TempDir(), "core.yaml")
		require.NoError(t, os.WriteFile(file, []byte(first+text), 0o600))
		err := Core.CheckKeys(file, []string{"peer.tls.enabled"})
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, file, text)
		require.ErrorContains(t, err, want, text)
	}
	require.NoError(t, Core.CheckKeys("", nil))
	require.NoError(t, Core.CheckKeys(filepath.Join(t.TempDir(), "core.yaml"), nil))
}
