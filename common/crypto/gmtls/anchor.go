// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/ecdsa"
	"sync"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/hyperledger/fabric/common/crypto/sm2table"
)

// An anchor is an authority of a pool that issued certificates of peers itself,
// without an intermediate one. As its key is met with every new peer, it has a
// table, with which verifying the peer's certificates takes a third of the time.
//
// Chains from an anchor are the only ones that the engine's path builder does
// not build: of a peer's own certificate and the root, no more. Anchors are kept
// for the contents of a pool (cachedPool), after the path builder itself has
// ended chains in them, and only if they ask nothing of what they issue. What an
// anchor does not confirm goes to the path builder, whose word is the last.
type anchor struct {
	cert  *smx509.Certificate
	key   *ecdsa.PublicKey // of cert
	table *sm2table.Table
}

// anchorFrom is the number of chains in which an authority was the root before
// it gets a table, which costs as much as three verifications.
const anchorFrom = 4

// maxAnchors bounds the authorities of one pool that are counted or have a table.
const maxAnchors = 64

// anchors are those of one pool.
type anchors struct {
	mu        sync.Mutex
	bySubject map[string]*anchorUse // protected by mu
}

type anchorUse struct {
	chains int // ended in it so far
	anchor *anchor
}

// learn takes note of the chains of a peer that has proved who it is.
func (a *anchors) learn(chains [][]*smx509.Certificate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, chain := range chains {
		if len(chain) != 2 || !isUnconstrained(chain[1]) {
			continue
		}
		root := chain[1]
		use := a.bySubject[string(root.RawSubject)]
		if use == nil {
			if len(a.bySubject) == maxAnchors {
				continue
			}
			if a.bySubject == nil {
				a.bySubject = make(map[string]*anchorUse)
			}
			use = &anchorUse{}
			a.bySubject[string(root.RawSubject)] = use
		}
		if use.chains++; use.chains < anchorFrom || use.anchor != nil {
			continue
		}
		if key, ok := root.PublicKey.(*ecdsa.PublicKey); ok {
			if table, err := sm2table.New(key); err == nil {
				use.anchor = &anchor{root, key, table}
			}
		}
	}
}

// isUnconstrained reports whether a root may issue certificates and constrains them in
// no way (RFC 5280, 4.2.1 and 6.1), so that a chain from it to a certificate
// which is valid by itself is valid.
func isUnconstrained(root *smx509.Certificate) bool {
	return root.Version == 3 && root.BasicConstraintsValid && root.IsCA && root.KeyUsage&smx509.KeyUsageCertSign != 0 &&
		len(root.UnhandledCriticalExtensions) == 0 && len(root.ExtKeyUsage) == 0 && len(root.UnknownExtKeyUsage) == 0 &&
		!hasExtension(root, nameConstraintsID) && !constrainsPolicies(root)
}

// constrainsPolicies reports whether a certificate constrains the policies of a
// chain (RFC 5280, 6.1.4 and 6.1.5).
func constrainsPolicies(cert *smx509.Certificate) bool {
	return hasExtension(cert, policyConstraintsID) || hasExtension(cert, policyMappingsID) || hasExtension(cert, inhibitAnyPolicyID)
}

// The last numbers of extensions below 2.5.29 (RFC 5280, appendix A.2).
const (
	nameConstraintsID   = 30
	policyMappingsID    = 33
	policyConstraintsID = 36
	inhibitAnyPolicyID  = 54
)

func hasExtension(cert *smx509.Certificate, id int) bool {
	for _, e := range cert.Extensions {
		if e.Id.Equal([]int{2, 5, 29, id}) {
			return true
		}
	}
	return false
}

// issuerOf returns the anchor that has issued the certificate if its name is right,
// or nil.
func (a *anchors) issuerOf(cert *smx509.Certificate) *anchor {
	a.mu.Lock()
	defer a.mu.Unlock()
	if use := a.bySubject[string(cert.RawIssuer)]; use != nil {
		return use.anchor
	}
	return nil
}

// chain returns the chain from the anchor to a certificate of a peer, or nil. As
// its own root a certificate has all checked that is its own: validity, usage,
// critical extensions.
func (a *anchor) chain(cert *smx509.Certificate, opts smx509.VerifyOptions) [][]*smx509.Certificate {
	// A certificate with the name and perhaps the key of the root itself must not
	// are below it in a chain.
	if !bytes.Equal(cert.RawIssuer, a.cert.RawSubject) || bytes.Equal(cert.RawSubject, a.cert.RawSubject) || cert.SignatureAlgorithm != smx509.SM2WithSM3 || constrainsPolicies(cert) ||
		opts.CurrentTime.Before(a.cert.NotBefore) || opts.CurrentTime.After(a.cert.NotAfter) {
		return nil
	}
	digest, err := sm2.CalculateSM2Hash(a.key, cert.RawTBSCertificate, nil)
	if err != nil || !a.table.VerifyASN1(digest, cert.Signature) {
		return nil
	}
	opts.Roots, opts.Intermediates = smx509.NewCertPool(), nil
	opts.Roots.AddCert(cert)
	if _, err := cert.Verify(opts); err != nil {
		return nil
	}
	return [][]*smx509.Certificate{{cert, a.cert}}
}
