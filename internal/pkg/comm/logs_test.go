// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/common/loglimit"
)

// tiresome returns a certificate that costs its reader an error of several hundred kilobytes: control characters in a URI.
func tiresome(t *testing.T) tls.Certificate {
	t.Helper()
	names, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: append([]byte("http://a/"), bytes.Repeat([]byte{1}, 55_000)...)}})
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber:    big.NewInt(1),
		NotAfter:        time.Now().Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: names}},
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "nobody"}}, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// requireShort waits for a line and compares its length.
func requireShort(t *testing.T, lines *floggingtest.Recorder) {
	t.Helper()
	eventually(t, "a line", func() bool { return len(lines.Messages()) > 0 })
	for _, line := range lines.Messages() {
		require.Less(t, len(line), 2*loglimit.MaxText)
	}
}

// TestClientCannotFillTheLog: what a client writes into its certificate makes no long line.
func TestClientCannotFillTheLog(t *testing.T) {
	source := newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(newPKI(t).node(t)), ServerMode: ModeTLS})
	logger, lines := floggingtest.NewTestLogger(t)
	server, _ := startServerWith(t, ServerConfig{Logger: logger, SecOpts: SecureOptions{UseTLS: true, Source: source}})
	own := tiresome(t)
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", server.Address(), &tls.Config{
		InsecureSkipVerify:   true,
		NextProtos:           []string{"h2"},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil },
	})
	if err == nil {
		defer conn.Close()
	}
	requireShort(t, lines)
}

// TestServerCannotFillTheLog: neither does what a server writes into its own.
func TestServerCannotFillTheLog(t *testing.T) {
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{tiresome(t)}, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	before := tlsLogger
	defer func() { tlsLogger = before }()
	var lines *floggingtest.Recorder
	tlsLogger, lines = floggingtest.NewTestLogger(t)
	raw, err := net.DialTimeout("tcp", listener.Addr().String(), patience)
	require.NoError(t, err)
	defer raw.Close()
	_, _, err = clientHandshake(t.Context(), staticDialer{&tls.Config{ServerName: "node", NextProtos: []string{"h2"}}}, &unnamed, "", "", raw)
	require.Error(t, err)
	requireShort(t, lines)
}
