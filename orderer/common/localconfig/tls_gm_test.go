// SPDX-License-Identifier: Apache-2.0

package localconfig

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric/internal/settings"
	"github.com/stretchr/testify/require"
)

// loadConfig loads an orderer.yaml of the given text, with the environment as the test has set it, past the cache.
func loadConfig(t *testing.T, yaml string) (*TopLevel, string, error) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "orderer.yaml"), []byte(yaml), 0o600))
	t.Setenv("FABRIC_CFG_PATH", dir)
	conf, err := (&configCache{}).load()
	return conf, dir, err
}

// stockYAML names none of our keys, as files written for stock Fabric.
const stockYAML = `
General:
    TLS:
        Enabled: true
        PrivateKey: tls/server.key
        Certificate: tls/server.crt
    Cluster:
        ClientCertificate: tls/client.crt
        ClientPrivateKey: tls/client.key
Operations:
    ListenAddress: 127.0.0.1:8443
    TLS:
        Enabled: true
        Certificate: ops.crt
        PrivateKey: ops.key
Admin:
    TLS:
        Enabled: true
        ClientAuthRequired: true
        Certificate: admin.crt
        PrivateKey: admin.key
`

func TestStockFileMeansStockTLS(t *testing.T) {
	conf, dir, err := loadConfig(t, stockYAML)
	require.NoError(t, err)
	require.Equal(t, TLS{
		Enabled:     true,
		PrivateKey:  filepath.Join(dir, "tls/server.key"),
		Certificate: filepath.Join(dir, "tls/server.crt"),
	}, conf.General.TLS)
	require.Equal(t, TLS{Enabled: true, Certificate: "ops.crt", PrivateKey: "ops.key"}, conf.Operations.TLS)
	require.Empty(t, conf.General.Cluster.Mode)
	require.False(t, conf.General.TLS.HasGMPair() || conf.General.Cluster.HasGMClientPair() || conf.General.Cluster.HasGMServerPair())
}

// The environment reaches every key of ours in a file that names none.
func TestEnvironmentOverridesOfTLCPKeys(t *testing.T) {
	for key, value := range map[string]string{
		"GENERAL_TLS_MODE":                        "dual",
		"GENERAL_TLS_CLIENTMODE":                  "gm",
		"GENERAL_TLS_GMSIGNCERTIFICATE":           "tls/server-sign.crt",
		"GENERAL_TLS_GMSIGNPRIVATEKEY":            "tls/server-sign.key",
		"GENERAL_TLS_GMENCCERTIFICATE":            "tls/server-enc.crt",
		"GENERAL_TLS_GMENCPRIVATEKEY":             "/abs/server-enc.key",
		"GENERAL_TLS_GMKEYPASSWORDFILE":           "tls/password",
		"OPERATIONS_TLS_GMKEYPASSWORDFILE":        "o-password",
		"ADMIN_TLS_GMKEYPASSWORDFILE":             "a-password",
		"GENERAL_TLS_DRAINGRACE":                  "15s",
		"GENERAL_TLS_GMCIPHERSUITES":              "[ECC_SM4_GCM_SM3, ECC_SM4_CBC_SM3]",
		"GENERAL_CLUSTER_GMCIPHERSUITES":          "ECDHE_SM4_GCM_SM3",
		"GENERAL_CLUSTER_LISTENADDRESS":           "127.0.0.1",
		"GENERAL_CLUSTER_LISTENPORT":              "7055",
		"GENERAL_CLUSTER_MODE":                    "gm",
		"GENERAL_CLUSTER_GMSERVERSIGNCERTIFICATE": "c-sign.crt",
		"GENERAL_CLUSTER_GMSERVERSIGNPRIVATEKEY":  "c-sign.key",
		"GENERAL_CLUSTER_GMSERVERENCCERTIFICATE":  "c-enc.crt",
		"GENERAL_CLUSTER_GMSERVERENCPRIVATEKEY":   "c-enc.key",
		"GENERAL_CLUSTER_GMCLIENTSIGNCERTIFICATE": "d-sign.crt",
		"GENERAL_CLUSTER_GMCLIENTSIGNPRIVATEKEY":  "d-sign.key",
		"GENERAL_CLUSTER_GMCLIENTENCCERTIFICATE":  "d-enc.crt",
		"GENERAL_CLUSTER_GMCLIENTENCPRIVATEKEY":   "d-enc.key",
		"OPERATIONS_TLS_MODE":                     "gm",
		"OPERATIONS_TLS_GMSIGNCERTIFICATE":        "o-sign.crt",
		"OPERATIONS_TLS_GMSIGNPRIVATEKEY":         "o-sign.key",
		"OPERATIONS_TLS_GMENCCERTIFICATE":         "o-enc.crt",
		"OPERATIONS_TLS_GMENCPRIVATEKEY":          "o-enc.key",
		"ADMIN_TLS_MODE":                          "dual",
		"ADMIN_TLS_GMSIGNCERTIFICATE":             "a-sign.crt",
		"ADMIN_TLS_GMSIGNPRIVATEKEY":              "a-sign.key",
		"ADMIN_TLS_GMENCCERTIFICATE":              "a-enc.crt",
		"ADMIN_TLS_GMENCPRIVATEKEY":               "a-enc.key",
		"ADMIN_TLS_DRAINGRACE":                    "5s",
		"GENERAL_TLS_HANDSHAKESPERADDRESS":        "512",
		"GENERAL_TLS_CHECKREVOCATION":             "true",
		"GENERAL_TLS_REVOCATIONLISTS":             "[tls/a.crl, /abs/b.crl]",
		"ADMIN_TLS_CHECKREVOCATION":               "true",
		"ADMIN_TLS_REVOCATIONLISTS":               "[c.crl]",
		"OPERATIONS_TLS_HANDSHAKESPERADDRESS":     "8",
		"ADMIN_TLS_HANDSHAKESPERADDRESS":          "9",
		"OPERATIONS_OPERATORS":                    "[" + operator + "," + strings.ToUpper(operator) + "]",
	} {
		t.Setenv("ORDERER_"+key, value)
	}
	conf, dir, err := loadConfig(t, stockYAML)
	require.NoError(t, err)

	in := func(name string) string { return filepath.Join(dir, name) }
	require.Equal(t, TLS{
		Enabled: true, PrivateKey: in("tls/server.key"), Certificate: in("tls/server.crt"),
		Mode: "dual", ClientMode: "gm", DrainGrace: 15 * time.Second,
		GMSignCertificate: in("tls/server-sign.crt"), GMSignPrivateKey: in("tls/server-sign.key"),
		GMEncCertificate: in("tls/server-enc.crt"), GMEncPrivateKey: "/abs/server-enc.key", GMKeyPasswordFile: in("tls/password"),
		GMCipherSuites: []string{"ECC_SM4_GCM_SM3", "ECC_SM4_CBC_SM3"}, HandshakesPerAddress: 512,
		CheckRevocation: true, RevocationLists: []string{in("tls/a.crl"), "/abs/b.crl"},
	}, conf.General.TLS)

	c := conf.General.Cluster
	require.Equal(t, "gm", c.Mode)
	require.Equal(t, []string{"ECDHE_SM4_GCM_SM3"}, c.GMCipherSuites)
	// Upstream takes ServerCertificate as it stands and resolves ClientCertificate; ours follow.
	require.Equal(t, []string{"c-sign.crt", "c-sign.key", "c-enc.crt", "c-enc.key"},
		[]string{c.GMServerSignCertificate, c.GMServerSignPrivateKey, c.GMServerEncCertificate, c.GMServerEncPrivateKey})
	require.Equal(t, []string{in("d-sign.crt"), in("d-sign.key"), in("d-enc.crt"), in("d-enc.key")},
		[]string{c.GMClientSignCertificate, c.GMClientSignPrivateKey, c.GMClientEncCertificate, c.GMClientEncPrivateKey})

	require.Equal(t, TLS{
		Enabled: true, Certificate: "ops.crt", PrivateKey: "ops.key", Mode: "gm",
		GMSignCertificate: "o-sign.crt", GMSignPrivateKey: "o-sign.key", GMEncCertificate: "o-enc.crt", GMEncPrivateKey: "o-enc.key",
		GMKeyPasswordFile: "o-password", HandshakesPerAddress: 8,
	}, conf.Operations.TLS)
	require.Equal(t, []string{operator, strings.ToUpper(operator)}, conf.Operations.Operators)
	require.Equal(t, TLS{
		Enabled: true, ClientAuthRequired: true, Certificate: "admin.crt", PrivateKey: "admin.key",
		Mode: "dual", DrainGrace: 5 * time.Second,
		GMSignCertificate: "a-sign.crt", GMSignPrivateKey: "a-sign.key", GMEncCertificate: "a-enc.crt", GMEncPrivateKey: "a-enc.key",
		GMKeyPasswordFile: "a-password", HandshakesPerAddress: 9,
		CheckRevocation: true, RevocationLists: []string{"c.crl"},
	}, conf.Admin.TLS)
}

const operator = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"

const gmPair = `
        GMSignCertificate: s.crt
        GMSignPrivateKey: s.key
        GMEncCertificate: e.crt
        GMEncPrivateKey: e.key
`

// A node that speaks TLCP alone needs no standard pair: neither the configuration directory, which upstream makes of an
// empty path, nor a default of the sample file that does not exist may be taken for one.
func TestGMOnlyNeedsNoStandardPair(t *testing.T) {
	for name, std := range map[string]string{
		"not given": "", "absent files": "        Certificate: tls/server.crt\n        PrivateKey: tls/server.key\n",
	} {
		conf, _, err := loadConfig(t, "General:\n    TLS:\n        Enabled: true\n        Mode: gm\n        ClientMode: gm"+gmPair+std)
		require.NoError(t, err, name)
		require.Empty(t, conf.General.TLS.Certificate, name)
		require.Empty(t, conf.General.TLS.PrivateKey, name)
	}

	// A pair that exists is kept, so that the node can be switched back.
	dir := t.TempDir()
	cert := filepath.Join(dir, "server.crt")
	require.NoError(t, os.WriteFile(cert, nil, 0o600))
	conf, _, err := loadConfig(t, "General:\n    TLS:\n        Enabled: true\n        Mode: gm\n        ClientMode: gm"+gmPair+
		"        Certificate: "+cert+"\n        PrivateKey: "+cert+"\n")
	require.NoError(t, err)
	require.Equal(t, cert, conf.General.TLS.Certificate)

	// A missing file of a node that also speaks TLS stays named, for the error at start.
	conf, dir, err = loadConfig(t, "General:\n    TLS:\n        Enabled: true\n        Mode: dual\n        ClientMode: gm"+gmPair+
		"        Certificate: tls/server.crt\n        PrivateKey: tls/server.key\n")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "tls/server.crt"), conf.General.TLS.Certificate)
}

func TestContradictoryTLSSettingsAreRefused(t *testing.T) {
	general := func(rest string) string { return "General:\n    TLS:\n        Enabled: true\n" + rest }
	std := "        Certificate: s.crt\n        PrivateKey: s.key\n"
	for name, tc := range map[string]struct{ yaml, want string }{
		"unknown mode":        {general("        Mode: TLCP\n" + std), "General.TLS.Mode"},
		"unknown client mode": {general("        ClientMode: dual\n" + std), "General.TLS.ClientMode"},
		"gm without pair":     {general("        Mode: gm\n        ClientMode: gm\n"), "GMSignCertificate"},
		"half a pair": {general("        Mode: dual\n        GMSignCertificate: a\n        GMSignPrivateKey: b\n" + std),
			"General.TLS.GMEncCertificate is missing"},
		"half a pair, mode tls":           {general("        GMEncPrivateKey: a\n" + std), "General.TLS.GMSignCertificate is missing"},
		"client gm without pair":          {general("        ClientMode: gm\n" + std), "neither General.Cluster.GMClientSignCertificate"},
		"gm but TLS client":               {general("        Mode: gm" + gmPair), `set General.TLS.ClientMode to "gm"`},
		"gm but TLS client, absent files": {general("        Mode: gm" + gmPair + std), `set General.TLS.ClientMode to "gm"`},
		"mode without TLS":                {"General:\n    TLS:\n        Enabled: false\n        Mode: gm" + gmPair, "General.TLS.Enabled is false"},
		"client mode without TLS":         {"General:\n    TLS:\n        ClientMode: gm" + gmPair, "General.TLS.Enabled is false"},
		"cluster mode, no address":        {general(std + "    Cluster:\n        Mode: gm\n"), "use General.TLS.Mode for the shared listener"},
		"cluster gm without pair": {general(std + "    Cluster:\n        Mode: gm\n        ListenAddress: 127.0.0.1\n        ListenPort: 1\n"),
			"General.Cluster.GMServerSignCertificate"},
		"cluster unknown mode":   {general(std + "    Cluster:\n        Mode: x\n"), "General.Cluster.Mode"},
		"cluster half client":    {general(std + "    Cluster:\n        GMClientSignPrivateKey: x\n"), "General.Cluster.GMClientSignCertificate is missing"},
		"dual without standard":  {"Admin:\n    TLS:\n        Enabled: true\n        ClientAuthRequired: true\n        Mode: dual" + gmPair, "Admin.TLS.Certificate"},
		"operations gm no pair":  {"Operations:\n    TLS:\n        Enabled: true\n        Mode: gm\n", "Operations.TLS.GMSignCertificate"},
		"operations without TLS": {"Operations:\n    TLS:\n        Mode: dual" + gmPair + std, "Operations.TLS.Enabled is false"},
		"operations client mode": {"Operations:\n    TLS:\n        ClientMode: gm\n", "only General.TLS.ClientMode"},
		"too many handshakes":    {general("        HandshakesPerAddress: 513\n" + std), "General.TLS.HandshakesPerAddress is 513"},
		"negative handshakes":    {"Admin:\n    TLS:\n        HandshakesPerAddress: -1\n", "Admin.TLS.HandshakesPerAddress is -1"},
		"revocation without TLS": {"Admin:\n    TLS:\n        CheckRevocation: true\n", "Admin.TLS.CheckRevocation is true but Admin.TLS.Enabled is false"},
		"lists without check":    {general("        RevocationLists: [a.crl]\n" + std), "General.TLS.RevocationLists is given but General.TLS.CheckRevocation is false"},
		"misspelt key":           {general("        GMSignCert: x\n" + std), "write General.TLS.GMSignCertificate"},
		"unknown key":            {general("        Protection: x\n" + std), "invalid keys: Protection"},
		"mode in capitals":       {general("        Mode: GM\n" + std + gmPair), `General.TLS.Mode: comm: "GM" is not a server mode`},
		"misspelt mode":          {general("        Modes: gm\n" + std + gmPair), "General.TLS.Modes, which does not exist: write General.TLS.Mode"},
		"operators":              {"Operations:\n    Operators: [CN=admin]\n", "Operations.Operators"},
		"unknown protocol":       {"Admin:\n    TLS:\n        GMProtocols: [SSL]\n", "Admin.TLS.GMProtocols"},
		"unknown to dial":        {general(std + "        GMClientProtocol: SSL\n"), "General.TLS.GMClientProtocol"},
		"hybrid as a word":       {"Admin:\n    TLS:\n        GMHybridKeyExchange: maybe\n", "GMHybridKeyExchange"},
		"dialing elsewhere":      {"Operations:\n    TLS:\n        GMClientProtocol: TLS13\n", "Operations.TLS.GMClientProtocol is set"},
		"unknown suite":          {"Admin:\n    TLS:\n        GMCipherSuites: [SM4]\n", "Admin.TLS.GMCipherSuites"},
		"cluster suite":          {general(std + "    Cluster:\n        GMCipherSuites: [SM4]\n"), "General.Cluster.GMCipherSuites"},
		"grace without unit":     {general("        DrainGrace: 60\n" + std), "General.TLS.DrainGrace is 60ns"},
	} {
		_, _, err := loadConfig(t, tc.yaml)
		require.Error(t, err, name)
		require.Contains(t, err.Error(), tc.want, name)
	}
}

// TestMisspeltVariables: stock Fabric ignores variables that it does not know.
func TestMisspeltVariables(t *testing.T) {
	for name, want := range map[string]string{
		"ORDERER_GENERAL_TLS_MODES":        "ORDERER_GENERAL_TLS_MODE",
		"ORDERER_GENERAL_TLSMODE":          "ORDERER_GENERAL_TLS_MODE",
		"ORDERER_TLS_MODE":                 "ORDERER_GENERAL_TLS_MODE",
		"ORDERER_GENERAL_TLS_GMSIGNCERT":   "ORDERER_GENERAL_TLS_GMSIGNCERTIFICATE",
		"ORDERER_OPERATIONS_OPERATOR":      "ORDERER_OPERATIONS_OPERATORS",
		"ORDERER_GENERAL_TLS_CIPHERSUITES": "ORDERER_GENERAL_TLS_GMCIPHERSUITES",
		"ORDERER_CLUSTER_MODE":             "ORDERER_GENERAL_CLUSTER_MODE",
		"orderer_general_tls_mode":         "ORDERER_GENERAL_TLS_MODE",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "gm")
			_, _, err := loadConfig(t, stockYAML)
			require.EqualError(t, err, "the environment has the variable "+name+", which does not exist: write "+want+", or unset it")
		})
	}
}

// TestStockNamesAreNoErrors: whatever stock Fabric knows may be in file and environment.
func TestStockNamesAreNoErrors(t *testing.T) {
	var keys []string
	var walk func(prefix string, section reflect.Type)
	walk = func(prefix string, section reflect.Type) {
		for i := range section.NumField() {
			field := section.Field(i)
			if field.Type.Kind() == reflect.Struct && field.Type.NumField() > 0 && field.Type.Field(0).IsExported() {
				walk(prefix+field.Name+".", field.Type)
				continue
			}
			keys = append(keys, prefix+field.Name)
		}
	}
	walk("", reflect.TypeOf(TopLevel{}))
	require.Greater(t, len(keys), 100)
	keys = slices.DeleteFunc(keys, func(key string) bool {
		return strings.HasPrefix(key, "Kafka.TLS.") || strings.HasSuffix(key, ".TLS.ClientMode") ||
			strings.HasSuffix(key, ".TLS.GMClientProtocol") // ours, with separate errors
	})
	require.NoError(t, settings.Orderer.CheckKeys("orderer.yaml", keys))
	for _, key := range keys {
		require.NoError(t, settings.Orderer.CheckEnvironment([]string{"ORDERER_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_")) + "=x"}))
	}
}

// TestUnusedPairs: certificates come before the mode that uses them.
func TestUnusedPairs(t *testing.T) {
	notes := func(yaml string) []string {
		conf, _, err := loadConfig(t, yaml)
		require.NoError(t, err)
		return conf.unusedPairs()
	}
	std := "General:\n    TLS:\n        Enabled: true\n        Certificate: c\n        PrivateKey: k\n"
	require.Empty(t, notes(std))
	require.Equal(t, []string{"The TLCP pair of General.TLS.GMSignCertificate and its three companions is not in use: General.TLS.Mode is tls and General.TLS.ClientMode is tls"},
		notes(std+gmPair))
	require.Empty(t, notes(std+"        ClientMode: gm"+gmPair))
	require.Empty(t, notes(std+"        Mode: dual"+gmPair))
	require.Len(t, notes("Operations:\n    TLS:"+gmPair+"Admin:\n    TLS:"+gmPair), 2)
}
