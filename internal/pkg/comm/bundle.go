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
	"io"
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

// Material is what a role presents and trusts. PEM in it is what upstream's signatures carry.
type Material struct {
	// Certificate and Key are bundles: the chain for TLS, then the SM2 signing
	// certificate, the SM2 encryption certificate and their chain; keys in any
	// order. Either family may be absent.
	Certificate, Key []byte
	// ServerRootCAs verify servers, ClientRootCAs verify clients. Each element
	// holds one or more certificates of either family.
	ServerRootCAs, ClientRootCAs [][]byte

	read *readMaterial // the same as Files.Load has read it; nil: not from files
}

// readMaterial is material as it was read from files: what was checked is what is used.
type readMaterial struct {
	pairs                    keyPairs
	serverRoots, clientRoots rootSet
	lists                    *organization // of Files.RevocationLists; nil: none
	certFile                 []byte        // content of the file of the TLS certificate, as other readers of the file have it
}

// Load reads each file once, checks it, and returns what it holds. It is fit to be the Load of a SourceConfig.
func (f Files) Load() (Material, error) {
	if err := f.complete(); err != nil {
		return Material{}, err
	}
	var m Material
	read := &readMaterial{}
	if err := f.loadPairs(&m, read); err != nil {
		return Material{}, err
	}
	var err error
	if m.ServerRootCAs, err = f.loadRoots(f.ServerRootCAs, &read.serverRoots); err != nil {
		return Material{}, err
	}
	if m.ClientRootCAs, err = f.loadRoots(f.ClientRootCAs, &read.clientRoots); err != nil {
		return Material{}, err
	}
	var roots rootSet
	roots.add(read.serverRoots)
	roots.add(read.clientRoots)
	if read.lists, err = f.loadLists(roots); err != nil {
		return Material{}, err
	}
	m.read = read
	return m, nil
}

// Named adds configuration keys that give files: key, file, key, file and so on. A file that several keys give is known by all of them.
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

// RootsError says that a file of trusted roots cannot be read, and is no matter of the role's own certificates.
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

func (f Files) loadPairs(m *Material, read *readMaterial) error {
	if f.Cert != "" {
		if err := f.loadTLS(m, read); err != nil {
			return err
		}
	}
	if f.SignCert == "" {
		return nil
	}
	gm, certs, keys, err := f.loadTLCP()
	if err != nil {
		return err
	}
	if read.pairs.gm != nil {
		return f.blame(f.Cert, fmt.Errorf("%s holds a TLCP pair, and another is given in files of its own: remove one of them", f.Cert))
	}
	read.pairs.gm = gm
	m.Certificate, m.Key = append(m.Certificate, certs...), append(m.Key, keys...)
	return nil
}

// loadTLS reads the pair for TLS, which may be a bundle of both families.
func (f Files) loadTLS(m *Material, read *readMaterial) error {
	certs, err := material.Read(f.Cert)
	if err != nil {
		return f.blame(f.Cert, err)
	}
	file, err := material.Read(f.Key)
	if err != nil {
		return f.blame(f.Key, err)
	}
	keys, err := openKeys(file)
	if err == nil {
		err = checkDevices(keys)
	}
	if err != nil {
		return f.blame(f.Key, err)
	}
	if read.pairs, err = pairsOfFiles(certs, keys); err != nil {
		return f.blame(f.Cert, fmt.Errorf("%w (files %s and %s)", err, f.Cert, f.Key))
	}
	read.certFile = certs.Raw
	m.Certificate = material.EncodeCertificates(certs.Certificates)
	for _, key := range keys {
		m.Key = append(m.Key, key.text...)
	}
	return nil
}

// loadTLCP reads the four files of a TLCP pair, and returns it also as PEM.
func (f Files) loadTLCP() (gm *gmtls.Certificate, certs, keys []byte, err error) {
	password, err := gmx509.ReadPasswordFile(f.GMKeyPassword)
	if err != nil {
		return nil, nil, nil, f.blame(f.GMKeyPassword, fmt.Errorf("password of the TLCP keys: %w", err))
	}
	var chain [2][]*material.Certificate
	var key [2]ownKey
	for i, half := range []struct{ cert, key string }{{f.SignCert, f.SignKey}, {f.EncCert, f.EncKey}} {
		if key[i], err = f.readKey(half.key, password); err != nil {
			return nil, nil, nil, err
		}
		file, err := material.Read(half.cert)
		if err != nil {
			return nil, nil, nil, f.blame(half.cert, err)
		}
		if chain[i], err = file.Chain(key[i].key); err != nil {
			return nil, nil, nil, f.blame(half.cert, fmt.Errorf("%w (key file: %s)", err, half.key))
		}
		certs, keys = append(certs, material.EncodeCertificates(chain[i])...), append(keys, key[i].text...)
	}
	pair, err := gmtls.NewCertificate(chain[0], key[0].key, chain[1], key[1].key)
	if err != nil {
		return nil, nil, nil, f.blame(f.SignCert, err)
	}
	return &pair, certs, keys, nil
}

// readKey reads a key of the TLCP pair.
func (f Files) readKey(path string, password []byte) (ownKey, error) {
	file, err := material.Read(path)
	if err != nil {
		return ownKey{}, f.blame(path, err)
	}
	stored, err := file.Key()
	if err != nil {
		return ownKey{}, f.blame(path, err)
	}
	var key ownKey
	if key.key, key.text, err = stored.OpenPEM(password); errors.Is(err, gmx509.ErrNoPassword) {
		err = fmt.Errorf("%w: name the file that holds it in peer.tls.gm.keyPassword.file or GMKeyPasswordFile "+
			"(of osnadmin: --client-key-password-file, of discover: --tlsKeyPassword; docs/deployment.md), or decrypt the key", err)
	}
	if err == nil && key.family() != material.SM2 {
		err = fmt.Errorf("%s: the key is no SM2 key, which TLCP needs", path)
	}
	if err != nil {
		return ownKey{}, f.blame(path, err)
	}
	if err := checkDevices([]ownKey{key}); err != nil {
		return ownKey{}, f.blame(path, fmt.Errorf("%s: %w", path, err))
	}
	return key, nil
}

func (f Files) loadRoots(paths []string, into *rootSet) ([][]byte, error) {
	var all [][]byte
	for _, path := range paths {
		certs, err := material.ReadCertificates(path)
		if err != nil {
			return nil, &RootsError{f.blame(path, err)}
		}
		roots, err := rootsOf(certs)
		if err != nil {
			return nil, &RootsError{f.blame(path, err)}
		}
		into.add(roots)
		all = append(all, material.EncodeCertificates(certs))
	}
	return all, nil
}

// ownKey is a private key of the process, or the reference to one in a device, and the same in PEM.
type ownKey struct {
	key  crypto.PrivateKey
	text []byte
}

func (k ownKey) family() material.Family { return material.FamilyOf(k.key) }

// openKeys decodes the keys of a file.
func openKeys(file *material.File) ([]ownKey, error) {
	var all []ownKey
	for _, k := range file.Keys {
		key, text, err := k.OpenPEM(nil)
		if err != nil {
			return nil, err
		}
		all = append(all, ownKey{key, text})
	}
	return all, nil
}

// keyPairs is a parsed bundle. Either may be nil.
type keyPairs struct {
	std *tls.Certificate
	gm  *gmtls.Certificate
}

// splitBundle parses a bundle of certificates and one of keys, in PEM. SM2 certificates and keys make the TLCP pair,
// everything else the pair for TLS. A bundle without SM2 goes to crypto/tls as it stands, as in stock Fabric.
func splitBundle(certPEM, keyPEM []byte) (keyPairs, error) {
	if !holdsSM2(certPEM) {
		pair, err := stdPair(certPEM, keyPEM)
		if err != nil {
			return keyPairs{}, err
		}
		return keyPairs{std: &pair}, nil
	}
	certs, err := material.Parse("certificate bundle", certPEM)
	if err != nil {
		return keyPairs{}, fmt.Errorf("comm: %w", err)
	}
	file, err := material.Parse("key bundle", keyPEM)
	if err != nil {
		return keyPairs{}, fmt.Errorf("comm: %w", err)
	}
	keys, err := openKeys(file)
	if err != nil {
		return keyPairs{}, fmt.Errorf("comm: %w", err)
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

// pairsOfFiles tells the pairs in certificates and keys apart by their families.
func pairsOfFiles(certs *material.File, keys []ownKey) (pairs keyPairs, err error) {
	var sm, std []*material.Certificate
	for _, cert := range certs.Certificates {
		if cert.Family() == material.SM2 {
			sm = append(sm, cert)
		} else {
			std = append(std, cert)
		}
	}
	var smKeys, stdKeys []ownKey
	for _, key := range keys {
		if key.family() == material.SM2 {
			smKeys = append(smKeys, key)
		} else {
			stdKeys = append(stdKeys, key)
		}
	}
	if len(sm) != 0 {
		if pairs.gm, err = gmPair(sm, smKeys); err != nil {
			return keyPairs{}, err
		}
	}
	if len(std) != 0 || len(sm) == 0 {
		if pairs.std, err = tlsPair(std, stdKeys); err != nil {
			return keyPairs{}, err
		}
	}
	return pairs, nil
}

// tlsPair makes the pair for TLS of certificates and the first key.
func tlsPair(certs []*material.Certificate, keys []ownKey) (*tls.Certificate, error) {
	if len(certs) == 0 {
		return nil, errors.New("comm: the certificate bundle holds no certificate")
	}
	if len(keys) == 0 {
		return nil, errors.New("comm: TLS part of the certificate bundle: there is no private key for it")
	}
	chain, err := material.Chain(certs, keys[0].key)
	if err != nil {
		return nil, fmt.Errorf("comm: TLS part of the certificate bundle: %w", err)
	}
	pair, err := stdPair(material.EncodeCertificates(chain), keys[0].text)
	if err != nil {
		return nil, fmt.Errorf("comm: TLS part of the certificate bundle: %w", err)
	}
	return &pair, nil
}

// gmPair orders the SM2 certificates of a bundle into a TLCP pair by their key usage and finds the key of each.
func gmPair(certs []*material.Certificate, keys []ownKey) (*gmtls.Certificate, error) {
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

func keyOf(cert *material.Certificate, keys []ownKey) crypto.PrivateKey {
	for _, key := range keys {
		if gmx509.CheckKeyPair(cert.Certificate, key.key) == nil {
			return key.key
		}
	}
	return nil
}

// gmKey is the PrivateKey of a tls.Certificate that carries a TLCP pair.
type gmKey struct {
	crypto.Signer
	pair gmtls.Certificate
}

// Sign signs with the signing key of the pair.
func (k gmKey) Sign(rand io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.Signer.Sign(rand, message, opts)
}

// carryGM puts a TLCP pair into the type that upstream's signatures use:
// Certificate is signing, encryption, chain. Code that hashes Certificate[0]
// gets what the peer sees. It is no certificate for crypto/tls.
func carryGM(pair *gmtls.Certificate) tls.Certificate {
	signer, _ := pair.PrivateKey.(crypto.Signer)
	return tls.Certificate{
		Certificate: pair.Certificate,
		PrivateKey:  gmKey{Signer: signer, pair: *pair},
		Leaf:        pair.Leaf,
	}
}

// pairsOf is the reverse of carryGM; a certificate for TLS comes out as such.
func pairsOf(cert tls.Certificate) keyPairs {
	if len(cert.Certificate) == 0 {
		return keyPairs{}
	}
	if key, ok := cert.PrivateKey.(gmKey); ok {
		return keyPairs{gm: &key.pair}
	}
	return keyPairs{std: &cert}
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

func (p keyPairs) hash(proto protocol) []byte {
	if proto != protocolTLS {
		if p.gm == nil {
			return nil
		}
		return leafHash(p.gm.Certificate)
	}
	if p.std == nil {
		return nil
	}
	return leafHash(p.std.Certificate)
}

// certificates returns the certificates that the pairs present, without chains.
func (p keyPairs) certificates() []*x509.Certificate {
	var certs []*x509.Certificate
	if p.std != nil {
		leaf := p.std.Leaf
		if leaf == nil {
			leaf, _ = x509.ParseCertificate(p.std.Certificate[0])
		}
		if leaf != nil {
			certs = append(certs, leaf)
		}
	}
	if p.gm != nil {
		for _, leaf := range []*x509.Certificate{p.gm.Leaf, p.gm.EncLeaf} {
			if leaf != nil {
				certs = append(certs, leaf)
			}
		}
	}
	return certs
}
