// SPDX-License-Identifier: Apache-2.0

package gmtls_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
)

func keyOfPEM(t *testing.T, text []byte) *sm2.PrivateKey {
	t.Helper()
	key, err := gmx509.ParsePrivateKeyPEM(text, nil)
	require.NoError(t, err)
	priv, ok := gmx509.AsSM2(key)
	require.True(t, ok)
	return priv
}

// meet runs a handshake over a socket and returns the suite and the errors of both ends.
func meet(t *testing.T, server, client *gmtls.Config) (suite uint16, serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		raw, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer raw.Close()
		conn := gmtls.Server(raw, server)
		err = conn.Handshake()
		if err == nil {
			_, err = io.Copy(conn, io.LimitReader(conn, 4))
		}
		done <- err
	}()
	raw, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer raw.Close()
	require.NoError(t, raw.SetDeadline(time.Now().Add(30*time.Second)))
	conn := gmtls.Client(raw, client)
	clientErr = conn.Handshake()
	if clientErr == nil {
		_, err = conn.Write([]byte("ping"))
		require.NoError(t, err)
		answer := make([]byte, 4)
		_, clientErr = io.ReadFull(conn, answer)
		suite = conn.ConnectionState().CipherSuite
	}
	raw.Close()
	return suite, <-done, clientErr
}

// A pair in a device serves both ends in the ECC suites, and leaves the ECDHE suites out.
func TestPairInDevice(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	pair := ca.NewPair(t, "127.0.0.1")
	d := keydtest.StartSDFWith(t, keyOfPEM(t, pair.SignKey), keyOfPEM(t, pair.EncKey))
	inDevice, err := gmtls.X509KeyPair(pair.SignCert, d.SignReference(t), pair.EncCert, d.EncryptReference(t))
	require.NoError(t, err)
	inSoftware, err := gmtls.X509KeyPair(pair.SignCert, pair.SignKey, pair.EncCert, pair.EncKey)
	require.NoError(t, err)
	require.False(t, gmtls.CanAgree(inDevice.EncPrivateKey))
	require.True(t, gmtls.CanAgree(inSoftware.EncPrivateKey))
	_, err = gmtls.X509KeyPair(pair.SignCert, d.EncryptReference(t), pair.EncCert, d.EncryptReference(t))
	require.ErrorContains(t, err, "does not belong to the certificate")

	roots := smx509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca.CertPEM))
	config := func(cert gmtls.Certificate, suites ...uint16) *gmtls.Config {
		return &gmtls.Config{
			Certificates: []gmtls.Certificate{cert}, RootCAs: roots, ClientCAs: roots, ServerName: "127.0.0.1",
			ClientAuth: gmtls.RequireAndVerifyClientCert, CipherSuites: suites,
		}
	}
	for name, c := range map[string]struct{ server, client gmtls.Certificate }{
		"server": {inDevice, inSoftware}, "client": {inSoftware, inDevice}, "both": {inDevice, inDevice},
	} {
		t.Run(name, func(t *testing.T) {
			suite, serverErr, clientErr := meet(t, config(c.server), config(c.client))
			require.NoError(t, serverErr)
			require.NoError(t, clientErr)
			require.Contains(t, []uint16{gmtls.ECC_SM4_GCM_SM3, gmtls.ECC_SM4_CBC_SM3}, suite)

			server, client := config(c.server), config(c.client)
			server.Versions, client.Versions = []uint16{gmtls.VersionTLS13}, []uint16{gmtls.VersionTLS13}
			suite, serverErr, clientErr = meet(t, server, client)
			require.NoError(t, serverErr)
			require.NoError(t, clientErr)
			require.Equal(t, gmtls.TLS_SM4_GCM_SM3, suite)
		})
	}
	_, serverErr, clientErr := meet(t, config(inDevice), config(inSoftware, gmtls.ECDHE_SM4_GCM_SM3))
	require.ErrorContains(t, serverErr, "need the encryption key in software")
	require.Error(t, clientErr)
	// A server that prefers ECDHE falls back to what its key can do.
	prefers := config(inDevice, gmtls.ECDHE_SM4_GCM_SM3, gmtls.ECC_SM4_GCM_SM3)
	prefers.PreferServerCipherSuites = true
	suite, serverErr, clientErr := meet(t, prefers, config(inSoftware, gmtls.ECDHE_SM4_GCM_SM3, gmtls.ECC_SM4_GCM_SM3))
	require.NoError(t, serverErr)
	require.NoError(t, clientErr)
	require.Equal(t, gmtls.ECC_SM4_GCM_SM3, suite)

	// A client does not offer what its key cannot do, so that no server chooses it.
	prefers = config(inSoftware, gmtls.ECDHE_SM4_GCM_SM3, gmtls.ECC_SM4_GCM_SM3)
	prefers.PreferServerCipherSuites = true
	suite, serverErr, clientErr = meet(t, prefers, config(inDevice))
	require.NoError(t, serverErr)
	require.NoError(t, clientErr)
	require.Equal(t, gmtls.ECC_SM4_GCM_SM3, suite)

	// A device that is away is the server's fault and said so: it is not taken for a wrong ciphertext.
	d.Kill()
	_, serverErr, clientErr = meet(t, config(inDevice), config(inSoftware))
	var device interface{ DeviceUnavailable() bool }
	require.True(t, errors.As(serverErr, &device) && device.DeviceUnavailable(), "%v", serverErr)
	require.ErrorContains(t, serverErr, "sdf:device=hsm;index=1;usage=sign")
	require.Error(t, clientErr)
	halved := inDevice
	halved.PrivateKey = inSoftware.PrivateKey
	_, serverErr, _ = meet(t, config(halved), config(inSoftware))
	require.True(t, errors.As(serverErr, &device) && device.DeviceUnavailable(), "%v", serverErr)
	require.ErrorContains(t, serverErr, "decrypting the pre-master secret")
}
