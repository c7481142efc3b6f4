// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/x509"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// caseName is the name of a file as other tools have made it; base/peer/tls
// holds a good pair.
func caseName(name string) string { return filepath.Join("../material/testdata/cases", name) }

// basePair loads the good pair with the files of a case in their places.
func basePair(t *testing.T, files map[string]string) (Certificate, error) {
	t.Helper()
	names := []string{"server-sign.crt", "server-sign.key", "server-enc.crt", "server-enc.key"}
	for i, name := range names {
		if names[i] = caseName("base/peer/tls/" + name); files[name] != "" {
			names[i] = caseName(files[name])
		}
	}
	return LoadX509KeyPair(names[0], names[1], names[2], names[3])
}

func TestPairsOfCases(t *testing.T) {
	roots := smx509.NewCertPool()
	certs, err := material.ReadCertificates(caseName("base/gm-ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := gmx509.ParseCertificateSM(certs[0].Raw)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(root)
	foreign := newCA(t, "other", nil)
	for name, c := range map[string]struct {
		files map[string]string
		load  string // what the error of loading says; empty: none
		judge string // likewise that of a peer
	}{
		"good":                {nil, "", ""},
		"DER":                 {map[string]string{"server-sign.crt": "tlcp-files/der.crt"}, "", ""},
		"compressed point":    {map[string]string{"server-sign.key": "key-forms/sign-compressed.key"}, "", ""},
		"one file":            {map[string]string{"server-sign.crt": "one-file/both.pem", "server-sign.key": "one-file/both.pem"}, "", ""},
		"two subjects":        {map[string]string{"server-sign.crt": "pairs/differing-subject/server-sign.crt", "server-enc.crt": "pairs/differing-subject/server-enc.crt"}, "", "differ in subject or issuer"},
		"clientAuth alone":    {map[string]string{"server-sign.crt": "pairs/client-auth-only/server-sign.crt", "server-enc.crt": "pairs/client-auth-only/server-enc.crt"}, "", "incompatible key usage"},
		"no KeyUsage":         {map[string]string{"server-sign.crt": "no-keyusage/server-sign.crt", "server-enc.crt": "no-keyusage/server-enc.crt"}, "no KeyUsage digitalSignature", ""},
		"bad name":            {map[string]string{"server-enc.crt": "tlcp-files/bad-name.crt"}, "tlcp-files/bad-name.crt: certificate: x509: ", ""},
		"negative serial":     {map[string]string{"server-enc.crt": "tlcp-files/negative-serial.crt"}, "tlcp-files/negative-serial.crt: certificate: x509: negative serial number", ""},
		"P-256":               {map[string]string{"server-enc.crt": "tlcp-files/p256.crt"}, "tlcp-files/p256.crt: x509: the certificate's key is ECDSA P-256, the private key is SM2", ""},
		"encrypted key":       {map[string]string{"server-enc.key": "gmssl3-keys/enc.key"}, "gmssl3-keys/enc.key: private key: x509: the private key is encrypted", ""},
		"another key":         {map[string]string{"server-enc.key": "base/peer/tls/server-sign.key"}, "server-enc.crt: x509: the private key does not belong to the certificate", ""},
		"key of a Chinese CA": {map[string]string{"server-enc.key": "enveloped-keys/enveloped.der"}, "it is an SM2EnvelopedKey (GM/T 0009); make a key file of it with: gmtls key", ""},
		"signer id":           {map[string]string{"server-enc.crt": "signer-id/peer.crt"}, "does not belong", ""},
	} {
		pair, err := basePair(t, c.files)
		if c.load == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.load) {
			t.Errorf("%s: loading gives %v, want %q", name, err, c.load)
		}
		if err != nil {
			continue
		}
		now := pair.Leaf.NotBefore.Add(time.Hour)
		for _, pool := range []*smx509.CertPool{roots, nil} {
			err := pair.CheckAsPeer(pool, x509.ExtKeyUsageServerAuth, now)
			if c.judge == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.judge) {
				t.Errorf("%s: a peer says %v, want %q", name, err, c.judge)
			}
		}
		if c.judge != "" {
			continue
		}
		other := smx509.NewCertPool()
		other.AddCert(foreign.cert)
		var unknown smx509.UnknownAuthorityError
		if err := pair.CheckAsPeer(other, x509.ExtKeyUsageServerAuth, now); !errors.As(err, &unknown) {
			t.Errorf("%s: under another root a peer says %v", name, err)
		}
		if err := pair.CheckAsPeer(nil, x509.ExtKeyUsageServerAuth, pair.Leaf.NotAfter.Add(time.Hour)); err == nil {
			t.Errorf("%s: expired, and a peer says nothing", name)
		}
	}
}

// A chain that is in the file root first is sent with the leaf first.
func TestChainRootFirst(t *testing.T) {
	pair, err := basePair(t, map[string]string{"server-sign.crt": "chain-order/root-first.pem", "server-enc.crt": "chain-order/enc.crt"})
	if err != nil {
		t.Fatal(err)
	}
	for i, der := range pair.Certificate {
		cert, err := gmx509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if cert.IsCA != (i >= 2) {
			t.Errorf("certificate %d: CA %v", i, cert.IsCA)
		}
	}
}

// A peer whose CA signed with another SM2 id is told so, as far as the
// authorities are known.
func TestRefusalNamesTheSignerID(t *testing.T) {
	var certs []*x509.Certificate
	for _, name := range []string{"signer-id/peer.crt", "signer-id/ca.crt"} {
		read, err := material.ReadCertificates(caseName(name))
		if err != nil {
			t.Fatal(err)
		}
		certs = append(certs, read[0].Certificate)
	}
	p, err := parsePeer([][]byte{certs[0].Raw})
	if err != nil {
		t.Fatal(err)
	}
	c := Client(nil, &Config{Authorities: certs[1:]})
	_, verifyErr := p.verify(trust{usage: smx509.ExtKeyUsageAny}, nil, certs[0].NotBefore.Add(time.Hour))
	err = c.verificationError(p, verifyErr)
	if !errors.Is(err, gmx509.ErrOtherSignerID) || !errors.Is(err, AlertUnknownCA) {
		t.Errorf("got %v, want %v and the alert", err, gmx509.ErrOtherSignerID)
	}
	c.config.Authorities = nil
	if err := c.verificationError(p, verifyErr); errors.Is(err, gmx509.ErrOtherSignerID) {
		t.Errorf("without authorities: %v", err)
	}
}
