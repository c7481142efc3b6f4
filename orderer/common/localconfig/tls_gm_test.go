// SPDX-License-Identifier: Apache-2.0

package localconfig

import (
	"os"
	"path/filepath"
	"testing"
	"time"

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
		"OPERATIONS_TLS_HANDSHAKESPERADDRESS":     "8",
		"ADMIN_TLS_HANDSHAKESPERADDRESS":          "9",
		"OPERATIONS_OPERATORS":                    "[AB:CD,ef01]",
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
	require.Equal(t, []string{"AB:CD", "ef01"}, conf.Operations.Operators)
	require.Equal(t, TLS{
		Enabled: true, ClientAuthRequired: true, Certificate: "admin.crt", PrivateKey: "admin.key",
		Mode: "dual", DrainGrace: 5 * time.Second,
		GMSignCertificate: "a-sign.crt", GMSignPrivateKey: "a-sign.key", GMEncCertificate: "a-enc.crt", GMEncPrivateKey: "a-enc.key",
		GMKeyPasswordFile: "a-password", HandshakesPerAddress: 9,
	}, conf.Admin.TLS)
}

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
		"kafka mode":             {"Kafka:\n    TLS:\n        Enabled: true\n        Mode: gm\n        RootCAs: [x]\n        PrivateKey: x\n        Certificate: x" + gmPair, "Kafka"},
		"too many handshakes":    {general("        HandshakesPerAddress: 513\n" + std), "General.TLS.HandshakesPerAddress is 513"},
		"negative handshakes":    {"Admin:\n    TLS:\n        HandshakesPerAddress: -1\n", "Admin.TLS.HandshakesPerAddress is -1"},
		"kafka handshakes":       {"Kafka:\n    TLS:\n        HandshakesPerAddress: 1\n", "Kafka.TLS takes no"},
		"misspelt key":           {general("        GMSignCert: x\n" + std), "invalid keys: GMSignCert"},
	} {
		_, _, err := loadConfig(t, tc.yaml)
		require.Error(t, err, name)
		require.Contains(t, err.Error(), tc.want, name)
	}
}
