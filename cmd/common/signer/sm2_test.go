// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/msp"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
)

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "block.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return file
}

// identity writes a self-signed certificate and its key in PKCS#8.
func identity(t *testing.T, key crypto.Signer) (certFile, keyFile string, cert *x509.Certificate) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "user"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return writePEM(t, "CERTIFICATE", der), writePEM(t, "PRIVATE KEY", keyDER), cert
}

func TestSM2Signer(t *testing.T) {
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	certFile, pkcs8, cert := identity(t, key)
	sec1DER, err := x509.MarshalECPrivateKey(&key.PrivateKey)
	require.NoError(t, err)

	for name, keyFile := range map[string]string{"PKCS#8": pkcs8, "SEC 1": writePEM(t, "EC PRIVATE KEY", sec1DER)} {
		t.Run(name, func(t *testing.T) {
			made, err := NewSigner(Config{MSPID: "Org1MSP", IdentityPath: certFile, KeyPath: keyFile})
			require.NoError(t, err)
			message := []byte("a discovery request")
			signature, err := made.Sign(message)
			require.NoError(t, err)
			require.NoError(t, x509.CheckSignature(cert, x509.SM2WithSM3, message, signature))
			require.Error(t, x509.CheckSignature(cert, x509.SM2WithSM3, append(message, 0), signature))

			creator, err := made.Serialize()
			require.NoError(t, err)
			id := &msp.SerializedIdentity{}
			require.NoError(t, proto.Unmarshal(creator, id))
			require.Equal(t, "Org1MSP", id.Mspid)
			want, err := os.ReadFile(certFile)
			require.NoError(t, err)
			require.Equal(t, want, id.IdBytes)
		})
	}
}

func TestCertificateAndKeyMustBelongTogether(t *testing.T) {
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	other, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	certFile, keyFile, _ := identity(t, key)
	_, otherKeyFile, _ := identity(t, other)
	ecCertFile, ecKeyFile, _ := identity(t, ecKey)

	for want, files := range map[string][2]string{
		"does not belong to the certificate": {certFile, otherKeyFile},
		"holds no SM2 private key":           {certFile, ecKeyFile},
		"holds no SM2 certificate":           {ecCertFile, keyFile},
	} {
		_, err := NewSigner(Config{MSPID: "Org1MSP", IdentityPath: files[0], KeyPath: files[1]})
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, files[0])
		require.ErrorContains(t, err, files[1])
	}
	_, err = NewSigner(Config{MSPID: "Org1MSP", IdentityPath: ecCertFile, KeyPath: ecKeyFile})
	require.NoError(t, err)
}
