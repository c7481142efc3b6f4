// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// Files names the files of one role. Empty means absent.
type Files struct {
	Cert, Key         string // pair for TLS; may itself be a bundle
	SignCert, SignKey string // pair for TLCP: all four or none
	EncCert, EncKey   string
	// GMKeyPassword names a file whose first line opens the keys of the TLCP pair, if they are encrypted.
	GMKeyPassword string
	ServerRootCAs []string
	ClientRootCAs []string
	// RevocationLists are of CAs among the roots or ListCAs, for SourceConfig.CheckRevocation.
	RevocationLists []string
	// ListCAs are CAs that lists may be of and that are not trusted for it: the roots of other roles that have the same lists.
	ListCAs []string
	// ConfigKeys are the configuration keys that give the files, by file, for messages to the operator.
	ConfigKeys map[string]string
}

// Material is what a role presents and trusts, read once: by Files.Load from files, by ParseMaterial from PEM.
type Material struct {
	Std *tls.Certificate   // for TLS; nil: none
	GM  *gmtls.Certificate // for TLCP, and for TLS 1.3 with GM suites; nil: none

	serverRoots, clientRoots rootSet       // verify servers and clients
	lists                    *organization // of Files.RevocationLists; nil: none
	certFile                 []byte        // content of the file of the TLS certificate, as other readers of the file have it
}

// Load reads each file once, checks it, and returns what it holds. It can be the Load of a SourceConfig.
func (f Files) Load() (Material, error) {
	if err := f.complete(); err != nil {
		return Material{}, err
	}
	m, err := f.loadPairs()
	if err != nil {
		return Material{}, err
	}
	if m.serverRoots, err = f.loadRoots(f.ServerRootCAs); err != nil {
		return Material{}, err
	}
	if m.clientRoots, err = f.loadRoots(f.ClientRootCAs); err != nil {
		return Material{}, err
	}
	var roots rootSet
	roots.add(m.serverRoots)
	roots.add(m.clientRoots)
	if m.lists, err = f.loadLists(roots); err != nil {
		return Material{}, err
	}
	return m, nil
}

// Pairs reads and checks the pair for TLS and the TLCP pair alone, as Load does.
func (f Files) Pairs() (*tls.Certificate, *gmtls.Certificate, error) {
	if err := f.complete(); err != nil {
		return nil, nil, err
	}
	m, err := f.loadPairs()
	return m.Std, m.GM, err
}

// ParseMaterial is Files.Load for PEM. The bundles hold the chain for TLS, the TLCP pair, or both, and the keys in any order.
// Each element of roots holds one or more certificates of either family.
func ParseMaterial(certificates, keys []byte, serverRoots, clientRoots [][]byte) (m Material, err error) {
	if len(certificates) != 0 || len(keys) != 0 {
		if m, err = splitBundle(certificates, keys); err != nil {
			return Material{}, err
		}
	}
	var bad []int
	if m.serverRoots, bad = parseRootBlobs(serverRoots); len(bad) != 0 {
		return Material{}, fmt.Errorf("comm: server root CAs: no certificate can be parsed in element %d", bad[0])
	}
	if m.clientRoots, bad = parseRootBlobs(clientRoots); len(bad) != 0 {
		return Material{}, fmt.Errorf("comm: client root CAs: no certificate can be parsed in element %d", bad[0])
	}
	return m, nil
}

// PEM returns the certificates: the chain for TLS, then the TLCP pair and its chain. Upstream passes certificates on in
// this form, and options that hold them find their source by these bytes.
func (m Material) PEM() []byte {
	var chain [][]byte
	if m.Std != nil {
		chain = append(chain, m.Std.Certificate...)
	}
	if m.GM != nil {
		chain = append(chain, m.GM.Certificate...)
	}
	var text []byte
	for _, der := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text
}

// Named adds the configuration keys that name files: key, file, key, file and so on. If several keys name one file, all are kept.
func (f Files) Named(keysAndFiles ...string) Files {
	named := maps.Clone(f.ConfigKeys)
	if named == nil {
		named = make(map[string]string)
	}
	for i := 0; i+1 < len(keysAndFiles); i += 2 {
		key, file := keysAndFiles[i], keysAndFiles[i+1]
		switch keys := strings.Split(named[file], ", "); {
		case file == "" || slices.Contains(keys, key):
		case named[file] == "":
			named[file] = key
		default:
			named[file] += ", " + key
		}
	}
	f.ConfigKeys = named
	return f
}

// RootsError says that a file of trusted roots cannot be read. It does not concern the role's own certificates.
type RootsError struct{ Err error }

// Error returns the reason.
func (e *RootsError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *RootsError) Unwrap() error { return e.Err }

// blame adds to an error of a file the configuration key that gives the file.
func (f Files) blame(path string, err error) error {
	if key := f.ConfigKeys[path]; key != "" {
		return fmt.Errorf("comm: %s: %w", key, err)
	}
	return fmt.Errorf("comm: %w", err)
}

func (f Files) complete() error {
	if (f.Cert == "") != (f.Key == "") {
		return fmt.Errorf("comm: certificate file %q and key file %q must both be given or both be absent", f.Cert, f.Key)
	}
	given := map[string]string{
		"signing certificate": f.SignCert, "signing key": f.SignKey,
		"encryption certificate": f.EncCert, "encryption key": f.EncKey,
	}
	var missing []string
	for _, name := range []string{"signing certificate", "signing key", "encryption certificate", "encryption key"} {
		if given[name] == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) != 0 && len(missing) != len(given) {
		return fmt.Errorf("comm: a TLCP pair needs all of its four files; no file is given for: %s", strings.Join(missing, ", "))
	}
	return nil
}

func (f Files) loadPairs() (m Material, err error) {
	if f.Cert != "" {
		if m, err = f.loadTLS(); err != nil {
			return Material{}, err
		}
	}
	if f.SignCert == "" {
		return m, nil
	}
	pair, err := f.loadTLCP()
	if err != nil {
		return Material{}, err
	}
	if m.GM != nil {
		return Material{}, f.blame(f.Cert, fmt.Errorf("%s holds a TLCP pair, and another pair is given in separate files: remove one of them", f.Cert))
	}
	m.GM = pair
	return m, nil
}

// loadTLS reads the pair for TLS, which may be a bundle of both families.
func (f Files) loadTLS() (Material, error) {
	certs, err := material.Read(f.Cert)
	if err != nil {
		return Material{}, f.blame(f.Cert, err)
	}
	file, err := material.Read(f.Key)
	if err != nil {
		return Material{}, f.blame(f.Key, err)
	}
	keys, err := file.PlainKeys()
	if err != nil {
		return Material{}, f.blame(f.Key, err)
	}
	if err := checkDevices(keys...); err != nil {
		return Material{}, f.blame(f.Key, fmt.Errorf("%s: %w", f.Key, err))
	}
	m, err := pairsOfFiles(certs, keys)
	if err != nil {
		return Material{}, f.blame(f.Cert, fmt.Errorf("%w (files %s and %s)", err, f.Cert, f.Key))
	}
	m.certFile = certs.Raw
	return m, nil
}

// loadTLCP reads the four files of a TLCP pair.
func (f Files) loadTLCP() (*gmtls.Certificate, error) {
	password, err := gmx509.ReadPasswordFile(f.GMKeyPassword)
	if err != nil {
		return nil, f.blame(f.GMKeyPassword, fmt.Errorf("password of the TLCP keys: %w", err))
	}
	var chain [2][]*material.Certificate
	var key [2]crypto.PrivateKey
	for i, half := range []struct{ cert, key string }{{f.SignCert, f.SignKey}, {f.EncCert, f.EncKey}} {
		if key[i], err = f.readKey(half.key, password); err != nil {
			return nil, err
		}
		file, err := material.Read(half.cert)
		if err != nil {
			return nil, f.blame(half.cert, err)
		}
		if chain[i], err = file.Chain(key[i]); err != nil {
			return nil, f.blame(half.cert, fmt.Errorf("%w (key file: %s)", err, half.key))
		}
	}
	pair, err := gmtls.NewCertificate(chain[0], key[0], chain[1], key[1])
	if err != nil {
		return nil, f.blame(f.SignCert, err)
	}
	return &pair, nil
}

// readKey reads a key of the TLCP pair.
func (f Files) readKey(path string, password []byte) (crypto.PrivateKey, error) {
	file, err := material.Read(path)
	if err != nil {
		return nil, f.blame(path, err)
	}
	stored, err := file.Key()
	if err != nil {
		return nil, f.blame(path, err)
	}
	key, err := stored.Open(password)
	if errors.Is(err, gmx509.ErrNoPassword) {
		err = fmt.Errorf("%w: name the file that holds it in peer.tls.gm.keyPassword.file or GMKeyPasswordFile "+
			"(of osnadmin: --client-key-password-file, of discover: --tlsKeyPassword; docs/deployment.md), or decrypt the key", err)
	}
	if err == nil && material.FamilyOf(key) != material.SM2 {
		err = fmt.Errorf("%s: the key is not an SM2 key, which TLCP needs", path)
	}
	if err != nil {
		return nil, f.blame(path, err)
	}
	if err := checkDevices(key); err != nil {
		return nil, f.blame(path, fmt.Errorf("%s: %w", path, err))
	}
	return key, nil
}

func (f Files) loadRoots(paths []string) (all rootSet, err error) {
	for _, path := range paths {
		certs, err := material.ReadCertificates(path)
		if err != nil {
			return rootSet{}, &RootsError{f.blame(path, err)}
		}
		roots, err := rootsOf(certs)
		if err != nil {
			return rootSet{}, &RootsError{f.blame(path, err)}
		}
		all.add(roots)
	}
	return all, nil
}

// splitBundle parses a bundle of certificates and one of keys, in PEM. SM2 certificates and keys make the TLCP pair,
// everything else the pair for TLS. A bundle without SM2 goes to crypto/tls as it stands, as in stock Fabric.
func splitBundle(certPEM, keyPEM []byte) (Material, error) {
	if !holdsSM2(certPEM) {
		pair, err := stdPair(certPEM, keyPEM)
		if err != nil {
			return Material{}, err
		}
		return Material{Std: &pair}, nil
	}
	certs, err := material.Parse("certificate bundle", certPEM)
	if err != nil {
		return Material{}, fmt.Errorf("comm: %w", err)
	}
	file, err := material.Parse("key bundle", keyPEM)
	if err != nil {
		return Material{}, fmt.Errorf("comm: %w", err)
	}
	keys, err := file.PlainKeys()
	if err != nil {
		return Material{}, fmt.Errorf("comm: %w", err)
	}
	return pairsOfFiles(certs, keys)
}

// holdsSM2 reports whether a PEM block names a GM algorithm, well-formed or not.
func holdsSM2(text []byte) bool {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if gmx509.NamesGM(block.Bytes) {
			return true
		}
	}
	return false
}

// pairsOfFiles tells the pairs in certificates and keys apart by their families. A revocation list among certificates for
// TLS alone is passed over, as in stock Fabric.
func pairsOfFiles(certs *material.File, keys []crypto.PrivateKey) (m Material, err error) {
	var sm, std []*material.Certificate
	for _, cert := range certs.Certificates {
		if cert.Family() == material.SM2 {
			sm = append(sm, cert)
		} else {
			std = append(std, cert)
		}
	}
	var smKeys, stdKeys []crypto.PrivateKey
	for _, key := range keys {
		if material.FamilyOf(key) == material.SM2 {
			smKeys = append(smKeys, key)
		} else {
			stdKeys = append(stdKeys, key)
		}
	}
	if len(sm) != 0 {
		if err = certs.NoLists(); err != nil {
			return Material{}, fmt.Errorf("comm: %w", err)
		}
		if m.GM, err = gmPair(sm, smKeys); err != nil {
			return Material{}, err
		}
	}
	if len(std) != 0 || len(sm) == 0 {
		if m.Std, err = tlsPair(std, stdKeys); err != nil {
			return Material{}, err
		}
	}
	return m, nil
}

// tlsPair makes the pair for TLS of certificates and the first key.
func tlsPair(certs []*material.Certificate, keys []crypto.PrivateKey) (*tls.Certificate, error) {
	if len(certs) == 0 {
		return nil, errors.New("comm: the certificate bundle holds no certificate")
	}
	if len(keys) == 0 {
		return nil, errors.New("comm: TLS part of the certificate bundle: there is no private key for it")
	}
	pair, err := material.TLSPair(certs, keys[0])
	if err != nil {
		return nil, fmt.Errorf("comm: TLS part of the certificate bundle: %w", err)
	}
	return &pair, nil
}

// gmPair orders the SM2 certificates of a bundle into a TLCP pair by their key usage and finds the key of each.
func gmPair(certs []*material.Certificate, keys []crypto.PrivateKey) (*gmtls.Certificate, error) {
	var sign, enc *material.Certificate
	var chain []*material.Certificate
	for _, cert := range certs {
		switch {
		case cert.IsCA:
			chain = append(chain, cert)
		case sign == nil && gmx509.IsPairSigning(cert.Certificate):
			sign = cert
		case enc == nil && gmx509.IsPairEncryption(cert.Certificate):
			enc = cert
		default:
			return nil, fmt.Errorf("comm: SM2 certificate %q of the bundle is neither the signing certificate (key usage digitalSignature) nor the encryption certificate (keyEncipherment) of one pair, nor a CA", cert.Subject)
		}
	}
	if sign == nil {
		return nil, errors.New("comm: the certificate bundle has SM2 certificates but no signing one (key usage digitalSignature)")
	}
	if enc == nil {
		return nil, errors.New("comm: the certificate bundle has an SM2 signing certificate but no encryption one (key usage keyEncipherment, dataEncipherment or keyAgreement)")
	}
	signKey, encKey := keyOf(sign, keys), keyOf(enc, keys)
	if signKey == nil {
		return nil, fmt.Errorf("comm: the key bundle has no key for the SM2 signing certificate %q", sign.Subject)
	}
	if encKey == nil {
		return nil, fmt.Errorf("comm: the key bundle has no key for the SM2 encryption certificate %q", enc.Subject)
	}
	pair, err := gmtls.NewCertificate(append([]*material.Certificate{sign}, chain...), signKey, []*material.Certificate{enc}, encKey)
	if err != nil {
		return nil, fmt.Errorf("comm: TLCP part of the certificate bundle: %w", err)
	}
	return &pair, nil
}

func keyOf(cert *material.Certificate, keys []crypto.PrivateKey) crypto.PrivateKey {
	for _, key := range keys {
		if gmx509.CheckKeyPair(cert.Certificate, key) == nil {
			return key
		}
	}
	return nil
}

// leafHash returns the SHA-256 of the first certificate of a chain in DER,
// which is what Fabric binds messages to, or nil for an empty chain.
func leafHash(chain [][]byte) []byte {
	if len(chain) == 0 {
		return nil
	}
	sum := sha256.Sum256(chain[0])
	return sum[:]
}

func (m Material) hash(proto protocol) []byte {
	if proto != protocolTLS {
		if m.GM == nil {
			return nil
		}
		return leafHash(m.GM.Certificate)
	}
	if m.Std == nil {
		return nil
	}
	return leafHash(m.Std.Certificate)
}

// certificates returns the certificates that the pairs present, without chains.
func (m Material) certificates() []*x509.Certificate {
	var certs []*x509.Certificate
	if m.Std != nil {
		leaf := m.Std.Leaf
		if leaf == nil {
			leaf, _ = x509.ParseCertificate(m.Std.Certificate[0])
		}
		if leaf != nil {
			certs = append(certs, leaf)
		}
	}
	if m.GM != nil {
		for _, leaf := range []*x509.Certificate{m.GM.Leaf, m.GM.EncLeaf} {
			if leaf != nil {
				certs = append(certs, leaf)
			}
		}
	}
	return certs
}
