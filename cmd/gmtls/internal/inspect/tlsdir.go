// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"crypto/sha256"
	stdx509 "crypto/x509"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// checkTLS checks the tls folder of a node or user: what is for TLS against
// ca.crt, what is for TLCP against gm-ca.crt.
func (r *Report) checkTLS(dir string, m *mspFolder) error {
	items, err := r.folder(dir, true)
	if err != nil {
		return err
	}
	r.matchKeys(items)
	for _, i := range items {
		if i.Kind == kindKey && i.pub == nil {
			r.found(i.Where, cause.Find(cause.KeyEncrypted, "a node cannot open it"))
		}
	}
	var cas, leaves []*Item
	for _, i := range certified(items) {
		if i.cert.IsCA {
			cas = append(cas, i)
		} else {
			leaves = append(leaves, i)
		}
		if i.cert.IsCA || slices.ContainsFunc(items, func(k *Item) bool { return k.pub != nil && samePublic(k.pub, i.cert.PublicKey) }) {
			continue
		}
		r.found(i.Where, cause.Find(cause.KeyMissing, "no key in %s belongs to %q", dir, i.Cert.Subject))
	}
	if len(cas) == 0 {
		r.found(dir, cause.Find(cause.MSPIncomplete, "there is no CA certificate (ca.crt)"))
	}
	// Sorted names put server-enc before server-sign.
	slices.SortStableFunc(leaves, func(a, b *Item) int {
		if stemOf(a) != stemOf(b) {
			return strings.Compare(stemOf(a), stemOf(b))
		}
		return strings.Compare(b.Where, a.Where)
	})
	r.matchPairs(leaves)
	r.checkHalves(leaves)
	roots, intermediates := split(cas)
	for _, leaf := range leaves {
		r.checkFamily(leaf)
		r.checkServer(leaf)
		r.found(leaf.Where, material.CheckChain(leaf.cert, append(intermediates, certsOf(m.tlsIntermediates)...), roots, r.now)...)
	}
	for _, root := range cas {
		if len(m.tlsRoots) > 0 && !slices.ContainsFunc(certsOf(slices.Concat(m.tlsRoots, m.tlsIntermediates)),
			func(c *x509.Certificate) bool { return bytes.Equal(c.Raw, root.cert.Raw) }) {
			r.found(root.Where, cause.Warn(cause.WrongRoot, "%q (%s) is not in the MSP's tlscacerts", root.Cert.Subject, fingerprint(root.cert)))
		}
	}
	return nil
}

// checkHalves finds a certificate of a TLCP pair whose other half is not there.
func (r *Report) checkHalves(leaves []*Item) {
	for _, half := range leaves {
		base := filepath.Base(half.Where)
		for this, other := range map[string]string{"-sign": "-enc", "-enc": "-sign"} {
			partner := strings.Replace(base, this, other, 1)
			if partner != base && !slices.ContainsFunc(leaves, func(i *Item) bool { return filepath.Base(i.Where) == partner }) {
				r.found(half.Where, cause.Find(cause.MSPIncomplete, "%s is missing, and TLCP needs both", partner))
			}
		}
	}
}

// checkServer checks what clients demand of a node's own certificate.
func (r *Report) checkServer(i *Item) {
	if stemOf(i) != "server" && stemOf(i) != "server.crt" {
		return
	}
	if len(i.Cert.Names) == 0 {
		r.found(i.Where, cause.Find(cause.NameMismatch, "%q has no names (SANs), so that no client can verify it", i.Cert.Subject))
	}
	if usages := i.cert.ExtKeyUsage; len(usages) > 0 && !slices.Contains(usages, stdx509.ExtKeyUsageServerAuth) && !slices.Contains(usages, stdx509.ExtKeyUsageAny) {
		r.found(i.Where, cause.Find(cause.NoServerAuth, "%q is for %s", i.Cert.Subject, strings.Join(i.Cert.Usage, ", ")))
	}
}

func stemOf(i *Item) string {
	base := filepath.Base(i.Where)
	base, _, _ = strings.Cut(base, "-")
	return base
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return "sha256 " + hex.EncodeToString(sum[:8]) + "..."
}
