// SPDX-License-Identifier: Apache-2.0

package material

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// tlsFiles are the parts of a pair for TLS, in PEM.
type tlsFiles struct {
	ca, cert, key []byte
	private       *ecdsa.PrivateKey
}

func newTLSFiles(t *testing.T) (f tlsFiles) {
	t.Helper()
	issue := func(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) *x509.Certificate {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
		require.NoError(t, err)
		cert, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		return cert
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		return key
	}
	caKey := newKey()
	caTemplate := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca := issue(caTemplate, caTemplate, caKey, caKey)
	f.private = newKey()
	leaf := issue(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "node"}, DNSNames: []string{"node"}}, ca, f.private, caKey)
	f.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})
	f.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	key, err := gmx509.MarshalPrivateKeyPEM(f.private, nil)
	require.NoError(t, err)
	f.key = key
	return f
}

// readTLSPair reads a pair from two new files.
func readTLSPair(t *testing.T, cert, key []byte) (tls.Certificate, error) {
	t.Helper()
	dir := t.TempDir()
	certName, keyName := filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	require.NoError(t, os.WriteFile(certName, cert, 0o600))
	require.NoError(t, os.WriteFile(keyName, key, 0o600))
	return ReadTLSPair(certName, keyName)
}

// TestTLSPair: whatever the form of the files, the pair is read, and a handshake with it succeeds.
func TestTLSPair(t *testing.T) {
	f := newTLSFiles(t)
	smCert, smKey := caseFile(t, "base/peer/tls/server-sign.crt"), caseFile(t, "base/peer/tls/server-sign.key")
	sec1, err := x509.MarshalECPrivateKey(f.private)
	require.NoError(t, err)
	curve := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}})
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(f.ca))
	for name, c := range map[string]struct{ cert, key []byte }{
		"PEM":              {f.cert, f.key},
		"DER":              {derOf(t, f.cert), derOf(t, f.key)},
		"SEC 1 in DER":     {f.cert, sec1},
		"byte order mark":  {mark(f.cert), mark(f.key)},
		"CR LF":            {crlf(f.cert), crlf(f.key)},
		"CR":               {cr(f.cert), cr(f.key)},
		"indented":         {indented(f.cert), indented(f.key)},
		"text in front":    {join([]byte("of the node\n"), f.cert), join([]byte("secret\n"), f.key)},
		"curve parameters": {f.cert, join(curve, f.key)},
		"root first":       {join(f.ca, f.cert), f.key},
		"one file":         {join(f.key, f.cert), join(f.key, f.cert)},
		"both families":    {join(smCert, f.cert), join(smKey, f.key)},
	} {
		t.Run(name, func(t *testing.T) {
			pair, err := readTLSPair(t, c.cert, c.key)
			require.NoError(t, err)
			require.Equal(t, derOf(t, f.cert), pair.Certificate[0])
			left, right := net.Pipe()
			server := make(chan error, 1)
			go func() { server <- tls.Server(left, &tls.Config{Certificates: []tls.Certificate{pair}}).Handshake() }()
			require.NoError(t, tls.Client(right, &tls.Config{RootCAs: roots, ServerName: "node"}).Handshake())
			require.NoError(t, <-server)
		})
	}
}

// TestRefusedTLSPair: an error names the file, the reason and the remedy.
func TestRefusedTLSPair(t *testing.T) {
	f, other := newTLSFiles(t), newTLSFiles(t)
	smCert, smKey := caseFile(t, "base/peer/tls/server-sign.crt"), caseFile(t, "base/peer/tls/server-sign.key")
	locked, err := gmx509.MarshalPrivateKeyPEM(f.private, []byte("secret"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		cert, key []byte
		want      []string
	}{
		"encrypted key":         {f.cert, locked, []string{"server.key", "is encrypted", "decrypt it with: openssl pkey"}},
		"another key":           {f.cert, other.key, []string{"server.crt", "does not belong", "server.key"}},
		"SM2 certificate":       {smCert, f.key, []string{"server.crt", "SM2 certificate", "give the certificate for TLS"}},
		"SM2 key":               {f.cert, smKey, []string{"server.key", "SM2 key", "give the key of the certificate for TLS"}},
		"key as certificate":    {f.key, f.key, []string{"server.crt", "no certificate", "give the file of the certificate"}},
		"certificate as key":    {f.cert, f.cert, []string{"server.key", "no private key", "give the file of the private key"}},
		"cut certificate":       {f.cert[:len(f.cert)/2], f.key, []string{"server.crt", "END line is missing", "fetch the file again"}},
		"something behind DER":  {append(derOf(t, f.cert), 0), f.key, []string{"server.crt", "left over"}},
		"a label of openssl's":  {caseFile(t, "identity-ca/trusted-label.crt"), f.key, []string{"server.crt", "TRUSTED CERTIFICATE", "openssl x509"}},
		"an enveloped key":      {f.cert, caseFile(t, "enveloped-keys/enveloped.der"), []string{"server.key", "SM2EnvelopedKey", "gmtls key"}},
		"an empty certificate":  {nil, f.key, []string{"server.crt", "empty"}},
		"damaged second object": {join(f.cert, f.ca[:len(f.ca)/2]), f.key, []string{"server.crt", "object 2"}},
	} {
		_, err := readTLSPair(t, c.cert, c.key)
		for _, want := range c.want {
			require.ErrorContains(t, err, want, name)
		}
	}
	_, err = ReadTLSPair(filepath.Join(t.TempDir(), "absent.crt"), "server.key")
	require.ErrorContains(t, err, "absent.crt")

	certs, err := ParseCertificates("sm2.crt", smCert)
	require.NoError(t, err)
	keys, err := Parse("sm2.key", smKey)
	require.NoError(t, err)
	key, err := keys.PrivateKey(nil)
	require.NoError(t, err)
	_, err = TLSPair(certs, key)
	require.ErrorContains(t, err, "sm2.crt: it is an SM2 certificate")
}
