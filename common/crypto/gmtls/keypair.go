// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// LoadX509KeyPair reads a certificate pair from four files, in the forms that
// package material reads. Two of them may be one file. See NewCertificate.
func LoadX509KeyPair(signCertFile, signKeyFile, encCertFile, encKeyFile string) (Certificate, error) {
	return LoadEncryptedX509KeyPair(signCertFile, signKeyFile, encCertFile, encKeyFile, nil)
}

// LoadEncryptedX509KeyPair is LoadX509KeyPair for keys that may be encrypted
// with a password.
func LoadEncryptedX509KeyPair(signCertFile, signKeyFile, encCertFile, encKeyFile string, password []byte) (Certificate, error) {
	var files [4]*material.File
	for i, name := range []string{signCertFile, signKeyFile, encCertFile, encKeyFile} {
		var err error
		if files[i], err = material.Read(name); err != nil {
			return Certificate{}, fmt.Errorf("gmtls: reading the certificate pair: %w", err)
		}
	}
	return pairOf(files, password)
}

// X509KeyPair is LoadX509KeyPair for the contents of the files. The keys must
// not be encrypted.
func X509KeyPair(signCert, signKey, encCert, encKey []byte) (Certificate, error) {
	var files [4]*material.File
	for i, part := range []struct {
		name string
		text []byte
	}{{"signing certificate", signCert}, {"signing key", signKey}, {"encryption certificate", encCert}, {"encryption key", encKey}} {
		var err error
		if files[i], err = material.Parse(part.name, part.text); err != nil {
			return Certificate{}, fmt.Errorf("gmtls: %w", err)
		}
	}
	return pairOf(files, nil)
}

func pairOf(files [4]*material.File, password []byte) (Certificate, error) {
	var keys [2]crypto.PrivateKey
	var certs [2][]*material.Certificate
	for i := range keys {
		var err error
		if keys[i], err = files[2*i+1].PrivateKey(password); err != nil {
			return Certificate{}, fmt.Errorf("gmtls: %w", err)
		}
		if certs[i], err = files[2*i].Chain(keys[i]); err != nil {
			return Certificate{}, fmt.Errorf("gmtls: %w (key: %s)", err, files[2*i+1].Name)
		}
	}
	return NewCertificate(certs[0], keys[0], certs[1], keys[1])
}

// NewCertificate makes a certificate pair. sign and enc hold the certificate of
// its key, and may hold others of the chain, in any order; those of sign come
// before those of enc in the result, and duplicates are dropped. The keys are
// SM2, and the KeyUsage of each certificate must fit its place in the pair.
// Errors name the file that is wrong.
func NewCertificate(sign []*material.Certificate, signKey crypto.PrivateKey, enc []*material.Certificate, encKey crypto.PrivateKey) (Certificate, error) {
	var leaves [2]*material.Certificate
	var chains [2][]*material.Certificate
	for i, half := range []struct {
		role  string
		certs []*material.Certificate
		key   *crypto.PrivateKey
	}{{"signing", sign, &signKey}, {"encryption", enc, &encKey}} {
		priv, ok := sm2Signer(*half.key)
		if !ok {
			return Certificate{}, fmt.Errorf("gmtls: the %s key is not an SM2 key, which TLCP needs", half.role)
		}
		*half.key = priv
		chain, err := material.Chain(half.certs, priv)
		if err != nil {
			return Certificate{}, fmt.Errorf("gmtls: %s certificate: %w", half.role, err)
		}
		leaves[i], chains[i] = chain[0], chain
	}
	if err := gmx509.CheckPairUsage(leaves[0].Certificate, leaves[1].Certificate); err != nil {
		return Certificate{}, fmt.Errorf("gmtls: %w (%s, %s)", err, leaves[0].File, leaves[1].File)
	}
	cert := Certificate{
		Certificate:   [][]byte{leaves[0].Raw, leaves[1].Raw},
		PrivateKey:    signKey,
		EncPrivateKey: encKey,
		Leaf:          leaves[0].Certificate,
		EncLeaf:       leaves[1].Certificate,
	}
	seen := map[string]bool{string(leaves[0].Raw): true, string(leaves[1].Raw): true}
	for _, c := range append(chains[0][1:], chains[1][1:]...) {
		if !seen[string(c.Raw)] {
			seen[string(c.Raw)] = true
			cert.Certificate = append(cert.Certificate, c.Raw)
		}
	}
	if n := len(cert.Certificate); n > maxPeerCertificates {
		return Certificate{}, fmt.Errorf("gmtls: there are %d certificates in the chains, and peers accept %d", n, maxPeerCertificates)
	}
	for i, der := range cert.Certificate {
		if err := checkBounds(der); err != nil {
			return Certificate{}, fmt.Errorf("gmtls: certificate %d of the chains %w, and peers refuse it", i, err)
		}
	}
	return cert, nil
}

// sm2Signer returns an SM2 key in memory, or one in a device.
func sm2Signer(key crypto.PrivateKey) (crypto.Signer, bool) {
	if device, ok := key.(*keyd.Key); ok {
		return device, gmx509.IsSM2(device.Public())
	}
	priv, ok := gmx509.AsSM2(key)
	return priv, ok
}

// CheckAsPeer judges the pair as a peer that uses this package does in a handshake:
// with the same code, at the given time, under the given roots, for the use
// x509.ExtKeyUsageServerAuth or x509.ExtKeyUsageClientAuth. Without roots it checks
// everything except that the chains lead to a root.
func (c *Certificate) CheckAsPeer(roots *smx509.CertPool, usage x509.ExtKeyUsage, now time.Time) error {
	p, err := parsePeer(c.Certificate)
	if err != nil {
		return err
	}
	if p.enc == nil {
		return fmt.Errorf("gmtls: the second certificate of the pair is a CA: %q", p.certs[1].Subject)
	}
	if roots == nil {
		// As its own root a certificate has all checked that is its own.
		roots = smx509.NewCertPool()
		for _, leaf := range p.leaves() {
			roots.AddCert(leaf)
		}
	}
	_, err = p.verify(trust{roots: roots, usage: smx509.ExtKeyUsage(usage)}, nil, now)
	return err
}

// NearestValid returns now, or the nearest time at which both certificates of the pair are valid, for who judges a pair
// by CheckAsPeer apart from its time. Leaf and EncLeaf are set.
func (c *Certificate) NearestValid(now time.Time) time.Time {
	for _, cert := range []*x509.Certificate{c.Leaf, c.EncLeaf} {
		if now.Before(cert.NotBefore) {
			now = cert.NotBefore
		}
		if now.After(cert.NotAfter) {
			now = cert.NotAfter
		}
	}
	return now
}

// sm2PublicKey returns the public key of an SM2 key.
func sm2PublicKey(key crypto.Signer) (*ecdsa.PublicKey, error) {
	pub, ok := key.Public().(*ecdsa.PublicKey)
	if !ok || pub.Curve != sm2.P256() {
		return nil, fmt.Errorf("the signing key is a %T, which is not an SM2 key", key)
	}
	return pub, nil
}
