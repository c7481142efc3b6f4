// SPDX-License-Identifier: Apache-2.0

package node

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/core/config/tlsconfig"
	"github.com/hyperledger/fabric/core/peer"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"
)

// setKey gives a key a value until the test ends.
func setKey(t *testing.T, key string, value any) {
	old := viper.Get(key)
	viper.Set(key, value)
	t.Cleanup(func() { viper.Set(key, old) })
}

// operationsNode configures an operations server in mode dual and returns its section of core.yaml and its authorities.
func operationsNode(t *testing.T) (*peer.Config, tlsgen.CA, *gmtlstest.CA) {
	t.Helper()
	dir := t.TempDir()
	std, err := tlsgen.NewCA()
	require.NoError(t, err)
	gm := gmtlstest.NewCA(t)
	pair, err := std.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	files := gm.NewPair(t, "127.0.0.1").Write(t, dir, "server")
	set := func(key string, value any) { setKey(t, key, value) }
	set("operations.tls.mode", "dual")
	set("operations.tls.gm.signCert.file", files.SignCert)
	set("operations.tls.gm.signKey.file", files.SignKey)
	set("operations.tls.gm.encCert.file", files.EncCert)
	set("operations.tls.gm.encKey.file", files.EncKey)
	set("operations.tls.gm.keyPassword.file", files.Encrypt(t, dir))
	set("operations.operators", nil)
	set("operations.tls.handshakesPerAddress", 512)
	return &peer.Config{
		OperationsListenAddress: "127.0.0.1:0",
		OperationsTLSEnabled:    true,
		OperationsTLSCertFile:   gmtlstest.WriteFile(t, dir, "server.crt", pair.Cert),
		OperationsTLSKeyFile:    gmtlstest.WriteFile(t, dir, "server.key", pair.Key),
		OperationsTLSClientRootCAs: []string{
			gmtlstest.WriteFile(t, dir, "std-ca.crt", std.CertBytes()), gmtlstest.WriteFile(t, dir, "gm-ca.crt", gm.CertPEM),
		},
		MetricsProvider: "disabled",
	}, std, gm
}

// TestOperators: operations.operators names who may make changes, over either protocol.
func TestOperators(t *testing.T) {
	config, std, gm := operationsNode(t)
	client := func(mode comm.ClientMode) comm.SecureOptions {
		pair, err := std.NewClientCertKeyPair()
		require.NoError(t, err)
		so := comm.SecureOptions{
			UseTLS: true, RequireClientCert: true, ClientMode: mode, ServerRootCAs: [][]byte{std.CertBytes(), gm.CertPEM},
		}
		so.Certificate, so.Key = gm.NewPair(t).Bundle(pair.Cert, pair.Key)
		return so
	}
	for _, mode := range []comm.ClientMode{comm.ClientTLS, comm.ClientGM} {
		operator, monitor := client(mode), client(mode)
		viper.Set("operations.operators", hex.EncodeToString(operator.BindingHash())) // as from the environment
		system := newOperationsSystem(config)
		require.NoError(t, system.Start())
		t.Cleanup(func() { system.Stop() })
		for _, c := range []struct {
			who    comm.SecureOptions
			method string
			want   int
		}{
			{monitor, http.MethodGet, http.StatusOK},
			{monitor, http.MethodPost, http.StatusForbidden},
			{monitor, http.MethodPut, http.StatusForbidden},
			{operator, http.MethodPost, http.StatusOK},
		} {
			transport, err := c.who.HTTPTransport()
			require.NoError(t, err)
			t.Cleanup(transport.CloseIdleConnections)
			req, err := http.NewRequest(c.method, "https://"+system.Addr()+"/tls", strings.NewReader(`{"role":"peer.operations"}`))
			require.NoError(t, err)
			resp, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Do(req)
			require.NoError(t, err)
			resp.Body.Close()
			require.Equal(t, c.want, resp.StatusCode, "%s, mode %s", c.method, mode)
		}
	}
}

// TestOperationsSettingsThatCannotWork end the start.
func TestOperationsSettingsThatCannotWork(t *testing.T) {
	config, _, _ := operationsNode(t)
	for key, value := range map[string]any{
		"operations.operators":                []string{"CN=ops"},
		"operations.tls.handshakesPerAddress": "many",
	} {
		old := viper.Get(key)
		viper.Set(key, value)
		require.Panics(t, func() { newOperationsSystem(config) }, key)
		viper.Set(key, old)
	}
	viper.Set("operations.tls.gm.encKey.file", filepath.Join(t.TempDir(), "absent.key"))
	require.ErrorContains(t, newOperationsSystem(config).Start(), "absent.key")
}

// TestHangupBeforeLedgers: a peer that has its operations server, and is still opening its ledgers, is not ended by a reload.
func TestHangupBeforeLedgers(t *testing.T) {
	config, _, _ := operationsNode(t)
	var reloads atomic.Int32
	earlier := audit.Use(audit.NewLog(func(_ string, fields ...any) {
		if strings.Contains(fmt.Sprint(fields...), "reload-") { // done, or failed for files of tests before
			reloads.Add(1)
		}
	}))
	t.Cleanup(func() { audit.Use(earlier) })
	newOperationsSystem(config)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP)) // which ends a process that does not handle it
	require.Eventually(t, func() bool { return reloads.Load() > 0 }, 10*time.Second, 10*time.Millisecond)
}

// TestOperationsHybrid: operations.tls.gm.hybridKeyExchange reaches the server.
func TestOperationsHybrid(t *testing.T) {
	config, _, _ := operationsNode(t)
	t.Cleanup(func() {
		viper.Set("operations.tls.gm.protocols", nil)
		viper.Set("operations.tls.gm.hybridKeyExchange", nil)
	})
	viper.Set("operations.tls.gm.protocols", []string{comm.GMProtocolTLS13})
	viper.Set("operations.tls.gm.hybridKeyExchange", true)
	system := newOperationsSystem(config)
	require.NoError(t, system.Start())
	t.Cleanup(func() { system.Stop() })
	conn, err := gmtls.Dial("tcp", system.Addr(), &gmtls.Config{
		Versions: []uint16{gmtls.VersionTLS13}, InsecureSkipVerify: true,
		CurvePreferences: []gmtls.CurveID{gmtls.CurveSM2MLKEM768, gmtls.CurveSM2},
	})
	require.NoError(t, err)
	defer conn.Close()
	require.Equal(t, gmtls.CurveSM2MLKEM768, conn.ConnectionState().CurveID)
}

// TestLaunchedProtocol: launched chaincode is told the first protocol of its listener, and nothing where none is configured, as
// older chaincode knows no such variable.
func TestLaunchedProtocol(t *testing.T) {
	t.Cleanup(func() { viper.Set(tlsconfig.ChaincodeProtocolsKey, nil) })
	viper.Set(tlsconfig.ChaincodeProtocolsKey, []string{})
	require.Empty(t, launchedVariables())
	viper.Set(tlsconfig.ChaincodeProtocolsKey, []string{comm.GMProtocolTLS13, comm.GMProtocolTLCP})
	require.Equal(t, []string{"CHAINCODE_GM_PROTOCOLS=TLS13"}, launchedVariables())
}
