// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/rand"
	"strings"
	"testing"
	"time"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
)

// TestNameConstraintsAreUpstreams: which names below which CAs are refused decides on validity, so the rule that tools share is held to
// upstream's own, over names of every kind of character and chains of every length.
func TestNameConstraintsAreUpstreams(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	pieces := []string{"a", "Z", "7", "-", "_", ":", ".", "*", "..", "*.", "é", " ", "\n", "\x00", "例", "peer0", "example", ""}
	alternative := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}}
	constraints := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 30}}
	refused := 0
	for range 200_000 {
		var name strings.Builder
		for range random.Intn(6) {
			name.WriteString(pieces[random.Intn(len(pieces))])
		}
		chain := []*x509.Certificate{{Subject: pkix.Name{CommonName: name.String()}}, {}, {}}
		for _, cert := range chain {
			for _, extension := range []pkix.Extension{alternative, constraints} {
				if random.Intn(4) == 0 {
					cert.Extensions = append(cert.Extensions, extension)
				}
			}
		}
		chain = chain[:1+random.Intn(3)]
		want, got := upstreamVerifyLegacyNameConstraints(chain), verifyLegacyNameConstraints(chain)
		require.Equal(t, want, got, "%q", name.String())
		if want != nil {
			refused++
		}
	}
	require.Greater(t, refused, 1000)
}

// TestChainsAreNotExplainedAway: an explanation is added to the errors that it fits, and every other error stays as it is.
func TestChainsAreNotExplainedAway(t *testing.T) {
	earlier, later := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "leaf"}, NotBefore: earlier}
	expired := func(from time.Time) error {
		return x509.CertificateInvalidError{Cert: &x509.Certificate{NotBefore: from}, Reason: x509.Expired}
	}
	require.NoError(t, explainChain(nil, leaf))
	for name, err := range map[string]error{
		"another error":       errors.New("another"),
		"without certificate": x509.CertificateInvalidError{Reason: x509.Expired},
		"CA of the same time": expired(earlier),
		"CA that may not":     x509.CertificateInvalidError{Cert: &x509.Certificate{NotBefore: later}, Reason: x509.NotAuthorizedToSign},
	} {
		require.Equal(t, err, explainChain(err, leaf), name)
	}
	renewed := explainChain(expired(later), leaf)
	require.ErrorContains(t, renewed, "if the CA was renewed with its key")
	require.ErrorAs(t, renewed, new(x509.CertificateInvalidError))
}
