// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// peer is the other end as it authenticated itself. It is immutable, for
// caches and sessions share it.
type peer struct {
	raw   [][]byte // DER as sent: signing, encryption, intermediates
	certs []*smx509.Certificate
	std   []*x509.Certificate // the same
	sign  *ecdsa.PublicKey
	enc   *ecdsa.PublicKey // nil: no encryption certificate came

	// Set by verification, nil and zero without it.
	signChains [][]*x509.Certificate
	encChains  [][]*x509.Certificate
	roots      *smx509.CertPool // copy of the pool under which it was verified, if the cache made one
	notBefore  time.Time        // of all certificates in all chains together
	notAfter   time.Time
}

// leaves returns the certificates that are the peer's own.
func (p *peer) leaves() []*smx509.Certificate {
	if p.enc == nil {
		return p.certs[:1]
	}
	return p.certs[:2]
}

// validAt reports whether every certificate in the verified chains is valid then.
func (p *peer) validAt(t time.Time) bool {
	return !t.Before(p.notBefore) && !t.After(p.notAfter)
}

func (p *peer) verifyHostname(host string) error {
	for _, cert := range p.leaves() {
		if err := cert.VerifyHostname(host); err != nil {
			return err
		}
	}
	return nil
}

// parsePeer parses what a Certificate message of TLCP carried and checks what
// does not depend on trust: all keys on the SM2 curve, KeyUsage. The result owns
// its bytes.
func parsePeer(ders [][]byte) (*peer, error) { return parseCertificates(ders, false) }

// parseCertificates is parsePeer for either protocol; in TLS 1.3 the first
// certificate is the only one of the peer's own.
func parseCertificates(ders [][]byte, single bool) (*peer, error) {
	if len(ders) > maxPeerCertificates {
		return nil, failf(AlertBadCertificate, "the peer sent %d certificates, more than %d", len(ders), maxPeerCertificates)
	}
	p := &peer{
		raw:   make([][]byte, len(ders)),
		certs: make([]*smx509.Certificate, len(ders)),
		std:   make([]*x509.Certificate, len(ders)),
	}
	for i, der := range ders {
		if err := checkBounds(der); err != nil {
			return nil, failf(AlertBadCertificate, "certificate %d of the peer %w", i, err)
		}
		cert, err := gmx509.ParseCertificateSM(bytes.Clone(der))
		if err != nil {
			return nil, failf(AlertBadCertificate, "parsing certificate %d of the peer: %w", i, err)
		}
		// With a key on the SM2 curve the engine accepts plain ECDSA as well.
		if cert.SignatureAlgorithm != smx509.SM2WithSM3 {
			return nil, failf(AlertUnsupportedCertificate, "certificate %d of the peer is not signed with SM2 and SM3", i)
		}
		p.raw[i], p.certs[i] = cert.Raw, cert
		if p.std[i], err = gmx509.FromEngine(cert); err != nil {
			return nil, failf(AlertBadCertificate, "parsing certificate %d of the peer: %w", i, err)
		}
		if i == 0 || i == 1 && !single {
			continue
		}
		// A stranger could make this end verify with RSA keys of any size.
		if _, err := sm2Key("intermediate", cert); err != nil {
			return nil, err
		}
	}
	var encCert *x509.Certificate
	var err error
	if p.sign, err = sm2Key("signing", p.certs[0]); err != nil {
		return nil, err
	}
	if len(ders) > 1 && !single && !p.certs[1].IsCA {
		encCert = p.std[1]
		if p.enc, err = sm2Key("encryption", p.certs[1]); err != nil {
			return nil, err
		}
	}
	err = gmx509.CheckPairUsage(p.std[0], encCert)
	if err == nil && single {
		err = gmx509.CheckTLS13Usage(p.std[0])
	}
	if err != nil {
		return nil, fail(AlertUnsupportedCertificate, err)
	}
	return p, nil
}

func sm2Key(role string, cert *smx509.Certificate) (*ecdsa.PublicKey, error) {
	pub, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != sm2.P256() {
		return nil, failf(AlertUnsupportedCertificate, "the key of the peer's %s certificate is not on the SM2 curve", role)
	}
	return pub, nil
}

// trust is what verification of a peer depends on, apart from the time.
type trust struct {
	roots    *smx509.CertPool
	usage    smx509.ExtKeyUsage
	unpaired bool // Config.AllowUnpairedCertificates
	single   bool // TLS 1.3: one certificate of the peer's own
}

// trust is what the peer's certificates are verified under; nil: nothing.
func (c *Conn) trust() *trust {
	config := c.config
	t := &trust{config.RootCAs, smx509.ExtKeyUsageServerAuth, config.AllowUnpairedCertificates, c.version == VersionTLS13}
	switch {
	case c.isClient && config.InsecureSkipVerify, !c.isClient && !config.ClientAuth.verified():
		return nil
	case !c.isClient:
		t.roots, t.usage = config.ClientCAs, smx509.ExtKeyUsageClientAuth
	}
	return t
}

// verify builds the chains of the peer's certificates, records them in p and
// returns them all. pool stands for t.roots, or is nil.
func (p *peer) verify(t trust, pool *cachedPool, now time.Time) ([][]*smx509.Certificate, error) {
	roots := t.roots
	switch {
	case pool != nil:
		roots = pool.copy // what is remembered holds for this, whatever becomes of the other
	case roots == nil:
		roots = smx509.NewCertPool() // nil would mean the system's
	}
	opts := smx509.VerifyOptions{
		Roots:                     roots,
		CurrentTime:               now,
		KeyUsages:                 []smx509.ExtKeyUsage{t.usage},
		MaxConstraintComparisions: maxConstraintComparisons,
	}
	leaves := p.leaves()
	if len(leaves) == 2 && !t.unpaired {
		if err := gmx509.CheckPairNames(p.std[0], p.std[1]); err != nil {
			return nil, err
		}
	}
	var refused error
	if len(p.certs) > len(leaves) {
		opts.Intermediates, refused = authorities(p.certs[len(leaves):], opts)
	}
	signChains, err := pool.chains(leaves[0], opts)
	if err != nil {
		return nil, fmt.Errorf("signing certificate: %w", reasonOf(err, refused))
	}
	var encChains [][]*smx509.Certificate
	if len(leaves) == 2 {
		if encChains, err = pool.chains(leaves[1], opts); err != nil {
			return nil, fmt.Errorf("encryption certificate: %w", reasonOf(err, refused))
		}
	}
	p.narrowValidity(signChains)
	p.narrowValidity(encChains)
	known := make(map[*smx509.Certificate]*x509.Certificate, len(p.certs)+1)
	for i, cert := range p.certs {
		known[cert] = p.std[i]
	}
	if p.signChains, err = stdChains(signChains, known); err != nil {
		return nil, err
	}
	if p.encChains, err = stdChains(encChains, known); err != nil {
		return nil, err
	}
	return slices.Concat(signChains, encChains), nil
}

// chains returns the chains of a peer's certificate: from an anchor, or those of
// the engine's path builder.
func (pool *cachedPool) chains(cert *smx509.Certificate, opts smx509.VerifyOptions) ([][]*smx509.Certificate, error) {
	if pool != nil {
		if a := pool.anchors.issuerOf(cert); a != nil {
			if chains := a.chain(cert, opts); chains != nil {
				return chains, nil
			}
		}
	}
	chains, err := cert.Verify(opts)
	if err != nil {
		return nil, err
	}
	return permitted(chains)
}

func (p *peer) narrowValidity(chains [][]*smx509.Certificate) {
	for _, chain := range chains {
		for _, cert := range chain {
			if p.notBefore.IsZero() || cert.NotBefore.After(p.notBefore) {
				p.notBefore = cert.NotBefore
			}
			if p.notAfter.IsZero() || cert.NotAfter.Before(p.notAfter) {
				p.notAfter = cert.NotAfter
			}
		}
	}
}

// authenticate turns what a Certificate message carried into a peer, verified
// under t unless t is nil, and puts both callbacks to work.
func (c *Conn) authenticate(ders [][]byte, t *trust) error {
	p, err := c.identify(ders, t)
	if err != nil {
		return err
	}
	if t != nil && c.isClient {
		if err := p.verifyHostname(c.config.ServerName); err != nil {
			return c.verificationError(p, err)
		}
	}
	c.peer = p
	return c.consultCallbacks()
}

// identify returns the peer, from the chain cache if it is known there. A new one
// is kept for remember.
func (c *Conn) identify(ders [][]byte, t *trust) (*peer, error) {
	c.met = nil
	single := c.version == VersionTLS13
	if t == nil {
		return parseCertificates(ders, single)
	}
	cache, now := c.config.ChainCache, c.config.now()
	pool := cache.pool(t.roots)
	if p := cache.get(ders, pool, t, now); p != nil {
		return p, nil
	}
	p, err := parseCertificates(ders, single)
	if err != nil {
		return nil, err
	}
	chains, err := p.verify(*t, pool, now)
	if err != nil {
		return nil, c.verificationError(p, err)
	}
	if pool != nil {
		p.roots = pool.copy
		c.met = &acquaintance{cache, p, pool, *t, chains}
	}
	return p, nil
}

func (c *Conn) verificationError(p *peer, err error) error {
	alert := alertForVerification(err)
	if alert == AlertUnknownCA {
		if reason := gmx509.Explain(p.std, c.config.Authorities); reason != nil {
			err = fmt.Errorf("%w (%w)", reason, err)
		}
	}
	return fail(alert, &CertificateVerificationError{UnverifiedCertificates: p.std, Err: err})
}

// consultCallbacks calls VerifyPeerCertificate and VerifyConnection.
func (c *Conn) consultCallbacks() error {
	if verify := c.config.VerifyPeerCertificate; verify != nil && c.peer != nil {
		if err := verify(c.peer.raw, c.peer.signChains); err != nil {
			return fail(AlertBadCertificate, err)
		}
	}
	if verify := c.config.VerifyConnection; verify != nil {
		if err := verify(c.stateLocked()); err != nil {
			return fail(AlertBadCertificate, err)
		}
	}
	return nil
}

// alertForVerification returns the alert that tells the reason (6.4.2.3).
func alertForVerification(err error) AlertError {
	var invalid smx509.CertificateInvalidError
	var unknown smx509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown):
		return AlertUnknownCA
	case !errors.As(err, &invalid):
		return AlertBadCertificate
	case invalid.Reason == smx509.Expired:
		return AlertCertificateExpired
	case invalid.Reason == smx509.IncompatibleUsage:
		return AlertUnsupportedCertificate
	}
	return AlertBadCertificate
}
