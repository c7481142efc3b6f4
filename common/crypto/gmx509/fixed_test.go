// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/emmansun/gmsm/smx509"
	"github.com/stretchr/testify/require"
)

// settingsOfGo are values of GODEBUG that nodes can have: by the go.mod of their base, in which 2.5.9 and 3.1.1 differ from 2.5.16 and
// 3.1.5, or by their environment. The last two name every setting of Go 1.26 that concerns certificates.
var settingsOfGo = []string{
	"",
	"urlstrictcolons=0,x509negativeserial=1",
	"urlstrictcolons=1,x509negativeserial=0",
	"urlstrictcolons=0,x509negativeserial=1,x509usepolicies=0,x509sha256skid=0,x509keypairleaf=0,x509rsacrt=0,x509usefallbackroots=1,rsa1024min=0,urlmaxqueryparams=0",
	"urlstrictcolons=1,x509negativeserial=0,x509usepolicies=1,x509sha256skid=1,x509keypairleaf=1,x509rsacrt=1,x509usefallbackroots=0,rsa1024min=1,urlmaxqueryparams=1",
}

// urisOfCertificates says of each URI whether an SM2 certificate may have it. This is what nodes decide on transactions by, so it is fixed:
// a version of Go or of the engine that fails here would part the peers of a channel.
var urisOfCertificates = map[string]bool{
	"https://a.example.com/":        true,
	"https://a.example.com:7050/x":  true,
	"https://a.example.com:/":       true,
	"https://user:word@a:1/":        true,
	"https://u:v:w@a/":              true,
	"https://[::1]/":                true,
	"https://[2001:db8::1]:7050/":   true,
	"https://[::ffff:192.0.2.1]/":   true,
	"https://a/b:c:d?e:f:g#h:i:j":   true,
	"https:/a:b:c":                  true,
	"urn:uuid:1:2:3":                true,
	"spiffe://example.com/peer":     true,
	"a:1:2":                         true,
	"mongodb://a:1,b:2/":            true,
	"spiffe://a:1:2/x":              true,
	"//a:1:2/":                      true,
	"/a:1:2":                        true,
	"https://a:1:2/":                false,
	"http://a:1,b:2/":               false,
	"HTTPS://a:1:2":                 false,
	"https://a:1:2?b":               false,
	"https://u@a:1:2/":              false,
	"https://::1/":                  false,
	"https://fe80::1:443/":          false,
	"https://a::/":                  false,
	"https://a:b:c/":                false,
	"https://a:b/":                  false,
	"mongodb://a:1,b:c/":            false,
	"https://a%3A1:2/":              false,
	"https://a:%31/":                false,
	"https://x[::1]:1/":             false,
	"https://a[b/":                  false,
	"https://[::1/":                 false,
	"https://[::1]x/":               false,
	"https://[192.0.2.1]/":          false,
	"https://[a]/":                  false,
	"https://a b/":                  false,
	"https://a./":                   false,
	"https://a..b/":                 false,
	"https://\u00fc.example.com/":   false,
	"https://a/%zz":                 false,
	"https://xn--tda.example.com./": false,
	"https://xn--tda.example.com/":  true,
	"https://a.example.com/\x7f":    false,
	"1a://b/":                       false,
	"a b:c":                         false,
	"":                              true,
}

func withURI(t *testing.T, uri string) pkix.Extension {
	t.Helper()
	value, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)}})
	require.NoError(t, err)
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}
}

// readers are the ways in which DER becomes an SM2 certificate: in an MSP, in files, in a pool, in a handshake of TLCP.
var readers = map[string]func(der []byte) error{
	"ParseCertificate":   func(der []byte) error { _, err := ParseCertificate(der); return err },
	"ParseCertificateSM": func(der []byte) error { _, err := ParseCertificateSM(der); return err },
	"ParseShared":        func(der []byte) error { _, err := new(shared).parse(der); return err },
}

// TestSettingsOfGoDecideNothing: what is a certificate with an SM2 key is one with every setting of Go's libraries.
func TestSettingsOfGoDecideNothing(t *testing.T) {
	key := sm2Key(t)
	certs, requests := map[string][]byte{}, map[string][]byte{}
	for uri := range urisOfCertificates {
		tmpl := template("leaf", false)
		tmpl.ExtraExtensions = []pkix.Extension{withURI(t, uri)}
		signed, err := certToSM(tmpl)
		require.NoError(t, err)
		certs[uri], err = smx509.CreateCertificate(rand.Reader, signed, signed, key.Public(), key)
		require.NoError(t, err)
		requests[uri], err = CreateCertificateRequest(rand.Reader, &CertificateRequest{ExtraExtensions: tmpl.ExtraExtensions}, key)
		require.NoError(t, err)
	}
	plain := issue(t, template("leaf", false), key, nil).cert.Raw
	serials := map[int64][]byte{}
	for _, number := range []int64{-1, -128, -1 << 62, 0, 1} {
		serials[number] = rebuilt(t, plain, func(c *derCertificate) { c.TBS.Serial = big.NewInt(number) })
	}
	for _, setting := range settingsOfGo {
		t.Run(setting, func(t *testing.T) {
			t.Setenv("GODEBUG", setting)
			for uri, good := range urisOfCertificates {
				for name, read := range readers {
					err := read(certs[uri])
					require.Equal(t, good, err == nil, "%s: %s: %v", name, uri, err)
				}
				_, err := ParseCertificateRequest(requests[uri])
				require.Equal(t, good, err == nil, "request: %s: %v", uri, err)
			}
			for number, der := range serials {
				for name, read := range readers {
					err := read(der)
					require.Equal(t, number >= 0, err == nil, "%s: serial number %d: %v", name, number, err)
				}
			}
		})
	}
}

// TestSettingsOfGoReachTheLibraries: the settings above are read while the test runs. Certificates without an SM2 key follow them, as in
// stock Fabric.
func TestSettingsOfGoReachTheLibraries(t *testing.T) {
	tmpl := template("leaf", false)
	tmpl.ExtraExtensions = []pkix.Extension{withURI(t, "https://a.example.com/")}
	key := p256Key(t)
	good, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	require.NoError(t, err)
	tmpl.ExtraExtensions = []pkix.Extension{withURI(t, "https://a:1:2/")}
	colons, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	require.NoError(t, err)
	negative := rebuilt(t, good, func(c *derCertificate) { c.TBS.Serial = big.NewInt(-1) })
	for setting, read := range map[string]bool{settingsOfGo[1]: true, settingsOfGo[2]: false} {
		t.Setenv("GODEBUG", setting)
		for _, der := range [][]byte{colons, negative} {
			_, err := ParseCertificate(der)
			require.Equal(t, read, err == nil, "%s: %v", setting, err)
		}
	}
}
