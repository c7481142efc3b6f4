// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// maxEntries bounds the files of a folder.
const maxEntries = 4096

// mspFolder is what the folders of an MSP hold.
type mspFolder struct {
	dir                              string
	roots, intermediates             []*Item
	tlsRoots, tlsIntermediates       []*Item
	admins, signers, keystore, lists []*Item
}

// node checks an MSP folder, or the folder of a node or user that holds msp and
// tls folders.
func (r *Report) node(dir string) error {
	stat, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !stat.IsDir() {
		return fmt.Errorf("%s is a file; --msp wants a folder", dir)
	}
	mspDir, tlsDir := dir, ""
	if isDir(filepath.Join(dir, "msp")) {
		mspDir = filepath.Join(dir, "msp")
		if isDir(filepath.Join(dir, "tls")) {
			tlsDir = filepath.Join(dir, "tls")
		}
	}
	m, err := r.readMSP(mspDir)
	if err != nil {
		return err
	}
	r.checkMSP(m)
	if tlsDir != "" {
		return r.checkTLS(tlsDir, m)
	}
	return nil
}

func isDir(name string) bool {
	stat, err := os.Stat(name)
	return err == nil && stat.IsDir()
}

func (r *Report) readMSP(dir string) (*mspFolder, error) {
	m := &mspFolder{dir: dir}
	for _, part := range []struct {
		name string
		into *[]*Item
	}{
		{"cacerts", &m.roots},
		{"intermediatecerts", &m.intermediates},
		{"tlscacerts", &m.tlsRoots},
		{"tlsintermediatecerts", &m.tlsIntermediates},
		{"admincerts", &m.admins},
		{"signcerts", &m.signers},
		{"keystore", &m.keystore},
		{"crls", &m.lists},
	} {
		items, err := r.folder(filepath.Join(dir, part.name))
		if err != nil {
			return nil, err
		}
		*part.into = items
	}
	return m, nil
}

// folder takes in the files of a folder; one that is missing is empty.
func (r *Report) folder(dir string) ([]*Item, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(entries) > maxEntries {
		return nil, fmt.Errorf("%s holds %d files, more than the %d that are read", dir, len(entries), maxEntries)
	}
	var items []*Item
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if isDir(name) {
			continue
		}
		loaded, err := r.load(name)
		if err != nil {
			return nil, err
		}
		if len(loaded) == 0 || loaded[0].Kind == "other" || loaded[0].Kind == "JSON" {
			r.found(name, cause.Warn(cause.UnusedFile, "it holds no certificate, key or list"))
		}
		items = append(items, loaded...)
	}
	return items, nil
}

func (r *Report) checkMSP(m *mspFolder) {
	if len(m.roots) == 0 {
		r.found(m.dir, cause.Find(cause.MSPIncomplete, "cacerts holds no certificate"))
	}
	for _, list := range [][]*Item{m.roots, m.intermediates, m.tlsRoots, m.tlsIntermediates} {
		for _, i := range list {
			if i.cert != nil && (!i.cert.IsCA || i.cert.KeyUsage != 0 && !slices.Contains(material.Usages(i.cert), "certSign")) {
				r.found(i.Where, cause.Find(cause.NotACA, "%q is for %s", i.Cert.Subject, strings.Join(i.Cert.Usage, ", ")))
			}
		}
	}
	roots, intermediates := certsOf(m.roots), certsOf(m.intermediates)
	for _, i := range slices.Concat(m.intermediates, m.admins, m.signers) {
		if i.cert != nil {
			r.found(i.Where, material.CheckChain(i.cert, intermediates, roots, r.now)...)
		}
	}
	for _, i := range m.tlsIntermediates {
		if i.cert != nil {
			r.found(i.Where, material.CheckChain(i.cert, certsOf(m.tlsIntermediates), certsOf(m.tlsRoots), r.now)...)
		}
	}
	r.checkLists(m.lists, certified(slices.Concat(m.roots, m.intermediates)), certified(slices.Concat(m.admins, m.signers)))
	r.checkSigner(m)
	r.checkOUs(m)
}

func certified(items []*Item) []*Item {
	return slices.DeleteFunc(slices.Clone(items), func(i *Item) bool { return i.cert == nil })
}

func certsOf(items []*Item) []*x509.Certificate {
	var certs []*x509.Certificate
	for _, i := range certified(items) {
		certs = append(certs, i.cert)
	}
	return certs
}

// checkSigner checks the node's own identity. An MSP without signcerts and
// keystore serves to verify others, as in channel configurations.
func (r *Report) checkSigner(m *mspFolder) {
	switch {
	case len(m.signers) == 0 && !isDir(filepath.Join(m.dir, "keystore")):
		r.add(&Item{Where: m.dir, Kind: "MSP", Note: "verifies identities, has none of its own"})
		return
	case len(m.signers) == 0:
		r.found(m.dir, cause.Find(cause.MSPIncomplete, "signcerts holds no certificate"))
		return
	case len(m.signers) > 1:
		r.found(m.dir, cause.Warn(cause.UnusedFile, "signcerts holds %d certificates; the node takes the first one", len(m.signers)))
	}
	signer := m.signers[0]
	r.add(&Item{Where: m.dir, Kind: "MSP", Note: "of a node or user"})
	if signer.cert == nil {
		return
	}
	if len(m.keystore) == 0 {
		r.found(m.dir, cause.Warn(cause.KeyMissing, "keystore is empty; %q needs a key from an HSM", signer.Cert.Subject))
		return
	}
	for _, key := range m.keystore {
		if key.pub != nil && samePublic(signer.cert.PublicKey, key.pub) {
			signer.Note = note(signer.Note, "its key is "+key.Where)
			return
		}
	}
	r.found(signer.Where, cause.Find(cause.KeyMismatch, "none of the %d keys in keystore is that of %q", len(m.keystore), signer.Cert.Subject))
}

// parseOUs reads NodeOUs of config.yaml: identifiers with the files of their CAs.
func parseOUs(data []byte) (enabled bool, ous map[string]string, err error) {
	var raw struct {
		NodeOUs map[string]yaml.Node `yaml:"NodeOUs"`
	}
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return false, nil, err
	}
	ous = make(map[string]string) // a file may be empty
	for key, node := range raw.NodeOUs {
		if key == "Enable" {
			if err := node.Decode(&enabled); err != nil {
				return false, nil, err
			}
			continue
		}
		var ou struct {
			Certificate string `yaml:"Certificate"`
			Identifier  string `yaml:"OrganizationalUnitIdentifier"`
		}
		if err := node.Decode(&ou); err != nil {
			return false, nil, fmt.Errorf("%s: %w", key, err)
		}
		if ou.Identifier != "" {
			ous[ou.Identifier] = ou.Certificate
		}
	}
	return enabled, ous, nil
}

// checkOUs checks config.yaml against the identities.
func (r *Report) checkOUs(m *mspFolder) {
	name := filepath.Join(m.dir, "config.yaml")
	data, err := material.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		if len(m.admins) == 0 {
			r.found(m.dir, cause.Find(cause.MSPIncomplete, "there is neither config.yaml with NodeOUs nor a certificate in admincerts"))
		}
		return
	}
	if err != nil {
		r.found(name, cause.Find(cause.Unparsable, "%v", err))
		return
	}
	enabled, ous, err := parseOUs(data)
	if err != nil {
		r.found(name, cause.Find(cause.Unparsable, "%v", err))
		return
	}
	if !enabled {
		return
	}
	for _, identifier := range sortedKeys(ous) {
		file := ous[identifier]
		if file == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(m.dir, file)); err != nil {
			r.found(name, cause.Warn(cause.MSPIncomplete, "%s is named for the OU %s and is not there, so any CA may vouch for it", wire.Printable(file), wire.Printable(identifier)))
		}
	}
	for _, i := range certified(slices.Concat(m.signers, m.admins)) {
		if !slices.ContainsFunc(i.cert.Subject.OrganizationalUnit, func(ou string) bool { _, ok := ous[ou]; return ok }) {
			r.found(i.Where, cause.Find(cause.NodeOUs, "%q has none of the OUs %s", i.Cert.Subject, wire.Printable(strings.Join(sortedKeys(ous), ", "))))
		}
	}
}

// checkTLS checks the tls folder of a node or user: what is for TLS against
// ca.crt, what is for TLCP against gm-ca.crt.
func (r *Report) checkTLS(dir string, m *mspFolder) error {
	items, err := r.folder(dir)
	if err != nil {
		return err
	}
	r.matchKeys(items)
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
	roots, intermediates := split(cas)
	for _, leaf := range leaves {
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

func stemOf(i *Item) string {
	base := filepath.Base(i.Where)
	base, _, _ = strings.Cut(base, "-")
	return base
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return "sha256 " + hex.EncodeToString(sum[:8]) + "..."
}
