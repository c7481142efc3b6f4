// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// An SM2 identity keeps its bytes, in the form of an MSP's; an ECDSA one is upstream's business; what is neither is refused.
func TestSanitizeX509CertOfBothFamilies(t *testing.T) {
	gm := gmtlstest.NewCA(t).NewPair(t).SignCert
	for i := range 8 { // half of all signatures have an s that upstream would change
		cert := gm
		if i > 0 {
			cert = gmtlstest.NewCA(t).NewPair(t).SignCert
		}
		got, err := SanitizeX509Cert(append([]byte("comment\n"), cert...))
		require.NoError(t, err)
		require.Equal(t, string(cert), string(got))
	}
	ecdsa := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca").CertPEM
	_, err := SanitizeX509Cert(ecdsa)
	require.NoError(t, err)

	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	require.NoError(t, err)
	block, _ := pem.Decode(gm)
	trailing := bytes.Clone(block.Bytes)
	trailing = append(trailing, 0)
	for want, raw := range map[string][]byte{
		"is not a certificate in PEM": []byte("x"),
		"is not a certificate: ":      pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trailing}),
		"ed25519.PublicKey":           pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	} {
		_, err := SanitizeX509Cert(raw)
		require.ErrorContains(t, err, want)
	}
}
