// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmx509test"
)

// FuzzParseCertificate: MSPs and TLCP agree on what has an SM2 key, and everything else is judged by the standard library alone.
func FuzzParseCertificate(f *testing.F) {
	for _, key := range []any{sm2Key(f), p256Key(f)} {
		cert := issue(f, template("leaf", false), key, nil).cert
		f.Add(cert.Raw)
		for _, der := range gmx509test.DER(cert.Raw) {
			f.Add(der)
		}
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		std, stdErr := x509.ParseCertificate(der)
		cert, err := ParseCertificate(der)
		if err == nil && !IsSM2(cert.PublicKey) {
			require.NoError(t, stdErr)
		} else {
			require.True(t, stdErr != nil || std.PublicKey == nil, "the standard library reads a key: %v", err)
		}
		if err == nil {
			_ = CheckExactDER(cert)
		}
		engines, engineErr := ParseCertificateSM(der)
		if engineErr != nil || !IsSM2(engines.PublicKey) {
			require.False(t, err == nil && IsSM2(cert.PublicKey), "TLCP refuses it: %v", engineErr)
			return
		}
		require.NoError(t, err)
		require.True(t, IsSM2(cert.PublicKey))
		require.Equal(t, engines.Raw, cert.Raw)
	})
}

// FuzzParseRequest: the same for certificate requests, and nobody signs one out of thin air.
func FuzzParseRequest(f *testing.F) {
	key, err := NewSM2PrivateKey([]byte{7}) // the same in all workers
	require.NoError(f, err)
	request := &CertificateRequest{Subject: pkix.Name{CommonName: "node"}, DNSNames: []string{"localhost"}}
	der, err := CreateCertificateRequest(rand.Reader, request, key)
	require.NoError(f, err)
	signed, err := ParseCertificateRequest(der)
	require.NoError(f, err)
	require.NoError(f, CheckRequestSignature(signed))
	f.Add(der)
	other, err := CreateCertificateRequest(rand.Reader, request, p256Key(f))
	require.NoError(f, err)
	f.Add(other)
	f.Fuzz(func(t *testing.T, der []byte) {
		std, stdErr := x509.ParseCertificateRequest(der)
		req, err := ParseCertificateRequest(der)
		if err == nil && !IsSM2(req.PublicKey) {
			require.NoError(t, stdErr)
			return
		}
		require.True(t, stdErr != nil || std.PublicKey == nil, "the standard library reads a key: %v", err)
		if err == nil && CheckRequestSignature(req) == nil {
			require.Equal(t, signed.RawTBSCertificateRequest, req.RawTBSCertificateRequest)
		}
	})
}
