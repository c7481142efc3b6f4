// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"slices"

	"github.com/emmansun/gmsm/smx509"
)

// CertPool is a set of certificates of both families, SM2 and the rest. Like the standard type it is not safe for use
// while it is being changed. A nil pool can be read.
type CertPool struct {
	std   *x509.CertPool
	sm    *smx509.CertPool
	certs map[[sha256.Size]byte]*Certificate // by digest of Raw; what Verify puts into chains
}

// NewCertPool returns an empty pool.
func NewCertPool() *CertPool {
	return &CertPool{
		std:   x509.NewCertPool(),
		sm:    smx509.NewCertPool(),
		certs: map[[sha256.Size]byte]*Certificate{},
	}
}

// AddCert adds a parsed certificate of either family. It panics on nil, as the standard library does. A certificate
// without or with damaged Raw cannot serve a chain of the SM2 family and is left out there.
func (p *CertPool) AddCert(cert *Certificate) {
	if cert == nil {
		panic("gmx509: adding nil certificate to CertPool")
	}
	sum := sha256.Sum256(cert.Raw)
	if p.certs[sum] != nil {
		return
	}
	p.certs[sum] = cert
	p.std.AddCert(cert)
	if sm, err := ParseCertificateSM(cert.Raw); err == nil {
		p.sm.AddCert(sm)
	}
}

// AppendCertsFromPEM adds every certificate found in pemCerts and reports whether there was one. As in the standard
// library, blocks of other types, with headers, or that do not parse are skipped.
func (p *CertPool) AppendCertsFromPEM(pemCerts []byte) bool {
	found := false
	for {
		var block *pem.Block
		block, pemCerts = pem.Decode(pemCerts)
		if block == nil {
			return found
		}
		if block.Type != pemTypeCertificate || len(block.Headers) != 0 {
			continue
		}
		if cert, err := ParseCertificate(block.Bytes); err == nil {
			p.AddCert(cert)
			found = true
		}
	}
}

// Subjects returns the DER of the subject of each certificate in the pool.
func (p *CertPool) Subjects() [][]byte {
	if p == nil {
		return nil
	}
	return p.std.Subjects() // no system roots in these pools, so the list is complete
}

// Clone returns a copy that can be changed independently.
func (p *CertPool) Clone() *CertPool {
	if p == nil {
		return nil
	}
	out := &CertPool{std: p.std.Clone(), sm: p.sm.Clone(), certs: make(map[[sha256.Size]byte]*Certificate, len(p.certs))}
	for sum, cert := range p.certs {
		out.certs[sum] = cert
	}
	return out
}

// Std returns the pool for use with crypto/x509 and crypto/tls, nil for a nil pool. It holds SM2
// certificates as well, which those packages can list but not verify with.
func (p *CertPool) Std() *x509.CertPool {
	if p == nil {
		return nil
	}
	return p.std
}

// SM returns the pool for use with smx509 and gmtls, nil for a nil pool. It holds both families.
func (p *CertPool) SM() *smx509.CertPool {
	if p == nil {
		return nil
	}
	return p.sm
}

// all returns the certificates of the pool in no order.
func (p *CertPool) all() []*Certificate {
	if p == nil {
		return nil
	}
	return slices.Collect(maps.Values(p.certs))
}

func (p *CertPool) size() int {
	if p == nil {
		return 0
	}
	return len(p.certs)
}

// lookup returns the certificate with these DER bytes as it was added, nil if it was not.
func (p *CertPool) lookup(raw []byte) *Certificate {
	if p == nil {
		return nil
	}
	return p.certs[sha256.Sum256(raw)]
}
