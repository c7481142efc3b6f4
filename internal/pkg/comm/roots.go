// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// rootSet is a set of certificate authorities, kept by family. Verification of
// one family never sees the other's roots.
type rootSet struct {
	std []*x509.Certificate
	gm  []*smx509.Certificate
}

// rootsOf sorts certificates by family.
func rootsOf(certs []*material.Certificate) (roots rootSet, err error) {
	for _, cert := range certs {
		if cert.Family() == material.Standard {
			roots.std = append(roots.std, cert.Certificate)
			continue
		}
		sm, err := gmx509.ParseCertificateSM(cert.Raw)
		if err != nil {
			return rootSet{}, fmt.Errorf("%s: %w", cert.File, err)
		}
		roots.gm = append(roots.gm, sm)
	}
	return roots, nil
}

// parseRootsStrict reads a PEM blob of certificates, and nothing else.
func parseRootsStrict(blob []byte) (rootSet, error) {
	certs, err := material.ParseCertificates("", blob)
	if err != nil {
		return rootSet{}, err
	}
	return rootsOf(certs)
}

// parseRoots reads every certificate of a PEM blob that can be read and says what it skips. It is for roots of channel
// configurations, where one organisation's fault must not take the others' roots away.
func parseRoots(blob []byte) rootSet {
	roots, err := parseRootsStrict(blob)
	if err == nil {
		return roots
	}
	for block, rest := pem.Decode(blob); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if one, err := parseRootsStrict(pem.EncodeToMemory(block)); err == nil {
			roots.add(one)
		}
	}
	if roots.any() {
		commLogger.Warningf("TLS root CAs: %d certificates of a bundle are used, and others are not: %s", len(roots.std)+len(roots.gm), err)
	}
	return roots
}

func (r rootSet) any() bool { return len(r.std)+len(r.gm) > 0 }

func (r *rootSet) add(o rootSet) {
	r.std = append(r.std, o.std...)
	r.gm = append(r.gm, o.gm...)
}

// stdPool returns a pool that is never nil: nil would mean the system's roots.
func (r rootSet) stdPool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, cert := range r.std {
		pool.AddCert(cert)
	}
	return pool
}

func (r rootSet) gmPool() *smx509.CertPool {
	pool := smx509.NewCertPool()
	for _, cert := range r.gm {
		pool.AddCert(cert)
	}
	return pool
}

// authorities returns the SM2 roots in the type of crypto/x509.
func (r rootSet) authorities() []*x509.Certificate {
	var all []*x509.Certificate
	for _, cert := range r.gm {
		if std, err := gmx509.FromEngine(cert); err == nil { // it was parsed by gmx509
			all = append(all, std)
		}
	}
	return all
}

// parseRootBlobs parses a list of PEM blobs. bad holds the indices of those
// without a single usable certificate.
func parseRootBlobs(blobs [][]byte) (roots rootSet, bad []int) {
	for i, blob := range blobs {
		r := parseRoots(blob)
		if !r.any() {
			bad = append(bad, i)
			continue
		}
		roots.add(r)
	}
	return roots, bad
}

// chainCache keeps the verified chains of TLCP peers, of all roles. No pool of
// this package has certificates with constraints.
var chainCache = gmtls.NewChainCache(1024)
