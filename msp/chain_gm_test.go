// SPDX-License-Identifier: Apache-2.0

package msp

import (
	crand "crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
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

// TestChainsThatAreRefused: an MSP takes one chain, to a CA at the end of the tree. Which CA stands in the way is told by its name. A CA
// that was renewed with its key makes two chains for identities since then, if both of its certificates are there.
func TestChainsThatAreRefused(t *testing.T) {
	ca, err := x509.ParseCertificatePEM(caseFile(t, "base/ca.crt"))
	require.NoError(t, err)
	key, err := x509.ParsePrivateKeyPEM(caseFile(t, "base/ca.key"), nil)
	require.NoError(t, err)
	next, err := sm2.GenerateKey(crand.Reader)
	require.NoError(t, err)
	issue := func(public any, keyID []byte) []byte {
		template := *ca
		template.SerialNumber, template.SubjectKeyId = big.NewInt(0xabc), keyID
		der, err := x509.CreateCertificate(crand.Reader, &template, ca, public, key)
		require.NoError(t, err)
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	for name, c := range map[string]struct {
		files map[string][]byte
		wants []string
	}{
		"two certificates of the CA": {
			map[string][]byte{"cacerts/again.crt": issue(ca.PublicKey, ca.SubjectKeyId)},
			[]string{"signcerts/peer.crt: ", "an MSP takes one chain, and there are 2: the CA certificates ", "serial number abc, valid from 2026-11-28T14:08:18Z", "keep one of them"},
		},
		"the CA has one below it": {
			map[string][]byte{"intermediatecerts/next.crt": issue(next.Public(), []byte{1, 2, 3})},
			[]string{"signcerts/peer.crt: ", "also the intermediate CA ", "(serial number abc)", "take that CA out of the MSP"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := setUp(t, basePeer(t, c.files))
			for _, want := range c.wants {
				require.ErrorContains(t, err, want)
			}
		})
	}
	// What a channel's MSP says of somebody's identity.
	made, err := setUp(t, basePeer(t, nil))
	require.NoError(t, err)
	x := made.(*bccspmsp)
	again, err := x509.ParseCertificatePEM(issue(ca.PublicKey, ca.SubjectKeyId))
	require.NoError(t, err)
	x.opts.Roots.AddCert(again)
	peer, err := x509.ParseCertificatePEM(caseFile(t, "base/peer/msp/signcerts/peer.crt"))
	require.NoError(t, err)
	_, err = x.getValidationChain(peer, false)
	require.ErrorContains(t, err, "this MSP only supports a single validation chain, got 2: the CA certificates ")
}
