// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
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
}

// Material is what a role presents and trusts, in PEM.
type Material struct {
	// Certificate and Key are bundles: the chain for TLS, then the SM2 signing
	// certificate, the SM2 encryption certificate and their chain; keys in any
	// order. Either family may be absent.
	Certificate, Key []byte
	// ServerRootCAs verify servers, ClientRootCAs verify clients. Each element
	// holds one or more certificates of either family.
	ServerRootCAs, ClientRootCAs [][]byte
}

// Load reads the files into bundles. It is fit to be the Load of a
// SourceConfig.
func (f Files) Load() (Material, error) {
	if err := f.complete(); err != nil {
		return Material{}, err
	}
	var m Material
	gmKeys, err := f.readGMKeys()
	if err != nil {
		return Material{}, err
	}
	if err := f.checkGM(gmKeys); err != nil {
		return Material{}, err
	}
	if m.Certificate, err = concatFiles(f.Cert, f.SignCert, f.EncCert); err != nil {
		return Material{}, err
	}
	if m.Key, err = concatFiles(f.Key); err != nil {
		return Material{}, err
	}
	m.Key = concat(append([][]byte{m.Key}, gmKeys...)...)
	if len(m.Certificate) != 0 || len(m.Key) != 0 {
		pairs, err := splitBundle(m.Certificate, m.Key)
		if err == nil {
			err = pairs.checkDevices()
		}
		if err != nil {
			return Material{}, fmt.Errorf("%w (files: %s)", err, f.names())
		}
	}
	if m.ServerRootCAs, err = readEach(f.ServerRootCAs); err != nil {
		return Material{}, err
	}
	if m.ClientRootCAs, err = readEach(f.ClientRootCAs); err != nil {
		return Material{}, err
	}
	return m, nil
}

// names lists the files of the pairs that are given.
func (f Files) names() string {
	var given []string
	for _, path := range []string{f.Cert, f.Key, f.SignCert, f.SignKey, f.EncCert, f.EncKey} {
		if path != "" {
			given = append(given, path)
		}
	}
	return strings.Join(given, ", ")
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

// readGMKeys reads the keys of the TLCP pair, signing key first, and opens those that are encrypted.
func (f Files) readGMKeys() ([][]byte, error) {
	if f.SignKey == "" {
		return nil, nil
	}
	password, err := gmx509.ReadPasswordFile(f.GMKeyPassword)
	if err != nil {
		return nil, fmt.Errorf("comm: password of the TLCP keys: %w", err)
	}
	var keys [][]byte
	for _, path := range []string{f.SignKey, f.EncKey} {
		key, err := gmx509.ReadKeyFile(path, password)
		if errors.Is(err, gmx509.ErrNoPassword) {
			return nil, fmt.Errorf("comm: %w: name the file that holds it in peer.tls.gm.keyPassword.file or GMKeyPasswordFile "+
				"(docs/deployment.md), or decrypt the key", err)
		}
		if err != nil {
			return nil, fmt.Errorf("comm: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// checkGM refuses, by its name, a file beside or of a TLCP pair that would leave
// no trace in the bundle. Without a pair crypto/tls reports such a file itself.
func (f Files) checkGM(gmKeys [][]byte) error {
	if f.SignCert == "" {
		return nil
	}
	for i, path := range []string{f.SignKey, f.EncKey, f.Cert, f.Key, f.SignCert, f.EncCert} {
		if path == "" {
			continue
		}
		var content []byte
		if i < len(gmKeys) {
			content = gmKeys[i]
		} else {
			var err error
			if content, err = os.ReadFile(path); err != nil {
				return fmt.Errorf("comm: %w", err)
			}
		}
		if path == f.Cert || path == f.Key {
			if block, _ := pem.Decode(content); block == nil {
				return fmt.Errorf("comm: %s holds no PEM data", path)
			}
			continue
		}
		certs, _ := takeSM2Certs(content)
		keys, _ := takeSM2Keys(content)
		if len(certs)+len(keys) == 0 {
			return fmt.Errorf("comm: %s holds no SM2 certificate and no SM2 private key in PEM", path)
		}
	}
	return nil
}

// concatFiles returns the contents of the named files with a line break after
// each, or nil if no file is named.
func concatFiles(paths ...string) ([]byte, error) {
	var all [][]byte
	for _, path := range paths {
		if path == "" {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("comm: %w", err)
		}
		all = append(all, content)
	}
	return concat(all...), nil
}

// concat joins PEM texts, with a line break after each that another follows.
func concat(texts ...[]byte) []byte {
	var all []byte
	for _, text := range texts {
		if len(all) != 0 && !bytes.HasSuffix(all, []byte("\n")) {
			all = append(all, '\n')
		}
		all = append(all, text...)
	}
	return all
}

func readEach(paths []string) ([][]byte, error) {
	var all [][]byte
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("comm: %w", err)
		}
		if !parseRoots(content).any() {
			return nil, fmt.Errorf("comm: root CA file %s holds no certificate that can be parsed", path)
		}
		all = append(all, content)
	}
	return all, nil
}

// keyPairs is a parsed bundle. Either may be nil.
type keyPairs struct {
	std *tls.Certificate
	gm  *gmtls.Certificate
}

// splitBundle parses a bundle of certificates and one of keys. SM2
// certificates and keys make the TLCP pair, everything else goes to
// tls.X509KeyPair as it stands.
func splitBundle(certPEM, keyPEM []byte) (keyPairs, error) {
	certs, stdCerts := takeSM2Certs(certPEM)
	if len(certs) == 0 {
		pair, err := stdPair(certPEM, keyPEM)
		if err != nil {
			return keyPairs{}, err
		}
		return keyPairs{std: &pair}, nil
	}
	keys, stdKeys := takeSM2Keys(keyPEM)
	gm, err := gmPair(certs, keys)
	if err != nil {
		return keyPairs{}, err
	}
	pairs := keyPairs{gm: gm}
	if len(stdCerts) != 0 {
		std, err := stdPair(stdCerts, stdKeys)
		if err != nil {
			return keyPairs{}, fmt.Errorf("comm: TLS part of the certificate bundle: %w", err)
		}
		pairs.std = &std
	}
	return pairs, nil
}

// takeSM2Certs separates the SM2 certificates of a bundle from its other
// certificates, which it returns as PEM.
func takeSM2Certs(bundle []byte) (certs []*smx509.Certificate, rest []byte) {
	for {
		var block *pem.Block
		if block, bundle = pem.Decode(bundle); block == nil {
			return certs, rest
		}
		if block.Type == "CERTIFICATE" {
			if cert := parseSM2Cert(block.Bytes); cert != nil {
				certs = append(certs, cert)
				continue
			}
		}
		rest = append(rest, pem.EncodeToMemory(block)...)
	}
}

// parseSM2Cert returns the certificate if its key is on the SM2 curve, else nil.
func parseSM2Cert(der []byte) *smx509.Certificate {
	cert, err := gmx509.ParseCertificateSM(der)
	if err != nil {
		return nil
	}
	if pub, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || !sm2.IsSM2PublicKey(pub) {
		return nil
	}
	return cert
}

// takeSM2Keys separates the SM2 private keys of a bundle from its other blocks.
func takeSM2Keys(bundle []byte) (keys []*pem.Block, rest []byte) {
	for {
		var block *pem.Block
		if block, bundle = pem.Decode(bundle); block == nil {
			return keys, rest
		}
		if sm2PublicOf(block) != nil {
			keys = append(keys, block)
			continue
		}
		rest = append(rest, pem.EncodeToMemory(block)...)
	}
}

// sm2PublicOf returns the public half of an SM2 key, or of the reference to one in a device, else nil.
func sm2PublicOf(block *pem.Block) *ecdsa.PublicKey {
	if block.Type == keyd.ReferenceType {
		if reference, err := keyd.Decode(block); err == nil && gmx509.IsSM2(reference.Public) {
			return reference.Public.(*ecdsa.PublicKey)
		}
		return nil
	}
	if key := parseSM2Key(block); key != nil {
		return &key.PublicKey
	}
	return nil
}

func parseSM2Key(block *pem.Block) *sm2.PrivateKey {
	if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil
	}
	if key, err := smx509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		priv, _ := key.(*sm2.PrivateKey)
		return priv
	}
	key, _ := smx509.ParseTypedECPrivateKey(block.Bytes)
	priv, _ := key.(*sm2.PrivateKey)
	return priv
}

const (
	usageSign = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment
	usageEnc  = smx509.KeyUsageKeyEncipherment | smx509.KeyUsageDataEncipherment | smx509.KeyUsageKeyAgreement
)

// gmPair orders the SM2 certificates of a bundle into a TLCP pair by their key
// usage and finds the key of each.
func gmPair(certs []*smx509.Certificate, keys []*pem.Block) (*gmtls.Certificate, error) {
	var sign, enc *smx509.Certificate
	var chain [][]byte
	for _, cert := range certs {
		switch {
		case cert.IsCA:
			chain = append(chain, cert.Raw)
		case sign == nil && cert.KeyUsage&usageSign != 0:
			sign = cert
		case enc == nil && cert.KeyUsage&usageEnc != 0:
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
	pair, err := gmtls.X509KeyPair(certPEM(sign.Raw), pem.EncodeToMemory(signKey), certPEM(enc.Raw), pem.EncodeToMemory(encKey))
	if err != nil {
		return nil, fmt.Errorf("comm: TLCP part of the certificate bundle: %w", err)
	}
	pair.Certificate = append(pair.Certificate, chain...)
	return &pair, nil
}

func keyOf(cert *smx509.Certificate, keys []*pem.Block) *pem.Block {
	pub, _ := cert.PublicKey.(*ecdsa.PublicKey)
	for _, block := range keys {
		if key := sm2PublicOf(block); key != nil && key.Equal(pub) {
			return block
		}
	}
	return nil
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
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
	if proto == protocolTLCP {
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
