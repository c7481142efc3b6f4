// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	m "github.com/hyperledger/fabric-protos-go/msp"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
)

// reissued is c with another signed part, signed by ca.
func (ca credential) reissued(t *testing.T, c credential, change func(*tbsCertificate)) credential {
	t.Helper()
	parts, err := certFromX509Cert(c.cert)
	require.NoError(t, err)
	parts.Raw, parts.TBSCertificate.Raw = nil, nil
	change(&parts.TBSCertificate)
	tbs, err := asn1.Marshal(parts.TBSCertificate)
	require.NoError(t, err)
	sig, err := ca.key.Sign(rand.Reader, tbs, sm2.DefaultSM2SignerOpts)
	require.NoError(t, err)
	parts.SignatureValue = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	der, err := asn1.Marshal(parts)
	require.NoError(t, err)
	return credential{&x509.Certificate{Raw: der}, c.key}
}

func withURI(t *testing.T, uri string) func(*tbsCertificate) {
	t.Helper()
	value, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)}})
	require.NoError(t, err)
	return func(tbs *tbsCertificate) {
		tbs.Extensions = append(tbs.Extensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value})
	}
}

// TestSettingsOfGoDecideOnNoIdentity: peers over different bases, and with different GODEBUG, judge the SM2 identities and CAs of a channel
// alike, in a channel without the capability too: version 0.1.0 refused the same.
func TestSettingsOfGoDecideOnNoIdentity(t *testing.T) {
	root := newRoot(t, familySM2, "root")
	peer := root.issue(t, familySM2, template(t, "peer", "peer"))
	for name, c := range map[string]struct {
		change func(*tbsCertificate)
		good   bool
	}{
		"unchanged":             {func(*tbsCertificate) {}, true},
		"URI":                   {withURI(t, "https://peer.example.com:7051/"), true},
		"URI of other scheme":   {withURI(t, "mongodb://a:1,b:2/"), true},
		"URI with stray colons": {withURI(t, "https://a:1:2/"), false},
		"negative serial":       {func(tbs *tbsCertificate) { tbs.SerialNumber = big.NewInt(-7) }, false},
	} {
		identity, ca := root.reissued(t, peer, c.change), root.reissued(t, root, c.change)
		for _, setting := range []string{"", "urlstrictcolons=0,x509negativeserial=1", "urlstrictcolons=1,x509negativeserial=0"} {
			t.Run(name+", "+setting, func(t *testing.T) {
				t.Setenv("GODEBUG", setting)
				for _, version := range []MSPVersion{ofNode, ofOldChannel, withCapability} {
					made, err := setupAs(t, version, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}})
					require.NoError(t, err)
					err = validate(t, made.(*bccspmsp), identity)
					require.Equal(t, c.good, err == nil, "identity, version %d: %v", version, err)
					for _, conf := range []*m.FabricMSPConfig{
						{RootCerts: [][]byte{ca.pem()}},
						{RootCerts: [][]byte{root.pem()}, TlsRootCerts: [][]byte{ca.pem()}},
					} {
						_, err = setupAs(t, version, conf)
						require.Equal(t, c.good, err == nil, "CA, version %d: %v", version, err)
					}
				}
			})
		}
	}
}
