// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	m "github.com/hyperledger/fabric-protos-go/msp"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
)

// oddChain is a root, a CA below it and a peer, of which a test changes what is signed.
type oddChain struct {
	root, middle, peer func(c *smx509.Certificate)
}

func (o oddChain) make(t *testing.T, f family) (root, middle, peer []byte) {
	t.Helper()
	var parent *smx509.Certificate
	var parentKey crypto.Signer
	issue := func(cert *x509.Certificate, change func(c *smx509.Certificate)) []byte {
		engine := engineCertificate(cert)
		if change != nil {
			change(engine)
		}
		key := f.key(t)
		if parent == nil {
			parent, parentKey = engine, key
		}
		der, err := smx509.CreateCertificate(rand.Reader, engine, parent, key.Public(), parentKey)
		require.NoError(t, err)
		// Names and identifiers of the template, since the certificate may be none that parses.
		parent, parentKey = engine, key
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	root = issue(asCA(template(t, "root")), o.root)
	middle = issue(asCA(template(t, "the middle")), o.middle)
	return root, middle, issue(template(t, "peer", "peer"), o.peer)
}

// judge returns the first error of an MSP with the chain's CAs that takes the peer for an identity.
func (o oddChain) judge(t *testing.T, f family) error {
	t.Helper()
	root, middle, peer := o.make(t, f)
	made, err := setup(t, &m.FabricMSPConfig{
		RootCerts: [][]byte{root}, IntermediateCerts: [][]byte{middle}, FabricNodeOus: nodeOUs(credential{}),
	})
	if err != nil {
		return err
	}
	serialized, err := NewSerializedIdentity(made.name, peer)
	require.NoError(t, err)
	id, err := made.DeserializeIdentity(serialized)
	if err != nil {
		return err
	}
	return id.Validate()
}

func extension(critical bool, value []byte, id ...int) func(c *smx509.Certificate) {
	return func(c *smx509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
	}
}

func both(changes ...func(c *smx509.Certificate)) func(c *smx509.Certificate) {
	return func(c *smx509.Certificate) {
		for _, change := range changes {
			change(c)
		}
	}
}

// alternativeNames is the extension with names of any form.
func alternativeNames(t *testing.T, names ...asn1.RawValue) func(c *smx509.Certificate) {
	t.Helper()
	der, err := asn1.Marshal(names)
	require.NoError(t, err)
	return extension(false, der, 2, 5, 29, 17)
}

// TestOddCertificates: what a CA of a member may issue, by mistake or to have nodes disagree, is judged with SM2 as with ECDSA.
func TestOddCertificates(t *testing.T) {
	dns := func(name string) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte(name)}
	}
	ip := func(bytes ...byte) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 7, Bytes: bytes}
	}
	uri := func(name string) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(name)}
	}
	serial := func(n *big.Int) func(c *smx509.Certificate) {
		return func(c *smx509.Certificate) { c.SerialNumber = n }
	}
	onlyBelow := func(domain string) func(c *smx509.Certificate) {
		return func(c *smx509.Certificate) {
			c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{domain}
		}
	}
	noCA := func(c *smx509.Certificate) { c.IsCA = false }
	pathLength := func(n int) func(c *smx509.Certificate) {
		return func(c *smx509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = n, n == 0 }
	}
	later := func(c *smx509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }
	_, network, err := net.ParseCIDR("10.0.0.0/8")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		chain    oddChain
		accepted bool
	}{
		"nothing":                              {oddChain{}, true},
		"unknown extension":                    {oddChain{peer: extension(false, []byte{5, 0}, 1, 2, 3, 4)}, true},
		"unknown critical extension":           {oddChain{peer: extension(true, []byte{5, 0}, 1, 2, 3, 4)}, false},
		"unknown critical extension of a CA":   {oddChain{middle: extension(true, []byte{5, 0}, 1, 2, 3, 4)}, false},
		"unknown critical extension of a root": {oddChain{root: extension(true, []byte{5, 0}, 1, 2, 3, 4)}, false},
		"an extension twice":                   {oddChain{peer: both(extension(false, nil, 1, 2, 3), extension(false, nil, 1, 2, 3))}, false},
		"an extension of a CA twice":           {oddChain{middle: both(extension(false, nil, 1, 2, 3), extension(false, nil, 1, 2, 3))}, false},
		"path length":                          {oddChain{root: pathLength(1)}, true},
		"path length of zero below":            {oddChain{middle: pathLength(0)}, true},
		"path too long":                        {oddChain{root: pathLength(0)}, false},
		"no CA":                                {oddChain{middle: noCA}, false},
		"root that is no CA":                   {oddChain{root: noCA}, false},
		"CA without KeyUsage":                  {oddChain{middle: func(c *smx509.Certificate) { c.KeyUsage = 0 }}, true},
		"CA that may sign lists alone":         {oddChain{middle: func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageCRLSign }}, false},
		"basic constraints of a byte":          {oddChain{middle: extension(true, []byte{0x30}, 2, 5, 29, 19)}, false},
		"KeyUsage that is no bits":             {oddChain{peer: extension(true, []byte{5, 0}, 2, 5, 29, 15)}, false},
		"long serial number":                   {oddChain{peer: serial(new(big.Int).Lsh(big.NewInt(1), 158))}, true},
		"serial number one":                    {oddChain{peer: serial(big.NewInt(1))}, true},
		"name":                                 {oddChain{peer: alternativeNames(t, dns("peer.example.com"))}, true},
		"name in no ASCII":                     {oddChain{peer: alternativeNames(t, dns("p\xe9er"))}, false},
		"IPv4":                                 {oddChain{peer: alternativeNames(t, ip(10, 0, 0, 1))}, true},
		"IP of five bytes":                     {oddChain{peer: alternativeNames(t, ip(10, 0, 0, 1, 2))}, false},
		"IP of no bytes":                       {oddChain{peer: alternativeNames(t, ip())}, false},
		"IP with a mask":                       {oddChain{peer: alternativeNames(t, ip(10, 0, 0, 1, 255, 0, 0, 0))}, false},
		"URI that is none":                     {oddChain{peer: alternativeNames(t, uri("http://%zz/"))}, false},
		"no names at all":                      {oddChain{peer: extension(false, []byte{0x30, 0}, 2, 5, 29, 17)}, true},
		"names within constraints":             {oddChain{middle: onlyBelow("example.com"), peer: alternativeNames(t, dns("peer.example.com"))}, true},
		"name outside constraints":             {oddChain{middle: onlyBelow("example.com"), peer: alternativeNames(t, dns("peer.example.org"))}, false},
		"one of two names outside constraints": {oddChain{middle: onlyBelow("example.com"), peer: alternativeNames(t, dns("a.example.com"), dns("example.org"))}, false},
		"name outside the root's constraints":  {oddChain{root: onlyBelow("example.com"), peer: alternativeNames(t, dns("peer.example.org"))}, false},
		"IP outside constraints":               {oddChain{middle: func(c *smx509.Certificate) { c.PermittedIPRanges = []*net.IPNet{network} }, peer: alternativeNames(t, ip(11, 0, 0, 1))}, false},
		"IP within excluded ones":              {oddChain{middle: func(c *smx509.Certificate) { c.ExcludedIPRanges = []*net.IPNet{network} }, peer: alternativeNames(t, ip(10, 0, 0, 1))}, false},
		"constraints that are none":            {oddChain{middle: extension(true, []byte{0x30, 0}, 2, 5, 29, 30)}, false},
		"constraints of an unknown form":       {oddChain{middle: extension(true, []byte{0x30, 8, 0xa0, 6, 0x30, 4, 0xa8, 2, 5, 0}, 2, 5, 29, 30)}, false},
		"CA of another key identifier":         {oddChain{peer: extension(false, []byte{0x30, 3, 0x80, 1, 9}, 2, 5, 29, 35)}, true},
		"CA that is valid later than the peer": {oddChain{middle: later}, false},
		"ends before it begins":                {oddChain{peer: func(c *smx509.Certificate) { c.NotAfter = c.NotBefore.Add(-time.Hour) }}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, f := range families {
				err := c.chain.judge(t, f)
				t.Logf("%s: %v", f.name, err)
				if c.accepted {
					require.NoError(t, err, f.name)
				} else {
					require.Error(t, err, f.name)
				}
			}
		})
	}
}
