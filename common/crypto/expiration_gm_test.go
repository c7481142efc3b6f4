// SPDX-License-Identifier: Apache-2.0

//go:build fork

package crypto

import (
	stdcrypto "crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/msp"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
)

var expiry = time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC)

// selfSigned returns the DER of a certificate for key that ends after expiry by late.
func selfSigned(t *testing.T, key stdcrypto.Signer, usage x509.KeyUsage, late time.Duration) []byte {
	t.Helper()
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(0x12345678), Subject: pkix.Name{CommonName: "node"}, KeyUsage: usage,
		NotBefore: expiry.Add(-1000 * time.Hour), NotAfter: expiry.Add(late),
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	require.NoError(t, err)
	return der
}

func sm2Key(t *testing.T) *sm2.PrivateKey {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return key
}

func asPEM(ders ...[]byte) []byte {
	var out []byte
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

func serialized(t *testing.T, certPEM []byte) []byte {
	t.Helper()
	raw, err := proto.Marshal(&msp.SerializedIdentity{Mspid: "Org1MSP", IdBytes: certPEM})
	require.NoError(t, err)
	return raw
}

// The filters that refuse expired clients take a zero time for "never expires".
func TestSM2IdentityExpires(t *testing.T) {
	der := selfSigned(t, sm2Key(t), x509.KeyUsageDigitalSignature, 0)
	require.Equal(t, expiry, ExpiresAt(serialized(t, asPEM(der))))
}

func TestEveryCertificateOfABundleIsTracked(t *testing.T) {
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	hour := time.Hour
	std := selfSigned(t, ecKey, x509.KeyUsageDigitalSignature, 30*hour)
	sign := selfSigned(t, sm2Key(t), x509.KeyUsageDigitalSignature, 20*hour)
	enc := selfSigned(t, sm2Key(t), x509.KeyUsageKeyEncipherment, 10*hour)

	for name, tc := range map[string]struct {
		server []byte
		client [][]byte
		now    time.Time
		want   []string
	}{
		"server bundle, encryption certificate first to end": {
			server: asPEM(std, sign, enc), now: expiry.Add(15 * hour),
			want: []string{
				"The server TLS SM2 encryption certificate has expired",
				"The server TLS SM2 certificate expires within 0 days and 5 hours",
				"The server TLS certificate expires within 0 days and 15 hours",
			},
		},
		"client pair in DER, as nodes pass it": {
			client: [][]byte{sign, enc}, now: expiry.Add(-14 * hour),
			want: []string{
				"The client TLS SM2 encryption certificate expires within 1 days and 0 hours",
				"The client TLS SM2 certificate expires within 1 days and 10 hours",
			},
		},
		"a week and a day before": {
			server: asPEM(enc), now: expiry.Add(10*hour - 8*24*hour),
			want: []string{"after 24h0m0s: The server TLS SM2 encryption certificate will expire within one week"},
		},
		"not valid yet": {
			server: asPEM(sign, enc), now: expiry.Add(-1000*hour - time.Second),
			want: []string{
				"The server TLS SM2 certificate is not valid before 2030-03-25T15:08:09Z, and this clock says 2030-03-25T15:08:08Z: " +
					"others refuse it until then; set the clock, or use the former certificate until then",
				"after 852h0m1s: The server TLS SM2 certificate will expire within one week",
				"The server TLS SM2 encryption certificate is not valid before 2030-03-25T15:08:09Z, and this clock says 2030-03-25T15:08:08Z: " +
					"others refuse it until then; set the clock, or use the former certificate until then",
				"after 842h0m1s: The server TLS SM2 encryption certificate will expire within one week",
			},
		},
		"valid from now": {
			server: asPEM(sign), now: expiry.Add(-1000 * hour),
			want: []string{"after 852h0m0s: The server TLS SM2 certificate will expire within one week"},
		},
		"not parsable": {
			server: asPEM([]byte{0x30, 0x00}, enc), now: expiry.Add(15 * hour),
			want: []string{
				"The expiration of a server TLS certificate cannot be tracked: x509: malformed tbs certificate",
				"The server TLS SM2 encryption certificate has expired",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var warnings []string
			warn := func(format string, args ...interface{}) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
			later := func(d time.Duration, f func()) *time.Timer {
				before := len(warnings)
				f()
				warnings[before] = fmt.Sprintf("after %s: %s", d, warnings[before])
				return nil
			}
			info := func(string, ...interface{}) {}
			TrackExpiration(true, tc.server, tc.client, serialized(t, nil), info, warn, tc.now, later)
			require.ElementsMatch(t, tc.want, warnings)
		})
	}
}

// Consenters are found by the public key of their TLS certificate.
func TestPublicKeysOfSM2CertificatesAreCompared(t *testing.T) {
	key, other := sm2Key(t), sm2Key(t)
	first := selfSigned(t, key, x509.KeyUsageDigitalSignature, 0)
	renewed := selfSigned(t, key, x509.KeyUsageDigitalSignature, time.Hour)
	require.NotEqual(t, first, renewed)
	require.NoError(t, CertificatesWithSamePublicKey(first, renewed))
	require.Equal(t, ErrPubKeyMismatch, CertificatesWithSamePublicKey(first, selfSigned(t, other, x509.KeyUsageDigitalSignature, 0)))
}
