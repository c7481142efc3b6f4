// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/fabhttp"
)

// TestHealth asks the operations server that peers have in each mode and GM protocol, also in those that the configuration does not
// name: a running peer can be switched.
func TestHealth(t *testing.T) {
	dir := t.TempDir()
	ca, err := tlsgen.NewCA()
	require.NoError(t, err)
	pair, err := ca.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	gm := gmtlstest.NewCA(t).NewPair(t, "127.0.0.1").Write(t, dir, "ops")
	material := fabhttp.TLS{
		Enabled:  true,
		CertFile: gmtlstest.WriteFile(t, dir, "ops.crt", pair.Cert), KeyFile: gmtlstest.WriteFile(t, dir, "ops.key", pair.Key),
		GMSignCertFile: gm.SignCert, GMSignKeyFile: gm.SignKey, GMEncCertFile: gm.EncCert, GMEncKeyFile: gm.EncKey,
	}
	t.Setenv("FABRIC_CFG_PATH", dir)
	settings := []string{"{mode: tls, gm: {", "{mode: dual, gm: {", "{mode: gm, gm: {", "{mode: gm, gm: {protocols: [TLS13], "}
	for _, speaks := range []fabhttp.TLS{{Mode: "tls"}, {Mode: "dual"}, {Mode: "gm"}, {Mode: "gm", GMProtocols: []string{"TLS13"}}} {
		config := material
		config.Mode, config.GMProtocols = speaks.Mode, speaks.GMProtocols
		server := fabhttp.NewServer(fabhttp.Options{ListenAddress: "127.0.0.1:0", TLS: config})
		server.RegisterHandler("/healthz", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), false)
		require.NoError(t, server.Start())
		for _, setting := range settings {
			gmtlstest.WriteFile(t, dir, "core.yaml", fmt.Appendf(nil, "operations: {listenAddress: '%s', tls: %s signCert: {file: ops-sign.crt}, "+
				"signKey: {file: ops-sign.key}, encCert: {file: ops-enc.crt}, encKey: {file: ops-enc.key}}, "+
				"enabled: true, cert: {file: ops.crt}, key: {file: ops.key}}}", server.Addr(), setting))
			service, err := operationsService()
			require.NoError(t, err)
			require.NoError(t, service.Check(t.Context()), "%s %v, configured as %s", speaks.Mode, speaks.GMProtocols, setting)
		}
		require.NoError(t, server.Stop())
	}
	service, err := operationsService()
	require.NoError(t, err)
	require.Equal(t, []string{"TLS13"}, service.Protocols, "the check tries it first")
	require.False(t, service.ClientAuth)
	t.Setenv("CORE_OPERATIONS_TLS_CLIENTAUTHREQUIRED", "true")
	service, err = operationsService()
	require.NoError(t, err)
	require.True(t, service.ClientAuth)
}
