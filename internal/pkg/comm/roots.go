// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/emmansun/gmsm/smx509"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// rootSet is a set of certificate authorities, kept by family. Verification of
// one family never sees the other's roots.
type rootSet struct {
	std []*x509.Certificate
	gm  []*smx509.Certificate
}

// parseRoots reads every certificate of a PEM blob that either family can
// parse and passes over the others, as x509.CertPool.AppendCertsFromPEM does.
func parseRoots(blob []byte) rootSet {
	roots, _ := parseRootsStrict(blob)
	return roots
}

// parseRootsStrict is parseRoots with an error for the first certificate that
// neither family can parse.
func parseRootsStrict(blob []byte) (roots rootSet, err error) {
	for n := 1; ; n++ {
		var block *pem.Block
		if block, blob = pem.Decode(blob); block == nil {
			return roots, err
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if cert := parseSM2Cert(block.Bytes); cert != nil {
			roots.gm = append(roots.gm, cert)
			continue
		}
		cert, stdErr := x509.ParseCertificate(block.Bytes)
		if stdErr != nil {
			if err == nil {
				err = fmt.Errorf("certificate %d of the PEM data (SHA-256 %x): %w", n, sha256.Sum256(block.Bytes), stdErr)
			}
			continue
		}
		roots.std = append(roots.std, cert)
	}
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
