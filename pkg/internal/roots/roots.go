// SPDX-License-Identifier: Apache-2.0

// Package roots makes certificate pools and TLS pairs from the files that users of the kits under pkg name.
package roots

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// Roots are trusted SM2 certificates: as a pool for TLCP, and as a list, by which gmtls explains a refusal.
type Roots struct {
	Pool        *smx509.CertPool
	Authorities []*x509.Certificate
}

// SM2 returns the SM2 certificates of a bundle. It leaves out others, because TLCP cannot use them. A bundle without an SM2
// certificate, or with something that cannot be read, is an error, which has the name.
func SM2(name string, bundle []byte) (Roots, error) {
	certs, err := material.ParseCertificates(name, bundle)
	if err != nil {
		return Roots{}, err
	}
	pool := gmx509.NewCertPool()
	roots := Roots{Pool: pool.SM()}
	for _, cert := range certs {
		if cert.Family() == material.SM2 {
			pool.AddCert(cert.Certificate)
			roots.Authorities = append(roots.Authorities, cert.Certificate)
		}
	}
	if len(roots.Authorities) == 0 {
		return Roots{}, fmt.Errorf("%s: no SM2 certificate in the bundle, and TLCP can use no other", name)
	}
	return roots, nil
}

// Standard returns the certificates of a bundle that TLS can use, as SM2 does those of TLCP.
func Standard(name string, bundle []byte) (*x509.CertPool, error) {
	certs, err := material.ParseCertificates(name, bundle)
	if err != nil {
		return nil, err
	}
	pool, found := x509.NewCertPool(), false
	for _, cert := range certs {
		if cert.Family() == material.Standard {
			pool.AddCert(cert.Certificate)
			found = true
		}
	}
	if !found {
		return nil, fmt.Errorf("%s: no certificate that TLS can use in the bundle, only SM2", name)
	}
	return pool, nil
}

// TLSPair makes a pair for TLS from a chain in any order and its key, which is not encrypted. Errors have the names.
func TLSPair(certName string, cert []byte, keyName string, key []byte) (tls.Certificate, error) {
	certs, err := material.Parse(certName, cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	keys, err := material.Parse(keyName, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	stored, err := keys.Key()
	if err != nil {
		return tls.Certificate{}, err
	}
	opened, err := stored.OpenPlain()
	if err != nil {
		return tls.Certificate{}, err
	}
	chain, err := certs.Chain(opened)
	if err != nil {
		return tls.Certificate{}, err
	}
	return material.TLSPair(chain, opened)
}

// TLCPPair makes a pair for TLCP of keys that are not encrypted. It refuses one that peers refuse for the use at any time, as nodes do with
// theirs: of two subjects or issuers, above all.
func TLCPPair(signCert, signKey, encCert, encKey []byte, use x509.ExtKeyUsage) (gmtls.Certificate, error) {
	pair, err := gmtls.X509KeyPair(signCert, signKey, encCert, encKey)
	if err != nil {
		return gmtls.Certificate{}, err
	}
	if err := pair.CheckAsPeer(nil, use, pair.NearestValid(time.Now())); err != nil {
		return gmtls.Certificate{}, fmt.Errorf("peers would refuse the pair (signing certificate %q): %w", pair.Leaf.Subject, err)
	}
	return pair, nil
}
