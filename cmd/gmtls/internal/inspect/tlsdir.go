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
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	files "github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/loglimit"
)

// checkTLS checks the tls folder of a node or user: what is for TLS against
// ca.crt, what is for TLCP against gm-ca.crt.
func (r *Report) checkTLS(dir string, m *mspFolder) error {
	items, err := r.folder(dir)
	if err != nil {
		return err
	}
	r.matchKeys(items)
	locked := 0
	for _, i := range items {
		if i.Kind == kindKey && i.pub == nil {
			locked++
		}
		if i.Kind == kindKey && (i.pub == nil || i.encrypted) && !isHalf(i) {
			r.found(i.Where, cause.Find(cause.KeyEncrypted, "a node opens encrypted keys of TLCP pairs alone"))
		}
	}
	if err := r.checkAsRead(dir); err != nil {
		return err
	}
	var cas, leaves []*Item
	certs := certified(items)
	slices.SortStableFunc(certs, inPlace)
	for _, i := range certs {
		if i.cert.IsCA {
			cas = append(cas, i)
		} else if !slices.ContainsFunc(leaves, func(l *Item) bool { return bytes.Equal(l.cert.Raw, i.cert.Raw) }) {
			leaves = append(leaves, i) // certificate and key may share a file, which then is there under two names
		}
		if i.cert.IsCA || locked > 0 || slices.ContainsFunc(items, func(k *Item) bool { return k.pub != nil && samePublic(k.pub, i.cert.PublicKey) }) {
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
	r.checkPeers(leaves, cas, certsOf(m.tlsIntermediates), items)
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

// isHalf tells files of TLCP pairs by their names.
func isHalf(i *Item) bool {
	return strings.Contains(filepath.Base(i.file), "-sign") || strings.Contains(filepath.Base(i.file), "-enc")
}

// checkPeers judges each TLCP pair that is whole as a peer does that meets it, unless something was found of it already.
func (r *Report) checkPeers(leaves, cas []*Item, more []*x509.Certificate, items []*Item) {
	if cause.Failed(r.Findings) {
		return
	}
	roots := x509.NewCertPool()
	chain := slices.Clone(more)
	for _, ca := range cas {
		if bytes.Equal(ca.cert.RawSubject, ca.cert.RawIssuer) {
			roots.AddCert(ca.cert)
		} else {
			chain = append(chain, ca.cert)
		}
	}
	keyOf := func(i *Item) any {
		for _, k := range items {
			if k.pub != nil && samePublic(k.pub, i.cert.PublicKey) {
				return k.key
			}
		}
		return nil
	}
	for n := 0; n+1 < len(leaves); n++ {
		sign, enc := leaves[n], leaves[n+1]
		signKey, encKey := keyOf(sign), keyOf(enc)
		if !isHalf(sign) || !isHalf(enc) || stemOf(sign) != stemOf(enc) || signKey == nil || encKey == nil {
			continue
		}
		own := func(i *Item) []*files.Certificate {
			list := []*files.Certificate{{Certificate: i.cert, Origin: files.Origin{File: i.file}}}
			for _, c := range chain {
				list = append(list, &files.Certificate{Certificate: c})
			}
			return list
		}
		pair, err := gmtls.NewCertificate(own(sign), signKey, own(enc), encKey)
		if err == nil {
			usage := stdx509.ExtKeyUsageServerAuth
			if stemOf(sign) != "server" {
				usage = stdx509.ExtKeyUsageClientAuth
			}
			err = pair.CheckAsPeer(roots.SM(), usage, r.now)
		}
		if err != nil {
			r.found(sign.Where, cause.Find(cause.ChainBroken, "a peer refuses the pair: %s", loglimit.Printable(err.Error())))
		}
	}
}

// checkHalves finds a certificate of a TLCP pair whose other half is not there.
func (r *Report) checkHalves(leaves []*Item) {
	for _, half := range leaves {
		base := filepath.Base(half.file)
		for this, other := range map[string]string{"-sign": "-enc", "-enc": "-sign"} {
			partner := strings.Replace(base, this, other, 1)
			if partner != base && !slices.ContainsFunc(leaves, func(i *Item) bool { return filepath.Base(i.file) == partner }) {
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
		r.found(i.Where, cause.Warn(cause.NameMismatch, "%q has no names (SANs), so that no client can verify it", i.Cert.Subject))
	}
	if usages := i.cert.ExtKeyUsage; len(usages) > 0 && !slices.Contains(usages, stdx509.ExtKeyUsageServerAuth) && !slices.Contains(usages, stdx509.ExtKeyUsageAny) {
		r.found(i.Where, cause.Find(cause.NoServerAuth, "%q is for %s", i.Cert.Subject, strings.Join(i.Cert.Usage, ", ")))
	}
}

func stemOf(i *Item) string {
	base := filepath.Base(i.file)
	base, _, _ = strings.Cut(base, "-")
	return base
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return "sha256 " + hex.EncodeToString(sum[:8]) + "..."
}
