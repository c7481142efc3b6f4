// SPDX-License-Identifier: Apache-2.0

package gmshim

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/stretchr/testify/require"
)

// setenv sets exactly these variables of the ones that the package reads. Values of the form @name stand for a file of
// that name, which holds its name.
func setenv(t *testing.T, env map[string]string) {
	t.Helper()
	names := []string{envMode, envProtocols, envTLSDisabled, envTLSEnabled}
	for _, group := range [][]string{envAddress, envID, envTLSKey, envTLSCert, envClientCA, envSignCert, envSignKey, envEncCert, envEncKey} {
		names = append(names, group...)
	}
	dir := t.TempDir()
	for _, name := range names {
		t.Setenv(name, "")
		value, ok := env[name]
		if !ok {
			require.NoError(t, os.Unsetenv(name))
			continue
		}
		if file, ok := strings.CutPrefix(value, "@"); ok {
			value = filepath.Join(dir, file)
			require.NoError(t, os.WriteFile(value, []byte(file), 0o600))
		}
		t.Setenv(name, value)
	}
	for name := range env {
		require.Contains(t, names, name, "the test sets a variable that the package does not read")
	}
}

func with(more map[string]string) map[string]string {
	env := map[string]string{"CHAINCODE_SERVER_ADDRESS": "0.0.0.0:9999", "CORE_CHAINCODE_ID_NAME": "asset:1"}
	maps.Copy(env, more)
	return env
}

var tlcpFiles = map[string]string{
	"CHAINCODE_TLCP_SIGN_CERT": "@sc", "CHAINCODE_TLCP_SIGN_KEY": "@sk",
	"CHAINCODE_TLCP_ENC_CERT": "@ec", "CHAINCODE_TLCP_ENC_KEY": "@ek",
}

func merge(parts ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, part := range parts {
		maps.Copy(out, part)
	}
	return out
}

func TestFromEnv(t *testing.T) {
	sampleTLS := map[string]string{"CHAINCODE_TLS_CERT": "@cert", "CHAINCODE_TLS_KEY": "@key"}
	contractTLS := map[string]string{"CORE_TLS_CLIENT_CERT_FILE": "@cert", "CORE_TLS_CLIENT_KEY_FILE": "@key", "CORE_PEER_TLS_ROOTCERT_FILE": "@ca"}
	for name, tc := range map[string]struct {
		env      map[string]string
		mode     string // of the server that comes out: none, tls, gm
		roots    string
		versions []uint16
		wantErr  string
	}{
		"stock without TLS":         {env: with(nil), mode: "none"},
		"sample server disabled":    {env: with(map[string]string{"CHAINCODE_TLS_DISABLED": "true"}), mode: "none"},
		"contract API disabled":     {env: with(map[string]string{"CORE_PEER_TLS_ENABLED": "false"}), mode: "none"},
		"TLS files, nothing said":   {env: with(sampleTLS), wantErr: "CHAINCODE_TLS_CERT is set, and nothing says that TLS is on: set CHAINCODE_TLS_MODE=tls or gm"},
		"contract files, the same":  {env: with(contractTLS), wantErr: "CORE_TLS_CLIENT_CERT_FILE is set, and nothing says"},
		"client roots, the same":    {env: with(map[string]string{"CHAINCODE_CLIENT_CA_CERT": "@ca"}), wantErr: "CHAINCODE_CLIENT_CA_CERT is set, and nothing says"},
		"TLS files, disabled":       {env: merge(with(sampleTLS), map[string]string{"CHAINCODE_TLS_DISABLED": "true"}), mode: "none"},
		"sample server with TLS":    {env: merge(with(sampleTLS), map[string]string{"CHAINCODE_TLS_DISABLED": "false"}), mode: "tls"},
		"sample server mutual":      {env: merge(with(sampleTLS), map[string]string{"CHAINCODE_TLS_DISABLED": "false", "CHAINCODE_CLIENT_CA_CERT": "@ca"}), mode: "tls", roots: "ca"},
		"contract API with TLS":     {env: merge(with(contractTLS), map[string]string{"CORE_PEER_TLS_ENABLED": "true"}), mode: "tls", roots: "ca"},
		"both families agree":       {env: merge(with(contractTLS), map[string]string{"CORE_PEER_TLS_ENABLED": "true", "CHAINCODE_TLS_DISABLED": "false", "CHAINCODE_ID": "asset:1"}), mode: "tls", roots: "ca"},
		"mode tls":                  {env: merge(with(sampleTLS), map[string]string{"CHAINCODE_TLS_MODE": "tls"}), mode: "tls"},
		"mode gm":                   {env: merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm"}), mode: "gm"},
		"mode gm mutual":            {env: merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm", "CHAINCODE_CLIENT_CA_CERT": "@ca"}), mode: "gm", roots: "ca"},
		"mode gm, empty roots":      {env: merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm", "CHAINCODE_CLIENT_CA_CERT": ""}), wantErr: "CHAINCODE_CLIENT_CA_CERT is set and empty"},
		"mode tls, empty roots":     {env: merge(with(sampleTLS), map[string]string{"CHAINCODE_TLS_MODE": "tls", "CORE_PEER_TLS_ROOTCERT_FILE": ""}), wantErr: "CORE_PEER_TLS_ROOTCERT_FILE is set and empty"},
		"one of two roots empty":    {env: merge(with(sampleTLS), map[string]string{"CHAINCODE_TLS_MODE": "tls", "CHAINCODE_CLIENT_CA_CERT": "@ca", "CORE_PEER_TLS_ROOTCERT_FILE": ""}), wantErr: "CORE_PEER_TLS_ROOTCERT_FILE is set and empty"},
		"empty roots, nothing said": {env: with(map[string]string{"CHAINCODE_CLIENT_CA_CERT": ""}), wantErr: "CHAINCODE_CLIENT_CA_CERT is set and empty"},
		"empty mode":                {env: with(map[string]string{"CHAINCODE_TLS_MODE": ""}), wantErr: "CHAINCODE_TLS_MODE is set and empty"},
		"empty roots, disabled":     {env: with(map[string]string{"CHAINCODE_TLS_DISABLED": "true", "CHAINCODE_CLIENT_CA_CERT": "", "CHAINCODE_TLS_MODE": ""}), mode: "none"},
		"mode gm with TLS enabled":  {env: merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm", "CORE_PEER_TLS_ENABLED": "true"}), mode: "gm"},
		"both GM protocols":         {env: merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm", "CHAINCODE_GM_PROTOCOLS": "TLCP, TLS13"}), mode: "gm", versions: []uint16{gmtls.VersionTLCP, gmtls.VersionTLS13}},
		"TLS 1.3 alone":             {env: merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm", "CHAINCODE_GM_PROTOCOLS": "TLS13"}), mode: "gm", versions: []uint16{gmtls.VersionTLS13}},
		"GM protocol twice":         {env: merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm", "CHAINCODE_GM_PROTOCOLS": "TLS13,TLS13"}), wantErr: "CHAINCODE_GM_PROTOCOLS=TLS13,TLS13"},
		"unknown GM protocol":       {env: merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm", "CHAINCODE_GM_PROTOCOLS": "tls13"}), wantErr: "want TLCP, TLS13"},
		"GM protocol in mode tls":   {env: merge(with(sampleTLS), map[string]string{"CHAINCODE_TLS_MODE": "tls", "CHAINCODE_GM_PROTOCOLS": "TLS13"}), wantErr: "CHAINCODE_GM_PROTOCOLS is set, but CHAINCODE_TLS_MODE is not gm"},
		"gm files without a mode":   {env: with(tlcpFiles), wantErr: "is set, but CHAINCODE_TLS_MODE is not gm"},
		"one gm file in mode tls": {env: merge(with(sampleTLS), map[string]string{"CHAINCODE_TLS_MODE": "tls", "CHAINCODE_TLCP_ENC_KEY": "@ek"}),
			wantErr: "CHAINCODE_TLCP_ENC_KEY is set"},
		"gm files with TLS enabled": {env: merge(with(tlcpFiles), with(sampleTLS), map[string]string{"CHAINCODE_TLS_DISABLED": "false"}),
			wantErr: "is set, but CHAINCODE_TLS_MODE is not gm"},
		"no address":                   {env: map[string]string{"CHAINCODE_ID": "asset:1"}, wantErr: "CHAINCODE_SERVER_ADDRESS"},
		"no id":                        {env: map[string]string{"CHAINCODE_SERVER_ADDRESS": ":9999"}, wantErr: "CHAINCODE_ID"},
		"two ids":                      {env: with(map[string]string{"CHAINCODE_ID": "asset:2"}), wantErr: "differ"},
		"mode gm while disabled":       {env: merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm", "CHAINCODE_TLS_DISABLED": "true"}), wantErr: "CHAINCODE_TLS_DISABLED"},
		"mode tls while not enabled":   {env: merge(with(sampleTLS), map[string]string{"CHAINCODE_TLS_MODE": "tls", "CORE_PEER_TLS_ENABLED": "false"}), wantErr: "turns TLS off"},
		"enabled and disabled":         {env: merge(with(sampleTLS), map[string]string{"CORE_PEER_TLS_ENABLED": "true", "CHAINCODE_TLS_DISABLED": "true"}), wantErr: "contradicts"},
		"neither enabled nor disabled": {env: merge(with(sampleTLS), map[string]string{"CORE_PEER_TLS_ENABLED": "false", "CHAINCODE_TLS_DISABLED": "false"}), wantErr: "contradicts"},
		"boolean that is none":         {env: with(map[string]string{"CORE_PEER_TLS_ENABLED": "yes"}), wantErr: "CORE_PEER_TLS_ENABLED=yes"},
		"other boolean that is none":   {env: with(map[string]string{"CHAINCODE_TLS_DISABLED": "no"}), wantErr: "CHAINCODE_TLS_DISABLED=no"},
		"unknown mode":                 {env: with(map[string]string{"CHAINCODE_TLS_MODE": "GM"}), wantErr: "want tls or gm"},
		"mode tls without files":       {env: with(map[string]string{"CHAINCODE_TLS_MODE": "tls"}), wantErr: "CHAINCODE_TLS_CERT"},
		"mode gm with the TLS files":   {env: merge(with(sampleTLS), map[string]string{"CHAINCODE_TLS_MODE": "gm"}), wantErr: "CHAINCODE_TLCP_SIGN_CERT"},
		"mode gm without one key":      {env: merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm", "CHAINCODE_TLCP_ENC_KEY": ""}), wantErr: "CHAINCODE_TLCP_ENC_KEY"},
		"file that is not there":       {env: merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm", "CHAINCODE_TLCP_SIGN_KEY": "/nonexistent/key"}), wantErr: "/nonexistent/key"},
		"empty file":                   {env: merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm", "CHAINCODE_TLCP_SIGN_KEY": "/dev/null"}), wantErr: "CHAINCODE_TLCP_SIGN_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, tc.env)
			server, err := FromEnv(nil)
			if tc.wantErr != "" {
				require.ErrorContains(t, err, tc.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "asset:1", server.CCID)
			require.Equal(t, "0.0.0.0:9999", server.Address)
			switch tc.mode {
			case "none":
				require.True(t, server.TLSProps.Disabled)
				require.Nil(t, server.TLCP)
			case "tls":
				require.False(t, server.TLSProps.Disabled)
				require.Nil(t, server.TLCP)
				require.Equal(t, "cert", string(server.TLSProps.Cert))
				require.Equal(t, "key", string(server.TLSProps.Key))
				require.Equal(t, tc.roots, string(server.TLSProps.ClientCACerts))
			case "gm":
				require.True(t, server.TLSProps.Disabled)
				require.Equal(t, "sc sk ec ek", strings.Join([]string{
					string(server.TLCP.SignCert), string(server.TLCP.SignKey), string(server.TLCP.EncCert), string(server.TLCP.EncKey),
				}, " "))
				require.Equal(t, tc.roots, string(server.TLCP.ClientCACerts))
				require.Equal(t, tc.versions, server.TLCP.Versions)
			default:
				t.Fatal("mode ", tc.mode)
			}
		})
	}
}

// TestMisspeltVariables: with all files in place, a misspelt mode started a server without protection.
func TestMisspeltVariables(t *testing.T) {
	for name, want := range map[string]string{
		"CHAINCODE_TLSMODE":            "CHAINCODE_TLS_MODE",
		"CHAINCODE_TLS_MOD":            "CHAINCODE_TLS_MODE",
		"chaincode_tls_mode":           "CHAINCODE_TLS_MODE",
		"CHAINCODE_TLS_DISABLE":        "CHAINCODE_TLS_DISABLED",
		"CHAINCODE_CLIENT_CACERT":      "CHAINCODE_CLIENT_CA_CERT",
		"CHAINCODE_TLCP_SIGNCERT":      "CHAINCODE_TLCP_SIGN_CERT",
		"CORE_PEER_TLS_ENABLE":         "CORE_PEER_TLS_ENABLED",
		"CORE_PEER_TLS_ROOT_CERT_FILE": "CORE_PEER_TLS_ROOTCERT_FILE",
		"CORE_TLS_CLIENTCERT_FILE":     "CORE_TLS_CLIENT_CERT_FILE",
		"CORE_TLS_CLIENT_KEYFILE":      "CORE_TLS_CLIENT_KEY_FILE",
	} {
		setenv(t, with(nil))
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "gm")
			_, err := FromEnv(nil)
			require.EqualError(t, err, "gmshim: the environment has the variable "+name+", which does not exist: write "+want+", or unset it")
		})
	}
}

// TestProtectionUnderAnotherName: such a server spoke in the clear with whoever reached its port.
func TestProtectionUnderAnotherName(t *testing.T) {
	for _, variable := range []string{
		"CHAINCODE_TLS_CERT_FILE=/c", "CHAINCODE_TLS_KEY_FILE=/k", "CHAINCODE_TLS_CLIENT_CACERT_FILE=/ca", "CHAINCODE_TLS_CERT_PATH=/c", // other shims
		"CHAINCODE_TLS_ENABLED=true", "CHAINCODE_TLS=true", "CHAINCODE_TLS=1", "CHAINCODE_TLS_REQUIRED=true", "CHAINCODE_CLIENT_CA=/ca",
		"CHAINCODE_GM_MODE=gm", "CHAINCODE_MODE=gm", "CHAINCODE_MODE=GM", "CHAINCODE_SERVER_MODE=tls", "CHAINCODE_PROTOCOL=TLCP",
		"CHAINCODE_TLCP=true", "CHAINCODE_SERVER_TLS_CERT=/c", "CHAINCODE_MTLS=true", "CORE_CHAINCODE_TLS_MODE=gm", "CORE_CHAINCODE_MODE=gm",
		"CORE_PEER_TLS_MODE=gm", "CORE_PEER_TLS_GM_SIGNCERT_FILE=/c", "CORE_PEER_TLS_CERT_FILE=/c", "CORE_TLS_CLIENT_CERT_PATH=/c",
	} {
		name, value, _ := strings.Cut(variable, "=")
		t.Run(variable, func(t *testing.T) {
			setenv(t, with(nil))
			t.Setenv(name, value)
			_, err := FromEnv(nil)
			require.ErrorContains(t, err, name+" is set, which nobody reads, and nothing says that TLS is on: set CHAINCODE_TLS_MODE=tls or gm")
			for _, off := range []string{"CHAINCODE_TLS_DISABLED=true", "CORE_PEER_TLS_ENABLED=false"} {
				said, word, _ := strings.Cut(off, "=")
				setenv(t, with(map[string]string{said: word}))
				_, err = FromEnv(nil) // somebody has said it
				require.NoError(t, err, off)
			}
		})
	}
}

// TestVariablesOfPlatforms: a server without protection starts beside what stock platforms set, and what a chaincode has for itself.
func TestVariablesOfPlatforms(t *testing.T) {
	setenv(t, with(map[string]string{"CHAINCODE_ID": "asset:1"}))
	for _, variable := range []string{
		// What Fabric's builders and samples set, beside what setenv knows.
		"CORE_PEER_ADDRESS=peer:7052", "CORE_PEER_LOCALMSPID=Org1MSP", "CORE_PEER_ID=peer0", "CORE_CHAINCODE_MODE=dev", "CORE_CHAINCODE_LOGGING_LEVEL=info",
		"CORE_CHAINCODE_LOGGING_SHIM=warn", "CORE_CHAINCODE_LOGGING_FORMAT=%{message}", "CORE_OPERATIONS_TLS_ENABLED=true", "CORE_VM_DOCKER_TLS_ENABLED=true",
		"CORE_LEDGER_STATE_STATEDATABASE=CouchDB", "CHAINCODE_LOG_LEVEL=debug", "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG={}", "HOSTNAME=cc-0",
		// Kubernetes and Docker, for services called chaincode, chaincode-tls, chaincode-gm, core-peer-tls and chaincode-tlcp.
		"CHAINCODE_SERVICE_HOST=10.0.0.1", "CHAINCODE_SERVICE_PORT=9999", "CHAINCODE_PORT=tcp://10.0.0.1:9999",
		"CHAINCODE_TLS_SERVICE_HOST=10.0.0.1", "CHAINCODE_TLS_SERVICE_PORT=9999", "CHAINCODE_TLS_SERVICE_PORT_GRPC_TLS=9999",
		"CHAINCODE_TLS_PORT=tcp://10.0.0.1:9999", "CHAINCODE_TLS_PORT_9999_TCP=tcp://10.0.0.1:9999", "CHAINCODE_TLS_PORT_9999_TCP_PROTO=tcp",
		"CHAINCODE_TLS_PORT_9999_TCP_PORT=9999", "CHAINCODE_TLS_PORT_9999_TCP_ADDR=10.0.0.1", "CHAINCODE_GM_SERVICE_HOST=10.0.0.1",
		"CORE_PEER_TLS_SERVICE_HOST=10.0.0.1", "CHAINCODE_TLCP_SERVICE_HOST=10.0.0.1", "CHAINCODE_TLCP_PORT=tcp://10.0.0.1:9999",
		// Of the chaincode's own, and what says no.
		"CHAINCODE_DATABASE_TLS_CERT=/c", "CHAINCODE_DATABASE_MODE=tls", "CHAINCODE_MODE=production", "CHAINCODE_GMAIL_USER=a", "CHAINCODE_TLSA=x",
		"PEER_TLS_CERT=/c", "CHAINCODE_TLS=false", "CHAINCODE_TLS_ENABLED=0", "CHAINCODE_MTLS=", "CHAINCODE_CLIENT_AUTH_REQUIRED=false",
	} {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	server, err := FromEnv(nil)
	require.NoError(t, err)
	require.True(t, server.TLSProps.Disabled)
}

// TestClientRootsUnderAnotherName: such a server let everybody who reached its port play the peer.
func TestClientRootsUnderAnotherName(t *testing.T) {
	gm := merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm"})
	tls := with(map[string]string{"CHAINCODE_TLS_CERT": "@c", "CHAINCODE_TLS_KEY": "@k", "CHAINCODE_TLS_DISABLED": "false"})
	for _, name := range []string{
		"CHAINCODE_TLCP_CLIENT_CA_CERT", "CHAINCODE_TLS_CLIENT_CA_CERT", "CHAINCODE_CLIENT_CA_CERT_FILE", "CHAINCODE_TLS_CLIENT_CACERT_FILE",
		"CHAINCODE_TLS_CLIENT_CACERT_PATH", "CHAINCODE_CLIENT_CA", "CHAINCODE_CLIENT_ROOT_CERT", "CHAINCODE_CLIENT_ROOTCAS_FILES",
		"CHAINCODE_TLS_ROOTCERT_FILE", "CHAINCODE_CA_CERT", "CHAINCODE_CLIENT_AUTH_REQUIRED", "chaincode_client_ca", "CORE_PEER_TLS_ROOTCERT",
	} {
		for _, env := range []map[string]string{gm, tls} {
			setenv(t, env)
			t.Run(name, func(t *testing.T) {
				t.Setenv(name, "true")
				_, err := FromEnv(nil)
				require.ErrorContains(t, err, name+" is set, ")
			})
		}
	}
}

// TestVariablesOfOthers: no other variable is refused, whether the server has roots or none.
func TestVariablesOfOthers(t *testing.T) {
	gm := merge(with(tlcpFiles), map[string]string{"CHAINCODE_TLS_MODE": "gm"})
	for _, env := range []map[string]string{gm, merge(gm, map[string]string{"CHAINCODE_CLIENT_CA_CERT": "@ca"})} {
		setenv(t, env)
		for _, name := range []string{
			"CHAINCODE_DATABASE_TLS_CERT", "CHAINCODE_DATABASE_CA_CERT", "CHAINCODE_CLIENT_CALLS", "CHAINCODE_ROOT", "CHAINCODE_CACHE",
			"CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG", "CHAINCODE_TLCP_SERVICE_HOST", "CHAINCODE_TLCP_PORT", "CORE_CHAINCODE_LOGGING_LEVEL", "CORE_TLS_CLIENT_KEY_PATH", "CORE_TLS_CLIENT_CERT_PATH",
			"CORE_PEER_TLS_CERT_FILE", "CORE_PEER_TLS_KEY_FILE", "CORE_PEER_TLS_CLIENTCERT_FILE", "CORE_PEER_TLS_CLIENTKEY_FILE",
			"CORE_PEER_TLS_CLIENTAUTHREQUIRED", "CORE_PEER_TLS_CLIENTROOTCAS_FILES", "CORE_PEER_TLS_SERVERHOSTOVERRIDE", "CORE_PEER_TLS_MODE",
			"CORE_PEER_ADDRESS", "CORE_OPERATIONS_TLS_ENABLED", "CORE_OPERATIONS_TLS_CERT_FILE",
		} {
			t.Setenv(name, "x")
		}
		t.Setenv("CHAINCODE_CLIENT_AUTH_REQUIRED", "false")
		_, err := FromEnv(nil)
		require.NoError(t, err)
	}
	t.Setenv("CHAINCODE_TLS_CLIENT_CACERT_FILE", "/pki/ca.crt") // there are roots, under our name
	_, err := FromEnv(nil)
	require.NoError(t, err)
}

// TestLaunchedFromEnv: chaincode that a peer launched speaks the one protocol that the environment names.
func TestLaunchedFromEnv(t *testing.T) {
	require.NoError(t, flag.Set("peer.address", "127.0.0.1:7052"))
	t.Cleanup(func() { _ = flag.Set("peer.address", "") })
	for protocols, want := range map[string]struct {
		version uint16
		err     string
	}{
		"":           {0, ""},
		"TLCP":       {gmtls.VersionTLCP, ""},
		"TLS13":      {gmtls.VersionTLS13, ""},
		"TLCP,TLS13": {0, "speaks one protocol"},
		"TLS1.3":     {0, "want TLCP, TLS13"},
	} {
		setenv(t, map[string]string{
			"CORE_CHAINCODE_ID_NAME": "asset:1", "CHAINCODE_GM_PROTOCOLS": protocols, "CORE_TLS_CLIENT_CERT_FILE": "@c",
			"CORE_TLS_CLIENT_KEY_FILE": "@k", "CORE_PEER_TLS_ROOTCERT_FILE": "@r",
		})
		launched, err := launchedFromEnv()
		if want.err != "" {
			require.ErrorContains(t, err, want.err, protocols)
			continue
		}
		require.NoError(t, err, protocols)
		require.Equal(t, want.version, launched.Version, protocols)
	}
}
