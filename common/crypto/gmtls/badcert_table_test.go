// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// badCerts makes what a peer presents in the cases below.
type badCerts struct {
	t     *testing.T
	root  *testCA // known to the verifier
	inter *testCA // issued by root
	pair  [][]byte
}

// leaf issues a certificate of the peer with another key, or with the options.
func (b *badCerts) leaf(ca *testCA, usage smx509.KeyUsage, pub any, options ...certOptions) []byte {
	b.t.Helper()
	if pub == nil {
		pub = &newKey(b.t).PublicKey
	}
	template := leafTemplate(testName, usage)
	for _, option := range options {
		option(template)
	}
	return sign(b.t, template, ca.cert, pub, ca.key).Raw
}

func (b *badCerts) signCert(options ...certOptions) []byte {
	return b.leaf(b.root, testSignUsage, nil, options...)
}

func (b *badCerts) encCert(options ...certOptions) []byte {
	return b.leaf(b.root, testEncUsage, nil, options...)
}

// under returns a good pair issued by an authority, followed by its certificate.
func (b *badCerts) under(ca *testCA) [][]byte {
	return append(ca.pair(b.t, testName, nil).Certificate, ca.cert.Raw)
}

// unknownExtensions adds n that nobody knows, each of so many bytes.
func unknownExtensions(n, size int) certOptions {
	return func(c *smx509.Certificate) {
		for i := range n {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, size, i}, Value: bytes.Repeat([]byte{0xff}, size)})
		}
	}
}

// manyUsages returns an authority with n extended usages, each of which takes
// three bytes of DER.
func manyUsages(t testing.TB, n int) *testCA {
	return newCA(t, "junk", nil, func(c *smx509.Certificate) {
		for range n {
			c.UnknownExtKeyUsage = append(c.UnknownExtKeyUsage, asn1.ObjectIdentifier{1, 2})
		}
	})
}

func manyNames(n int) certOptions {
	return func(c *smx509.Certificate) {
		for i := range n {
			c.DNSNames = append(c.DNSNames, "h"+strconv.Itoa(i))
		}
	}
}

// tamper changes the last byte of the signature.
func tamper(der []byte) []byte {
	der = bytes.Clone(der)
	der[len(der)-1] ^= 1
	return der
}

var otherKeys = sync.OnceValue(func() (keys struct{ rsa, p256, p384, ed25519 any }) {
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	p256Key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384Key, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	keys.rsa, keys.p256, keys.p384 = &rsaKey.PublicKey, &p256Key.PublicKey, &p384Key.PublicKey
	keys.ed25519, _, _ = ed25519.GenerateKey(rand.Reader)
	return keys
})

var (
	expired  = func(c *smx509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	notYet   = func(c *smx509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }
	critical = func(c *smx509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	}
	codeSigning = func(c *smx509.Certificate) { c.ExtKeyUsage = []smx509.ExtKeyUsage{smx509.ExtKeyUsageCodeSigning} }
)

// who verifies the certificates of a case
const (
	byClient = 1 << iota
	byServer
	byBoth = byClient | byServer
)

// badCertTable holds certificates that must be refused (GB/T 38636-2020,
// 6.4.5.3; alerts by 6.4.2.3).
var badCertTable = []struct {
	name  string
	who   int
	certs func(b *badCerts) [][]byte
	alert AlertError
	text  string // in the verifier's error
}{
	// Keys that are not SM2 keys.
	{"P-256 key in the signing slot", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.leaf(b.root, testSignUsage, otherKeys().p256), b.pair[1]}
	}, AlertUnsupportedCertificate, "signing certificate is not on the SM2 curve"},
	{"P-256 key in the encryption slot", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.pair[0], b.leaf(b.root, testEncUsage, otherKeys().p256)}
	}, AlertUnsupportedCertificate, "encryption certificate is not on the SM2 curve"},
	{"P-384 key in the signing slot", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.leaf(b.root, testSignUsage, otherKeys().p384), b.pair[1]}
	}, AlertUnsupportedCertificate, "signing certificate is not on the SM2 curve"},
	{"RSA key in the signing slot", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.leaf(b.root, testSignUsage, otherKeys().rsa), b.pair[1]}
	}, AlertUnsupportedCertificate, "signing certificate is not on the SM2 curve"},
	{"RSA key in the encryption slot", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.pair[0], b.leaf(b.root, testEncUsage, otherKeys().rsa)}
	}, AlertUnsupportedCertificate, "encryption certificate is not on the SM2 curve"},
	{"Ed25519 key in the signing slot", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.leaf(b.root, testSignUsage, otherKeys().ed25519), b.pair[1]}
	}, AlertUnsupportedCertificate, "signing certificate is not on the SM2 curve"},
	{"Ed25519 key in the encryption slot", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.pair[0], b.leaf(b.root, testEncUsage, otherKeys().ed25519)}
	}, AlertUnsupportedCertificate, "encryption certificate is not on the SM2 curve"},
	{"RSA key in an intermediate", byBoth, func(b *badCerts) [][]byte {
		ca := b.leaf(b.root, smx509.KeyUsageCertSign, otherKeys().rsa, func(c *smx509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
		return append(b.pair, ca)
	}, AlertUnsupportedCertificate, "intermediate certificate is not on the SM2 curve"},

	// Slots and KeyUsage.
	{"no certificate at all", byClient, func(b *badCerts) [][]byte { return nil }, AlertBadCertificate, "sent 0 certificates"},
	{"no certificate where one is demanded", byServer, func(b *badCerts) [][]byte { return nil }, AlertHandshakeFailure, "sent no certificate"},
	{"missing encryption certificate", byClient, func(b *badCerts) [][]byte { return b.pair[:1] }, AlertBadCertificate, "sent 1 certificates"},
	{"authority in the encryption slot", byClient, func(b *badCerts) [][]byte {
		return append(b.inter.pair(b.t, testName, nil).Certificate[:1], b.inter.cert.Raw)
	}, AlertBadCertificate, "no encryption certificate in the second place"},
	{"swapped pair", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.pair[1], b.pair[0]} }, AlertUnsupportedCertificate, gmx509.ErrPairSigningUsage.Error()},
	{"signing certificate twice", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.pair[0], b.pair[0]} }, AlertUnsupportedCertificate, gmx509.ErrPairEncryptionUsage.Error()},
	{"encryption certificate twice", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.pair[1], b.pair[1]} }, AlertUnsupportedCertificate, gmx509.ErrPairSigningUsage.Error()},
	{"signing certificate without KeyUsage", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.leaf(b.root, 0, nil), b.pair[1]}
	}, AlertUnsupportedCertificate, gmx509.ErrPairSigningUsage.Error()},
	{"encryption certificate without KeyUsage", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.pair[0], b.leaf(b.root, 0, nil)}
	}, AlertUnsupportedCertificate, gmx509.ErrPairEncryptionUsage.Error()},
	{"signing certificate for certificates only", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.leaf(b.root, smx509.KeyUsageCertSign|smx509.KeyUsageCRLSign, nil), b.pair[1]}
	}, AlertUnsupportedCertificate, gmx509.ErrPairSigningUsage.Error()},
	{"encryption certificate for revocation lists only", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.pair[0], b.leaf(b.root, smx509.KeyUsageCRLSign, nil)}
	}, AlertUnsupportedCertificate, gmx509.ErrPairEncryptionUsage.Error()},
	{"extended usage of the signing certificate", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.signCert(codeSigning), b.pair[1]}
	}, AlertUnsupportedCertificate, "signing certificate: x509: certificate specifies an incompatible key usage"},
	{"extended usage of the encryption certificate", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.pair[0], b.encCert(codeSigning)}
	}, AlertUnsupportedCertificate, "encryption certificate: x509: certificate specifies an incompatible key usage"},
	{"extended usage of the other role", byClient, func(b *badCerts) [][]byte {
		return b.root.pair(b.t, testName, nil, func(c *smx509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[1:] }).Certificate
	}, AlertUnsupportedCertificate, "incompatible key usage"},
	{"extended usage of the server", byServer, func(b *badCerts) [][]byte {
		return b.root.pair(b.t, testName, nil, func(c *smx509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] }).Certificate
	}, AlertUnsupportedCertificate, "incompatible key usage"},
	{"extended usage of an intermediate", byBoth, func(b *badCerts) [][]byte {
		return b.under(newCA(b.t, "inter", b.root, codeSigning))
	}, AlertUnsupportedCertificate, "incompatible key usage"},

	// The pair.
	{"different subjects", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.pair[0], b.encCert(func(c *smx509.Certificate) { c.Subject.CommonName = "other" })}
	}, AlertBadCertificate, "differ in subject or issuer"},
	{"different issuers", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.pair[0], b.leaf(b.inter, testEncUsage, nil), b.inter.cert.Raw}
	}, AlertBadCertificate, "differ in subject or issuer"},

	// Time.
	{"expired signing certificate", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.signCert(expired), b.pair[1]} }, AlertCertificateExpired, "signing certificate: x509: certificate has expired"},
	{"expired encryption certificate", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.pair[0], b.encCert(expired)} }, AlertCertificateExpired, "encryption certificate: x509: certificate has expired"},
	{"signing certificate not yet valid", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.signCert(notYet), b.pair[1]} }, AlertCertificateExpired, "is not yet valid"},
	{"encryption certificate not yet valid", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.pair[0], b.encCert(notYet)} }, AlertCertificateExpired, "is not yet valid"},
	{"expired intermediate", byBoth, func(b *badCerts) [][]byte { return b.under(newCA(b.t, "inter", b.root, expired)) }, AlertCertificateExpired, "has expired"},
	{"intermediate not yet valid", byBoth, func(b *badCerts) [][]byte { return b.under(newCA(b.t, "inter", b.root, notYet)) }, AlertCertificateExpired, "is not yet valid"},

	// Names.
	{"another name", byClient, func(b *badCerts) [][]byte { return b.root.pair(b.t, "other.test", nil).Certificate }, AlertBadCertificate, "valid for other.test, not " + testName},
	{"another name in the signing certificate", byClient, func(b *badCerts) [][]byte {
		return [][]byte{b.signCert(func(c *smx509.Certificate) { c.DNSNames = []string{"other.test"} }), b.pair[1]}
	}, AlertBadCertificate, "not " + testName},
	{"another name in the encryption certificate", byClient, func(b *badCerts) [][]byte {
		return [][]byte{b.pair[0], b.encCert(func(c *smx509.Certificate) { c.DNSNames = []string{"other.test"} })}
	}, AlertBadCertificate, "not " + testName},
	{"name in the common name alone", byClient, func(b *badCerts) [][]byte {
		return b.root.pair(b.t, testName, nil, func(c *smx509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }).Certificate
	}, AlertBadCertificate, "relies on legacy Common Name"},
	{"addresses only", byClient, func(b *badCerts) [][]byte {
		return b.root.pair(b.t, testName, nil, func(c *smx509.Certificate) { c.DNSNames = nil }).Certificate
	}, AlertBadCertificate, "not valid for any names"},
	{"wildcard one level too high", byClient, func(b *badCerts) [][]byte {
		return b.root.pair(b.t, testName, nil, func(c *smx509.Certificate) { c.DNSNames = []string{"*." + testName} }).Certificate
	}, AlertBadCertificate, "not " + testName},
	{"name not permitted by a constraint", byBoth, func(b *badCerts) [][]byte {
		return b.under(newCA(b.t, "inter", b.root, func(c *smx509.Certificate) { c.PermittedDNSDomains = []string{"elsewhere.test"} }))
	}, AlertBadCertificate, "not permitted by any constraint"},
	{"name excluded by a constraint", byBoth, func(b *badCerts) [][]byte {
		return b.under(newCA(b.t, "inter", b.root, func(c *smx509.Certificate) { c.ExcludedDNSDomains = []string{testName} }))
	}, AlertBadCertificate, "is excluded by constraint"},
	{"wildcard for a host that a constraint excludes", byBoth, func(b *badCerts) [][]byte {
		ca := newCA(b.t, "inter", b.root, func(c *smx509.Certificate) { c.ExcludedDNSDomains = []string{"Host.Wild.test"} })
		wild := func(c *smx509.Certificate) { c.DNSNames = append(c.DNSNames, "*.wilD.test") }
		return ca.pair(b.t, testName, []*testCA{ca}, wild).Certificate
	}, AlertBadCertificate, `"*.wilD.test" is excluded by constraint "Host.Wild.test"`},
	{"the same, two authorities above", byBoth, func(b *badCerts) [][]byte {
		ca := newCA(b.t, "inter", b.root, func(c *smx509.Certificate) { c.ExcludedDNSDomains = []string{"host.wild.test"} })
		below := newCA(b.t, "below", ca)
		wild := func(c *smx509.Certificate) { c.DNSNames = append(c.DNSNames, "*.wild.test") }
		return below.pair(b.t, testName, []*testCA{ca, below}, wild).Certificate
	}, AlertBadCertificate, "is excluded by constraint"},
	{"address excluded by a constraint", byBoth, func(b *badCerts) [][]byte {
		_, loopback, _ := net.ParseCIDR("127.0.0.0/8")
		return b.under(newCA(b.t, "inter", b.root, func(c *smx509.Certificate) { c.ExcludedIPRanges = []*net.IPNet{loopback} }))
	}, AlertBadCertificate, "is excluded by constraint"},

	// Chains.
	{"unknown root", byBoth, func(b *badCerts) [][]byte { return newCA(b.t, "stranger", nil).pair(b.t, testName, nil).Certificate }, AlertUnknownCA, "signed by unknown authority"},
	{"unknown root that came along", byBoth, func(b *badCerts) [][]byte { return b.under(newCA(b.t, "stranger", nil)) }, AlertUnknownCA, "signed by unknown authority"},
	{"signing certificate of another root with the same name", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.leaf(newCA(b.t, "root", nil), testSignUsage, nil), b.pair[1]}
	}, AlertUnknownCA, "signing certificate: x509: certificate signed by unknown authority"},
	{"encryption certificate of another root with the same name", byBoth, func(b *badCerts) [][]byte {
		return [][]byte{b.pair[0], b.leaf(newCA(b.t, "root", nil), testEncUsage, nil)}
	}, AlertUnknownCA, "encryption certificate: x509: certificate signed by unknown authority"},
	{"self-signed pair", byBoth, func(b *badCerts) [][]byte {
		var certs [][]byte
		for _, usage := range []smx509.KeyUsage{testSignUsage, testEncUsage} {
			key, template := newKey(b.t), leafTemplate(testName, usage)
			certs = append(certs, sign(b.t, template, template, &key.PublicKey, key).Raw)
		}
		return certs
	}, AlertUnknownCA, "signed by unknown authority"},
	{"tampered signature of the signing certificate", byBoth, func(b *badCerts) [][]byte { return [][]byte{tamper(b.pair[0]), b.pair[1]} }, AlertUnknownCA, "signing certificate: x509: certificate signed by unknown authority"},
	{"tampered signature of the encryption certificate", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.pair[0], tamper(b.pair[1])} }, AlertUnknownCA, "encryption certificate: x509: certificate signed by unknown authority"},
	{"missing intermediate", byBoth, func(b *badCerts) [][]byte { return b.inter.pair(b.t, testName, nil).Certificate }, AlertUnknownCA, "signed by unknown authority"},
	{"intermediate that is not an authority", byBoth, func(b *badCerts) [][]byte {
		return b.under(newCA(b.t, "inter", b.root, func(c *smx509.Certificate) { c.IsCA = false }))
	}, AlertUnknownCA, "signed by unknown authority"},
	{"intermediate without certSign", byBoth, func(b *badCerts) [][]byte {
		return b.under(newCA(b.t, "inter", b.root, func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageCRLSign }))
	}, AlertUnknownCA, "signed by unknown authority"},
	{"chain longer than the path length", byBoth, func(b *badCerts) [][]byte {
		short := newCA(b.t, "no more authorities", b.root, func(c *smx509.Certificate) { c.MaxPathLenZero = true })
		return append(b.under(newCA(b.t, "inter", short)), short.cert.Raw)
	}, AlertBadCertificate, "too many intermediates"},
	{"authorities of a stranger that have issued each other", byServer, func(b *badCerts) [][]byte {
		return tangle(b.t, 8, nil, manyNames(500), excludeNames(400))
	}, AlertUnknownCA, "signing certificate: x509: certificate signed by unknown authority"},
	{"the same, the first one forged", byServer, func(b *badCerts) [][]byte {
		return append(tangle(b.t, 8, newCA(b.t, "inter", nil), nil, nil), b.inter.cert.Raw)
	}, AlertUnknownCA, "signing certificate: x509: certificate signed by unknown authority"},
	{"too many comparisons of names with constraints", byServer, func(b *badCerts) [][]byte {
		return tangle(b.t, 1, b.root, manyNames(100), excludeNames(20))
	}, AlertBadCertificate, `more than 2000 comparisons of the names in its chain with the name constraints of "CN=tangle"`},
	{"critical extension that nobody knows", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.signCert(critical), b.pair[1]} }, AlertBadCertificate, "unhandled critical extension"},
	{"critical extension in the encryption certificate", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.pair[0], b.encCert(critical)} }, AlertBadCertificate, "unhandled critical extension"},

	// Encoding.
	{"garbage in the signing slot", byBoth, func(b *badCerts) [][]byte { return [][]byte{[]byte("garbage"), b.pair[1]} }, AlertBadCertificate, "parsing certificate 0"},
	{"garbage in the encryption slot", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.pair[0], []byte("garbage")} }, AlertBadCertificate, "parsing certificate 1"},
	{"garbage in an intermediate", byBoth, func(b *badCerts) [][]byte { return append(b.pair, []byte("garbage")) }, AlertBadCertificate, "parsing certificate 2"},
	{"truncated certificate", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.pair[0][:len(b.pair[0])-1], b.pair[1]} }, AlertBadCertificate, "parsing certificate 0"},
	{"bytes after the certificate", byBoth, func(b *badCerts) [][]byte { return [][]byte{append(bytes.Clone(b.pair[0]), 0), b.pair[1]} }, AlertBadCertificate, "parsing certificate 0"},
	{"huge garbage", byBoth, func(b *badCerts) [][]byte { return [][]byte{bytes.Repeat([]byte{0x30}, 16<<10), b.pair[1]} }, AlertBadCertificate, "parsing certificate 0"},
	{"certificate over the limit", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.pair[0], make([]byte, 16<<10+1)} }, AlertBadCertificate, "certificate 1 of the peer has 16385 bytes, more than 16384"},
	{"too many extensions", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.signCert(unknownExtensions(64, 1)), b.pair[1]} }, AlertBadCertificate, "certificate 0 of the peer has more than 64 extensions"},
	{"too large an extension", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.signCert(unknownExtensions(1, 8<<10)), b.pair[1]} }, AlertBadCertificate, "certificate 0 of the peer has an extension of 8203 bytes, more than 8192"},
	{"too many extended usages", byBoth, func(b *badCerts) [][]byte { return append(b.pair, manyUsages(b.t, 1000).cert.Raw) }, AlertBadCertificate, "certificate 2 of the peer has more than 1000 ASN.1 elements"},
	{"too many names", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.signCert(manyNames(1000)), b.pair[1]} }, AlertBadCertificate, "certificate 0 of the peer has more than 1000 ASN.1 elements"},
	{"message over the limit", byBoth, func(b *badCerts) [][]byte { return [][]byte{make([]byte, 70<<10), b.pair[1]} }, AlertIllegalParameter, "exceeds the limit of 65536"},
	{"too many certificates", byBoth, func(b *badCerts) [][]byte {
		certs := b.pair
		for len(certs) <= maxPeerCertificates {
			certs = append(certs, b.inter.cert.Raw)
		}
		return certs
	}, AlertBadCertificate, "more than 16"},
	{"empty certificate", byBoth, func(b *badCerts) [][]byte { return [][]byte{{}, b.pair[1]} }, AlertDecodeError, "Certificate is malformed"},

	// Possession.
	{"signing key that does not belong to it", byBoth, func(b *badCerts) [][]byte { return [][]byte{b.signCert(), b.pair[1]} }, AlertDecryptError, "signature in "},
}

func TestBadCertificates(t *testing.T) {
	root := newCA(t, "root", nil)
	inter := newCA(t, "inter", root)
	good := root.pair(t, testName, nil)
	for _, test := range badCertTable {
		certs := test.certs(&badCerts{t, root, inter, append([][]byte(nil), good.Certificate...)})
		// The keys are always those of the good pair.
		bad := Certificate{Certificate: certs, PrivateKey: good.PrivateKey, EncPrivateKey: good.EncPrivateKey}
		testBadCertificate(t, test.name, test.who, root, bad, test.alert, test.text)
	}
}

// testBadCertificate lets those who are to refuse a peer meet it, with a cache
// that knows nothing and with one that has an anchor of the root.
func testBadCertificate(t *testing.T, name string, who int, root *testCA, bad Certificate, alert AlertError, text string) {
	for how, cacheFor := range map[string]func(*testing.T, *testCA, smx509.ExtKeyUsage) *ChainCache{
		"": func(*testing.T, *testCA, smx509.ExtKeyUsage) *ChainCache { return NewChainCache(4) }, ", knowing the authority": anchoredCache,
	} {
		if who&byClient != 0 {
			t.Run(name+"/client verifies"+how, func(t *testing.T) {
				verifyBadServer(t, root, cacheFor(t, root, smx509.ExtKeyUsageServerAuth), bad, alert, text)
			})
		}
		if who&byServer != 0 {
			t.Run(name+"/server verifies"+how, func(t *testing.T) {
				verifyBadClient(t, root, cacheFor(t, root, smx509.ExtKeyUsageClientAuth), bad, alert, text)
			})
		}
	}
}

// verifyBadServer lets a client meet a server that sends the certificates.
func verifyBadServer(t *testing.T, root *testCA, cache *ChainCache, bad Certificate, alert AlertError, text string) {
	c, s := tcpPair(t)
	server := Server(s, &Config{})
	done := make(chan error, 1)
	go func() {
		done <- runServer(server, func(hs *serverHandshakeState) error {
			if err := hs.sendHello(nil); err != nil {
				return err
			}
			if err := hs.send(appendCertificate(nil, bad.Certificate)); err != nil {
				return err
			}
			encCert := []byte("none")
			if len(bad.Certificate) > 1 {
				encCert = bad.Certificate[1]
			}
			msg := exchangeMessage(hs.suite, hs.clientRandom[:], hs.serverRandom[:], encCert)
			sig, err := signMessage(rand.Reader, bad.PrivateKey, msg)
			if err != nil {
				return err
			}
			if err := hs.send(appendVectorMessage(nil, msgServerKeyExchange, sig)); err != nil {
				return err
			}
			if err := hs.send(beginMessage(nil, msgServerHelloDone)); err != nil {
				return err
			}
			if err := hs.flush(); err != nil {
				return err
			}
			_, err = hs.read(msgClientKeyExchange)
			return err
		})
		s.Close()
	}()
	err := Client(c, &Config{RootCAs: poolOf(root), ServerName: testName, ChainCache: cache}).Handshake()
	checkRefusal(t, err, <-done, cache, alert, text)
}

// verifyBadClient lets a server meet a client that sends the certificates.
func verifyBadClient(t *testing.T, root *testCA, cache *ChainCache, bad Certificate, alert AlertError, text string) {
	c, s := tcpPair(t)
	config := &Config{
		ClientCAs: poolOf(root), ClientAuth: RequireAndVerifyClientCert, ChainCache: cache,
		Certificates: []Certificate{root.pair(t, testName, nil)},
	}
	done := make(chan error, 1)
	go func() { done <- Server(s, config).Handshake() }()
	clientErr := runClient(Client(c, &Config{InsecureSkipVerify: true}), func(hs *clientHandshakeState) error {
		if err := hs.readServerFlight(); err != nil {
			return err
		}
		hs.cert = nil
		if len(bad.Certificate) > 0 {
			hs.cert = &bad
		}
		if err := hs.sendKeys(); err != nil {
			return err
		}
		return hs.finishFull()
	})
	checkRefusal(t, <-done, clientErr, cache, alert, text)
}

func checkRefusal(t *testing.T, err, peerErr error, cache *ChainCache, alert AlertError, text string) {
	t.Helper()
	wantAlert(t, err, "local error", alert)
	wantAlert(t, peerErr, "remote error", alert)
	if err == nil || !strings.Contains(err.Error(), text) || strings.Count(err.Error(), "gmtls: ") != 1 {
		t.Errorf("got error %v, want one that says %q", err, text)
	}
	var verification *CertificateVerificationError
	if errors.As(err, &verification) && len(verification.UnverifiedCertificates) == 0 {
		t.Error("the verification error does not carry the certificates")
	}
	for _, p := range cache.peers.Values() {
		if p.verifyHostname(testName) == nil { // those that made the anchor have another name
			t.Error("the cache keeps what was refused")
		}
	}
}

// What the cases above differ from is accepted.
func TestGoodCertificates(t *testing.T) {
	root := newCA(t, "root", nil)
	first := newCA(t, "first", root)
	second := newCA(t, "second", first)
	constrained := newCA(t, "constrained", root, func(c *smx509.Certificate) { c.PermittedDNSDomains = []string{"test"} })
	excluding := newCA(t, "excluding", root, func(c *smx509.Certificate) {
		c.ExcludedDNSDomains = []string{"a.host.wild.test", ".wild.test.example", "host.other.wild.test", "elsewhere"}
	})
	constrainedMuch := newCA(t, "constrained much", root, excludeNames(20))
	for name, pair := range map[string]Certificate{
		"pair alone":                     root.pair(t, testName, nil),
		"intermediates in order":         second.pair(t, testName, []*testCA{second, first}),
		"intermediates in another order": second.pair(t, testName, []*testCA{first, second}),
		"root came along":                second.pair(t, testName, []*testCA{second, first, root}),
		"intermediate twice":             first.pair(t, testName, []*testCA{first, first}),
		"unrelated authority came along": root.pair(t, testName, []*testCA{newCA(t, "unrelated", nil)}),
		"usage for signing is contentCommitment": root.pair(t, testName, nil, func(c *smx509.Certificate) {
			if c.KeyUsage == testSignUsage {
				c.KeyUsage = smx509.KeyUsageContentCommitment
			}
		}),
		"usage for encryption is keyAgreement": root.pair(t, testName, nil, func(c *smx509.Certificate) {
			if c.KeyUsage == testEncUsage {
				c.KeyUsage = smx509.KeyUsageKeyAgreement
			}
		}),
		"as large as the bounds allow": root.pair(t, testName, nil, unknownExtensions(50, 80), unknownExtensions(1, 8000), manyNames(500)),
		"no extended usage":            root.pair(t, testName, nil, func(c *smx509.Certificate) { c.ExtKeyUsage = nil }),
		"wildcard beside what a constraint excludes": excluding.pair(t, testName, []*testCA{excluding}, func(c *smx509.Certificate) {
			c.DNSNames = append(c.DNSNames, "*.test", "*.wild.test", "*.a.other.wild.test")
		}),
		"as many names as constraints allow": constrainedMuch.pair(t, testName, []*testCA{constrainedMuch}, manyNames(99)),
		"name within a constraint":           constrained.pair(t, testName, []*testCA{constrained}),
	} {
		t.Run(name, func(t *testing.T) {
			pool := poolOf(root)
			client := &Config{RootCAs: pool, ServerName: testName, Certificates: []Certificate{pair}, ChainCache: NewChainCache(0)}
			server := &Config{
				ClientCAs: pool, ClientAuth: RequireAndVerifyClientCert, Certificates: []Certificate{pair}, ChainCache: NewChainCache(0),
				CipherSuites: []uint16{ECDHE_SM4_GCM_SM3, ECC_SM4_GCM_SM3},
			}
			client.GetClientCertificate = func(*CertificateRequestInfo) (*Certificate, error) { return &pair, nil }
			mustShake(t, client, server)
		})
	}
}
