// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/fabhttp"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/stretchr/testify/require"
)

// serveTLCP answers GET with 200 and everything else with 409 on a TLCP port that demands client certificates of the CA.
func serveTLCP(t *testing.T, ca *gmtlstest.CA) (address string) {
	t.Helper()
	pair := ca.NewPair(t, "127.0.0.1")
	cert, err := gmtls.X509KeyPair(pair.SignCert, pair.SignKey, pair.EncCert, pair.EncKey)
	require.NoError(t, err)
	pool := smx509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(ca.CertPEM))
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener := gmtls.NewListener(inner, &gmtls.Config{
		Certificates: []gmtls.Certificate{cert},
		ClientAuth:   gmtls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
	})
	server := &http.Server{
		ReadTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status := http.StatusOK
			if r.Method != http.MethodGet {
				status = http.StatusConflict
			}
			w.WriteHeader(status)
			json.NewEncoder(w).Encode(map[string]string{"seen": r.Method})
		}),
	}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return inner.Addr().String()
}

func TestTLCPClient(t *testing.T) {
	dir := t.TempDir()
	ca := gmtlstest.NewCA(t)
	address := serveTLCP(t, ca)
	caFile := gmtlstest.WriteFile(t, dir, "ca.pem", ca.CertPEM)
	client := ca.NewPair(t).Write(t, dir, "client")
	stranger := gmtlstest.NewCA(t).NewPair(t).Write(t, dir, "stranger")
	args := func(f gmtlstest.Files, rest ...string) []string {
		return append([]string{
			"--orderer-address", address, "--ca-file", caFile, "--tls-mode", "gm", "--client-cert", f.SignCert,
			"--client-key", f.SignKey, "--client-enc-cert", f.EncCert, "--client-enc-key", f.EncKey,
		}, rest...)
	}

	output, exit, err := executeChecked(args(client, "channel", "list"))
	require.NoError(t, err)
	require.Zero(t, exit, output)
	require.Contains(t, output, "Status: 200")

	// An HTTP error fails the command, with and without the status line.
	for _, extra := range [][]string{nil, {"--no-status"}} {
		output, exit, err = executeChecked(args(client, append(extra, "channel", "remove", "--channelID", "x")...))
		require.NoError(t, err)
		require.Equal(t, 1, exit, output)
		require.Contains(t, output, "DELETE")
	}
	// ... and the next success is not tainted by it.
	_, exit, err = executeChecked(args(client, "channel", "list"))
	require.NoError(t, err)
	require.Zero(t, exit)

	output, exit, err = executeChecked(args(stranger, "channel", "list"))
	require.NoError(t, err)
	require.Equal(t, 1, exit, output)

	// Encrypted keys open with the password, and with nothing else.
	locked := ca.NewPair(t).Write(t, dir, "locked")
	password := locked.Encrypt(t, dir)
	output, exit, err = executeChecked(args(locked, "channel", "list"))
	require.True(t, err != nil || exit != 0, output)
	output, exit, err = executeChecked(args(locked, "--client-key-password-file", password, "channel", "list"))
	require.NoError(t, err)
	require.Zero(t, exit, output)

	// A server of another CA is not spoken to.
	otherCA := gmtlstest.WriteFile(t, dir, "other-ca.pem", gmtlstest.NewCA(t).CertPEM)
	wrong := args(client, "channel", "list")
	wrong[3] = otherCA
	output, exit, err = executeChecked(wrong)
	require.NoError(t, err)
	require.Equal(t, 1, exit, output)
}

// A client in mode gm does not fall back to TLS, nor one in mode tls to TLCP.
func TestNoFallbackBetweenProtocols(t *testing.T) {
	dir := t.TempDir()
	gmCA := gmtlstest.NewCA(t)
	stdCA, err := tlsgen.NewCA()
	require.NoError(t, err)
	serverPair, err := stdCA.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	clientPair, err := stdCA.NewClientCertKeyPair()
	require.NoError(t, err)
	cert, err := tls.X509KeyPair(serverPair.Cert, serverPair.Key)
	require.NoError(t, err)
	tlsListener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	require.NoError(t, err)
	server := &http.Server{Handler: http.NotFoundHandler()}
	go server.Serve(tlsListener)
	t.Cleanup(func() { server.Close() })

	roots := gmtlstest.WriteFile(t, dir, "roots.pem", append(append([]byte{}, gmCA.CertPEM...), stdCA.CertBytes()...))
	gm := gmCA.NewPair(t).Write(t, dir, "client")
	output, exit, err := executeChecked([]string{
		"--orderer-address", tlsListener.Addr().String(), "--ca-file", roots, "--tls-mode", "gm", "--client-cert", gm.SignCert,
		"--client-key", gm.SignKey, "--client-enc-cert", gm.EncCert, "--client-enc-key", gm.EncKey, "channel", "list",
	})
	require.NoError(t, err)
	require.Equal(t, 1, exit)
	for _, part := range []string{"is in mode gm", "its mode is tls", "--tls-mode", "Admin.TLS.Mode"} {
		require.Contains(t, output, part)
	}

	output, exit, err = executeChecked([]string{
		"--orderer-address", serveTLCP(t, gmCA), "--ca-file", roots,
		"--client-cert", gmtlstest.WriteFile(t, dir, "client.crt", clientPair.Cert),
		"--client-key", gmtlstest.WriteFile(t, dir, "client.key", clientPair.Key), "channel", "list",
	})
	require.NoError(t, err)
	require.Equal(t, 1, exit)
	for _, part := range []string{"is in mode tls", "as a node in mode gm does", "--tls-mode", "Admin.TLS.Mode"} {
		require.Contains(t, output, part)
	}
}

func TestTLCPFlagsThatCannotWork(t *testing.T) {
	dir := t.TempDir()
	ca := gmtlstest.NewCA(t)
	caFile := gmtlstest.WriteFile(t, dir, "ca.pem", ca.CertPEM)
	pair := ca.NewPair(t).Write(t, dir, "client")
	std, err := tlsgen.NewCA()
	require.NoError(t, err)
	stdPair, err := std.NewClientCertKeyPair()
	require.NoError(t, err)
	stdCert := gmtlstest.WriteFile(t, dir, "std.crt", stdPair.Cert)
	stdKey := gmtlstest.WriteFile(t, dir, "std.key", stdPair.Key)
	list := []string{"channel", "list", "--orderer-address", "127.0.0.1:1"}

	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"spelt as by peer":     {[]string{"--tlsmode", "gm"}, "--tlsmode: this command spells it --tls-mode"},
		"spelt as by discover": {[]string{"--tlsMode=gm"}, "--tlsMode: this command spells it --tls-mode"},
		"pair in plain":        {[]string{"--client-cert", stdCert, "--client-key", stdKey}, "need --ca-file: without it the command speaks plain HTTP"},
		"unknown mode":         {[]string{"--tls-mode", "ssl"}, "enum value must be one of"},
		"password without gm":  {[]string{"--ca-file", "x", "--client-key-password-file", "y"}, "--client-key-password-file need --tls-mode gm"},
		"no CA":                {[]string{"--tls-mode", "gm", "--client-enc-cert", "x", "--client-enc-key", "y"}, "needs --ca-file"},
		"no encryption pair":   {[]string{"--tls-mode", "gm", "--ca-file", caFile}, "needs --client-enc-cert"},
		"pair without mode":    {[]string{"--client-enc-cert", "x"}, "need --tls-mode gm"},
		"missing file": {[]string{
			"--tls-mode", "gm", "--ca-file", caFile, "--client-cert", pair.SignCert, "--client-key",
			pair.SignKey, "--client-enc-cert", "absent", "--client-enc-key", pair.EncKey,
		}, "absent"},
		"standard certificate": {[]string{
			"--tls-mode", "gm", "--ca-file", caFile, "--client-cert", stdCert, "--client-key", stdKey,
			"--client-enc-cert", pair.EncCert, "--client-enc-key", pair.EncKey,
		}, "the key is not an SM2 key, which TLCP needs"},
		"encryption pair twice": {[]string{
			"--tls-mode", "gm", "--ca-file", caFile, "--client-cert", pair.EncCert, "--client-key", pair.EncKey,
			"--client-enc-cert", pair.EncCert, "--client-enc-key", pair.EncKey,
		}, "client cert/key pair"},
		"roots of the other family": {[]string{
			"--tls-mode", "gm", "--ca-file", gmtlstest.WriteFile(t, dir, "std-ca.pem", std.CertBytes()), "--client-cert", pair.SignCert,
			"--client-key", pair.SignKey, "--client-enc-cert", pair.EncCert, "--client-enc-key", pair.EncKey,
		}, "server root CAs is SM2"},
	} {
		_, exit, err := executeForArgs(append(tc.args, list...))
		require.Equal(t, 1, exit, name)
		require.ErrorContains(t, err, tc.want, name)
	}
}

// TestPlainAgainstProtected and the other way round: the answer is not JSON, or no handshake.
func TestPlainAgainstProtected(t *testing.T) {
	std, err := tlsgen.NewCA()
	require.NoError(t, err)
	gm := gmtlstest.NewCA(t)
	pair, err := std.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	client, err := std.NewClientCertKeyPair()
	require.NoError(t, err)
	dir := t.TempDir()
	sm2 := gm.NewPair(t, "127.0.0.1").Write(t, dir, "server")
	for _, mode := range []string{"tls", "dual", "gm", ""} {
		server := fabhttp.NewServer(fabhttp.Options{
			ListenAddress: "127.0.0.1:0", Logger: flogging.MustGetLogger("test"),
			TLS: fabhttp.TLS{
				Enabled: mode != "", Mode: mode,
				CertFile: gmtlstest.WriteFile(t, dir, "server.crt", pair.Cert), KeyFile: gmtlstest.WriteFile(t, dir, "server.key", pair.Key),
				GMSignCertFile: sm2.SignCert, GMSignKeyFile: sm2.SignKey, GMEncCertFile: sm2.EncCert, GMEncKeyFile: sm2.EncKey,
			},
		})
		require.NoError(t, server.Start())
		t.Cleanup(func() { server.Stop() })
		args := []string{"--orderer-address", server.Addr(), "channel", "list"}
		want := []string{"speaks plain HTTP, as --ca-file is absent", "--tls-mode gm"}
		if mode == "" {
			args = append(args, "--ca-file", gmtlstest.WriteFile(t, dir, "ca.crt", std.CertBytes()),
				"--client-cert", gmtlstest.WriteFile(t, dir, "c.crt", client.Cert), "--client-key", gmtlstest.WriteFile(t, dir, "c.key", client.Key))
			want = []string{"endpoint speaks plain HTTP: set Admin.TLS.Enabled"}
		}
		output, exit, err := executeChecked(args)
		require.NoError(t, err)
		require.Equal(t, 1, exit, mode)
		for _, part := range want {
			require.Contains(t, output, part, mode)
		}
		require.NotContains(t, output, "invalid character")
	}
	// An address where nobody listens has nothing to do with protection.
	output, exit, err := executeChecked([]string{"--orderer-address", "127.0.0.1:1", "channel", "list"})
	require.NoError(t, err)
	require.Equal(t, 1, exit)
	require.NotContains(t, output, "--ca-file")
}
