// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
)

func parsePEMKey(t *testing.T, text []byte) any {
	t.Helper()
	key, err := gmx509.ParsePrivateKeyPEM(text, nil)
	require.NoError(t, err)
	return key
}

// The keys of a TLCP pair may be in a device, which is asked for them when the files are loaded.
func TestPairInDevice(t *testing.T) {
	org := newPKI(t)
	pair := org.gm.NewPair(t, "127.0.0.1")
	sign, _ := gmx509.AsSM2(parsePEMKey(t, pair.SignKey))
	enc, _ := gmx509.AsSM2(parsePEMKey(t, pair.EncKey))
	d := keydtest.StartSDFWith(t, sign, enc)
	dir := t.TempDir()
	files := Files{
		SignCert: gmtlstest.WriteFile(t, dir, "sign.crt", pair.SignCert), SignKey: gmtlstest.WriteFile(t, dir, "sign.key", d.SignReference(t)),
		EncCert: gmtlstest.WriteFile(t, dir, "enc.crt", pair.EncCert), EncKey: gmtlstest.WriteFile(t, dir, "enc.key", d.EncryptReference(t)),
		ServerRootCAs: []string{gmtlstest.WriteFile(t, dir, "ca.crt", org.gm.CertPEM)},
	}
	config := SourceConfig{Role: "device", Load: files.Load, ServerMode: ModeGM, ClientMode: ClientGM}
	pairs := newTestSource(t, config).state.Load()
	require.IsType(t, &keyd.Key{}, pairs.GM.PrivateKey)
	require.False(t, gmtls.CanAgree(pairs.GM.EncPrivateKey))

	config.GMCipherSuites = []string{"ECDHE_SM4_GCM_SM3"}
	_, err := NewSource(config)
	require.ErrorContains(t, err, "need the encryption key in software")
	config.GMCipherSuites = []string{"ECDHE_SM4_GCM_SM3", "ECC_SM4_GCM_SM3"}
	newTestSource(t, config)

	// A device that has another key there.
	other := keydtest.Must(d.Reference("sdf:device=hsm;index=1;usage=encrypt", sign))(t)
	wrong := files
	wrong.SignKey = gmtlstest.WriteFile(t, dir, "wrong.key", keydtest.Must(other.Encode())(t))
	_, err = wrong.Load()
	require.ErrorContains(t, err, "the device has another key there")
	require.ErrorContains(t, err, "wrong.key")

	// A device that does not decrypt: the encryption key is in a file, encrypted.
	mixed := files
	text, err := gmx509.MarshalPrivateKeyPEM(enc, []byte("of a test"))
	require.NoError(t, err)
	mixed.EncKey = gmtlstest.WriteFile(t, dir, "encrypted.key", text)
	mixed.GMKeyPassword = gmtlstest.WriteFile(t, dir, "password", []byte("of a test\n"))
	config.Load = mixed.Load
	pairs = newTestSource(t, config).state.Load()
	require.IsType(t, &keyd.Key{}, pairs.GM.PrivateKey)
	require.True(t, gmtls.CanAgree(pairs.GM.EncPrivateKey))

	// Nobody is there: a node does not start, by the file, the key and the socket.
	d.Kill()
	for _, f := range []Files{files, mixed} {
		_, err = f.Load()
		for _, want := range []string{"sign.key", "sdf:device=hsm;index=1;usage=sign", d.Socket, "is gmkeyd running?"} {
			require.ErrorContains(t, err, want)
		}
	}
}

// After a reload, health does not depend on a key that the material has no more, though it is still referred to. A change of the mode
// keeps the keys.
func TestHealthOfReplacedPair(t *testing.T) {
	org := newPKI(t)
	pair := org.gm.NewPair(t, "127.0.0.1")
	sign, _ := gmx509.AsSM2(parsePEMKey(t, pair.SignKey))
	enc, _ := gmx509.AsSM2(parsePEMKey(t, pair.EncKey))
	d := keydtest.StartSDFWith(t, sign, enc)
	dir := t.TempDir()
	files := Files{
		SignCert: gmtlstest.WriteFile(t, dir, "sign.crt", pair.SignCert), SignKey: gmtlstest.WriteFile(t, dir, "sign.key", d.SignReference(t)),
		EncCert: gmtlstest.WriteFile(t, dir, "enc.crt", pair.EncCert), EncKey: gmtlstest.WriteFile(t, dir, "enc.key", d.EncryptReference(t)),
		ServerRootCAs: []string{gmtlstest.WriteFile(t, dir, "ca.crt", org.gm.CertPEM)},
	}
	s := newTestSource(t, SourceConfig{Role: "replaced", Load: files.Load, ServerMode: ModeGM, ClientMode: ClientGM})
	old := s.state.Load()
	health := func() error {
		runtime.GC() // keys of earlier tests, whose daemons have ended
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		return keyd.Health(ctx)
	}
	require.Eventually(t, func() bool { return health() == nil }, 20*time.Second, 10*time.Millisecond)
	for name, text := range map[string][]byte{"sign.crt": pair.SignCert, "sign.key": pair.SignKey, "enc.crt": pair.EncCert, "enc.key": pair.EncKey} {
		gmtlstest.WriteFile(t, dir, name, text)
	}
	require.NoError(t, SetMode("replaced", "", ClientGM))
	d.Kill()
	require.ErrorContains(t, health(), d.Socket, "the keys are in use")
	require.NoError(t, d.Start())
	require.NoError(t, Reload("replaced"))
	d.Kill()
	require.NoError(t, health())
	require.Len(t, old.deviceKeys(), 2, "they are still there, as in a connection that is open")
}

// A certificate for TLS whose ECDSA key is in a token.
func TestStandardPairInDevice(t *testing.T) {
	org := newPKI(t)
	issued, err := org.std.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	key := parsePEMKey(t, issued.Key).(*ecdsa.PrivateKey)
	d := keydtest.StartSoftHSM(t, key)
	uri, err := keyd.ParseURI("pkcs11:token=soft;object=key")
	require.NoError(t, err)
	reference := keyd.Reference{URI: uri, Socket: d.Socket, Public: &key.PublicKey}
	dir := t.TempDir()
	files := Files{
		Cert: gmtlstest.WriteFile(t, dir, "server.crt", issued.Cert),
		Key:  gmtlstest.WriteFile(t, dir, "server.key", keydtest.Must(reference.Encode())(t)),
	}
	m, err := files.Load()
	require.NoError(t, err, d.Log())

	roots := x509.NewCertPool()
	block, _ := pem.Decode(org.std.CertBytes())
	ca, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	roots.AddCert(ca)
	left, right := net.Pipe()
	server := make(chan error, 1)
	go func() {
		server <- tls.Server(left, &tls.Config{Certificates: []tls.Certificate{*m.Std}}).Handshake()
	}()
	require.NoError(t, tls.Client(right, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}).Handshake())
	require.NoError(t, <-server)

	other, err := org.std.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	_, err = splitBundle(other.Cert, keydtest.Must(reference.Encode())(t))
	require.ErrorContains(t, err, "does not belong to the certificate")

	// Nobody is there: a node does not start.
	d.Kill()
	_, err = files.Load()
	require.ErrorContains(t, err, "server.key")
	require.ErrorContains(t, err, "is gmkeyd running?")
}
