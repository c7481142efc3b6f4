// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// Certificates that no issuer's software would write: the parts of a good one
// changed and signed again by the authority (RFC 5280, section 4.1).

// derCertificate is a certificate in parts.
type derCertificate struct {
	TBS       derTBS
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

type derTBS struct {
	Version    int `asn1:"explicit,tag:0,optional,default:0"`
	Serial     *big.Int
	Algorithm  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	Validity   derValidity
	Subject    asn1.RawValue
	Key        derKey
	Extensions []pkix.Extension `asn1:"explicit,tag:3,optional,omitempty"`
}

type derValidity struct{ NotBefore, NotAfter time.Time }

type derKey struct {
	Algorithm derKeyAlgorithm
	Point     asn1.BitString
}

type derKeyAlgorithm struct {
	OID   asn1.ObjectIdentifier
	Curve asn1.RawValue
}

var (
	oidP256        = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	oidECDSASHA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidKeyUsage    = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSAN         = asn1.ObjectIdentifier{2, 5, 29, 17}
)

func mustMarshal(t testing.TB, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// reissued changes the signing certificate of the pair, before and after it is
// signed by key. Either change may be nil.
func (b *badCerts) reissued(before, after func(c *derCertificate)) [][]byte {
	b.t.Helper()
	var cert derCertificate
	if rest, err := asn1.Unmarshal(b.pair[0], &cert); err != nil || len(rest) > 0 {
		b.t.Fatal(err)
	}
	if before != nil {
		before(&cert)
	}
	tbs := mustMarshal(b.t, cert.TBS)
	sig, err := signMessage(rand.Reader, b.root.key, tbs)
	if cert.Algorithm.Algorithm.Equal(oidECDSASHA256) {
		digest := sha256.Sum256(tbs)
		key := ecdsa.PrivateKey{PublicKey: b.root.key.PublicKey, D: b.root.key.D}
		sig, err = key.Sign(rand.Reader, digest[:], crypto.SHA256)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	cert.Signature = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	if after != nil {
		after(&cert)
	}
	return [][]byte{mustMarshal(b.t, cert), b.pair[1]}
}

func tbs(change func(c *derTBS)) func(b *badCerts) [][]byte {
	return func(b *badCerts) [][]byte {
		return b.reissued(func(c *derCertificate) { change(&c.TBS) }, nil)
	}
}

// point replaces the public key by what change makes of its 65 bytes.
func point(change func(p []byte) []byte) func(b *badCerts) [][]byte {
	return tbs(func(c *derTBS) {
		p := change(c.Key.Point.Bytes)
		c.Key.Point = asn1.BitString{Bytes: p, BitLength: 8 * len(p)}
	})
}

// extension replaces the value of an extension.
func extension(oid asn1.ObjectIdentifier, value ...byte) func(b *badCerts) [][]byte {
	return tbs(func(c *derTBS) {
		i := slices.IndexFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oid) })
		c.Extensions[i].Value = value
	})
}

func signature(change func(sig []byte) []byte) func(b *badCerts) [][]byte {
	return func(b *badCerts) [][]byte {
		return b.reissued(nil, func(c *derCertificate) {
			c.Signature.Bytes = change(c.Signature.Bytes)
			c.Signature.BitLength = 8 * len(c.Signature.Bytes)
		})
	}
}

// encoded changes the bytes of the good signing certificate.
func encoded(change func(der []byte) []byte) func(b *badCerts) [][]byte {
	return func(b *badCerts) [][]byte { return [][]byte{change(bytes.Clone(b.pair[0])), b.pair[1]} }
}

var badDERTable = []struct {
	name  string
	certs func(b *badCerts) [][]byte
	alert AlertError
	text  string
}{
	{"version 1 without extensions", tbs(func(c *derTBS) { c.Version, c.Extensions = 0, nil }), AlertUnsupportedCertificate, gmx509.ErrPairSigningUsage.Error()},
	{"version 1 with extensions", tbs(func(c *derTBS) { c.Version = 0 }), AlertUnsupportedCertificate, gmx509.ErrPairSigningUsage.Error()},
	{"version 4", tbs(func(c *derTBS) { c.Version = 3 }), AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"negative serial number", tbs(func(c *derTBS) { c.Serial = big.NewInt(-7) }), AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"the same extension twice", tbs(func(c *derTBS) { c.Extensions = append(c.Extensions, c.Extensions[0]) }), AlertBadCertificate, "duplicate extension"},
	{"validity that ends before it begins", tbs(func(c *derTBS) {
		c.Validity.NotBefore, c.Validity.NotAfter = c.Validity.NotAfter, c.Validity.NotBefore
	}), AlertCertificateExpired, "expired or is not yet valid"},
	{"KeyUsage without bits", extension(oidKeyUsage, 3, 1, 0), AlertUnsupportedCertificate, gmx509.ErrPairSigningUsage.Error()},
	{"KeyUsage that is not a bit string", extension(oidKeyUsage, 4, 1, 0x80), AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"alternative names that are no list", extension(oidSAN, 4, 0), AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"URI with stray colons in its host", extension(oidSAN, append([]byte{0x30, 0x10, 0x86, 0x0e}, "https://a:1:2/"...)...), AlertBadCertificate, "more than one colon in its host"},
	{"alternative name of three bytes for an address", extension(oidSAN, 0x30, 5, 0x87, 3, 1, 2, 3), AlertBadCertificate, "parsing certificate 0 of the peer"},

	{"compressed public key", point(func(p []byte) []byte { return append([]byte{2 | p[64]&1}, p[1:33]...) }), AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"public key off the curve", point(func(p []byte) []byte { p[64] ^= 1; return p }), AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"public key at infinity", point(func([]byte) []byte { return []byte{0} }), AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"public key of zeros", point(func([]byte) []byte { return append([]byte{4}, make([]byte, 64)...) }), AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"empty public key", point(func([]byte) []byte { return nil }), AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"public key with a byte too many", point(func(p []byte) []byte { return append(p, 0) }), AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"SM2 point under the name of P-256", tbs(func(c *derTBS) { c.Key.Algorithm.Curve.FullBytes, _ = asn1.Marshal(oidP256) }),
		AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"explicit curve parameters", tbs(func(c *derTBS) { c.Key.Algorithm.Curve = asn1.RawValue{FullBytes: []byte{0x30, 3, 2, 1, 1}} }),
		AlertBadCertificate, "parsing certificate 0 of the peer"},

	{"explicit parameters with SM2's prime and order", tbs(func(c *derTBS) { c.Key.Algorithm.Curve.FullBytes = explicitSM2() }),
		AlertBadCertificate, "curve given by explicit parameters"},

	{"two names of the signature's algorithm", func(b *badCerts) [][]byte {
		return b.reissued(nil, func(c *derCertificate) { c.Algorithm.Algorithm = oidECDSASHA256 })
	}, AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"ECDSA with SHA-256 by the SM2 key", func(b *badCerts) [][]byte {
		return b.reissued(func(c *derCertificate) {
			c.Algorithm.Algorithm, c.TBS.Algorithm.Algorithm = oidECDSASHA256, oidECDSASHA256
		}, nil)
	}, AlertUnsupportedCertificate, "certificate 0 of the peer is not signed with SM2 and SM3"},
	{"signature under another identity", func(b *badCerts) [][]byte {
		return b.reissued(nil, func(c *derCertificate) {
			sig, err := b.root.key.SignWithSM2(rand.Reader, []byte("somebody else"), mustMarshal(b.t, c.TBS))
			if err != nil {
				b.t.Fatal(err)
			}
			c.Signature = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
		})
	}, AlertUnknownCA, "signed by unknown authority"},
	{"empty signature", signature(func([]byte) []byte { return nil }), AlertUnknownCA, "signed by unknown authority"},
	{"bytes behind the signature", signature(func(sig []byte) []byte { return append(sig, 0) }), AlertUnknownCA, "signed by unknown authority"},
	{"signature of zeros", signature(func([]byte) []byte { return []byte{0x30, 6, 2, 1, 0, 2, 1, 0} }), AlertUnknownCA, "signed by unknown authority"},
	{"signature with s turned into its negative", signature(func(sig []byte) []byte {
		var rs struct{ R, S *big.Int }
		asn1.Unmarshal(sig, &rs)
		rs.S.Sub(sm2.P256().Params().N, rs.S)
		sig, _ = asn1.Marshal(rs)
		return sig
	}), AlertUnknownCA, "signed by unknown authority"},

	{"length not in its shortest form", encoded(func(der []byte) []byte { return slices.Concat([]byte{0x30, 0x83, 0}, der[2:]) }),
		AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"indefinite length", encoded(func(der []byte) []byte { return slices.Concat([]byte{0x30, 0x80}, der[4:], []byte{0, 0}) }),
		AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"set in the place of the sequence", encoded(func(der []byte) []byte { der[0] = 0x31; return der }), AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"PEM in the place of DER", encoded(certPEM), AlertBadCertificate, "parsing certificate 0 of the peer"},
	{"a thousand sequences in one another", encoded(func([]byte) []byte {
		der := []byte{0x30, 0}
		for range 999 {
			der, _ = asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: der})
		}
		return der
	}), AlertBadCertificate, "parsing certificate 0 of the peer"},
}

func TestBadCertificateEncodings(t *testing.T) {
	checkGoroutines(t)
	t.Setenv("GODEBUG", "urlstrictcolons=0,x509negativeserial=1") // certificates are judged as without it
	root := newCA(t, "root", nil)
	inter := newCA(t, "intermediate", root)
	for _, test := range badDERTable {
		pair := root.pair(t, testName, nil)
		b := &badCerts{t: t, root: root, inter: inter, pair: pair.Certificate}
		bad := pair
		bad.Certificate = test.certs(b)
		testBadCertificate(t, test.name, byBoth, root, bad, test.alert, test.text)
	}
}

// Signed again without a change, the certificate is good: the cases above fail
// for what they change.
func TestReissuedCertificate(t *testing.T) {
	root := newCA(t, "root", nil)
	pair := root.pair(t, testName, nil)
	b := &badCerts{t: t, root: root, pair: pair.Certificate}
	pair.Certificate = b.reissued(nil, nil)
	client := &Config{RootCAs: poolOf(root), ServerName: testName, ChainCache: NewChainCache(0)}
	mustShake(t, client, &Config{Certificates: []Certificate{pair}, ChainCache: NewChainCache(0)})
}

// explicitSM2 are ECParameters (SEC 1, C.2) with the prime and the order of SM2, which are all that the engine compares.
func explicitSM2() []byte {
	params := sm2.P256().Params()
	der, err := asn1.Marshal(struct {
		Version int
		Field   struct {
			ID    asn1.ObjectIdentifier
			Prime *big.Int
		}
		Curve    struct{ A, B []byte }
		Base     []byte
		Order    *big.Int
		Cofactor int
	}{
		Version: 1,
		Field: struct {
			ID    asn1.ObjectIdentifier
			Prime *big.Int
		}{asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 1}, params.P},
		Curve: struct{ A, B []byte }{make([]byte, 32), make([]byte, 32)},
		Base:  make([]byte, 65), Order: params.N, Cofactor: 1,
	})
	if err != nil {
		panic(err)
	}
	return der
}
