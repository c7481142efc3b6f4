// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// LoadX509KeyPair reads a certificate pair from four PEM files. See X509KeyPair.
func LoadX509KeyPair(signCertFile, signKeyFile, encCertFile, encKeyFile string) (Certificate, error) {
	var data [4][]byte
	for i, name := range []string{signCertFile, signKeyFile, encCertFile, encKeyFile} {
		var err error
		if data[i], err = os.ReadFile(name); err != nil {
			return Certificate{}, fmt.Errorf("gmtls: reading the certificate pair: %w", err)
		}
	}
	cert, err := X509KeyPair(data[0], data[1], data[2], data[3])
	if err != nil {
		return Certificate{}, fmt.Errorf("%w (signing pair %s and %s, encryption pair %s and %s)",
			err, signCertFile, signKeyFile, encCertFile, encKeyFile)
	}
	return cert, nil
}

// X509KeyPair parses a certificate pair from PEM. signCert and encCert each
// start with their leaf, which further certificates of the chain may follow;
// those of signCert come before those of encCert in the result and duplicates
// are dropped. Keys are unencrypted SM2 keys in PKCS#8, SEC 1 or the "SM2
// PRIVATE KEY" form, and must belong to their certificates. The certificates'
// KeyUsage must allow what their slot is for.
func X509KeyPair(signCert, signKey, encCert, encKey []byte) (Certificate, error) {
	signChain, err := decodeChain("signing", signCert)
	if err != nil {
		return Certificate{}, err
	}
	encChain, err := decodeChain("encryption", encCert)
	if err != nil {
		return Certificate{}, err
	}
	signPriv, signLeaf, err := matchKey("signing", signChain[0], signKey)
	if err != nil {
		return Certificate{}, err
	}
	encPriv, encLeaf, err := matchKey("encryption", encChain[0], encKey)
	if err != nil {
		return Certificate{}, err
	}
	if err := checkPairUsage(signLeaf, encLeaf); err != nil {
		return Certificate{}, fmt.Errorf("gmtls: %w", err)
	}
	cert := Certificate{
		Certificate:   [][]byte{signChain[0], encChain[0]},
		PrivateKey:    signPriv,
		EncPrivateKey: encPriv,
		Leaf:          stdCertificate(signLeaf),
		EncLeaf:       stdCertificate(encLeaf),
	}
	seen := map[string]bool{string(signChain[0]): true, string(encChain[0]): true}
	for _, der := range append(signChain[1:], encChain[1:]...) {
		if !seen[string(der)] {
			seen[string(der)] = true
			cert.Certificate = append(cert.Certificate, der)
		}
	}
	return cert, nil
}

func decodeChain(role string, data []byte) ([][]byte, error) {
	var chain [][]byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			chain = append(chain, block.Bytes)
		}
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("gmtls: no CERTIFICATE block in the PEM of the %s certificate", role)
	}
	return chain, nil
}

func matchKey(role string, der, keyPEM []byte) (crypto.PrivateKey, *smx509.Certificate, error) {
	leaf, err := gmx509.ParseCertificateSM(der)
	if err != nil {
		return nil, nil, fmt.Errorf("gmtls: parsing the %s certificate: %w", role, err)
	}
	pub, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != sm2.P256() {
		return nil, nil, fmt.Errorf("gmtls: the key of the %s certificate is not on the SM2 curve", role)
	}
	priv, err := decodeKey(role, keyPEM)
	if err != nil {
		return nil, nil, err
	}
	if !priv.PublicKey.Equal(pub) {
		return nil, nil, fmt.Errorf("gmtls: the %s private key does not belong to the %s certificate", role, role)
	}
	return priv, leaf, nil
}

func decodeKey(role string, keyPEM []byte) (*sm2.PrivateKey, error) {
	for block, rest := pem.Decode(keyPEM); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "PRIVATE KEY" && !strings.HasSuffix(block.Type, " PRIVATE KEY") {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || smx509.IsEncryptedPEMBlock(block) {
			return nil, fmt.Errorf("gmtls: the %s private key is encrypted; decrypt it first", role)
		}
		key, err := parseKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("gmtls: parsing the %s private key: %w", role, err)
		}
		return key, nil
	}
	return nil, fmt.Errorf("gmtls: no PRIVATE KEY block in the PEM of the %s key", role)
}

// parseKey parses a PKCS#8 or SEC 1 SM2 key. Its errors hold nothing of the key.
func parseKey(der []byte) (*sm2.PrivateKey, error) {
	if key, err := smx509.ParsePKCS8PrivateKey(der); err == nil {
		if priv, ok := key.(*sm2.PrivateKey); ok {
			return priv, nil
		}
		return nil, fmt.Errorf("it is a %T, not an SM2 key", key)
	}
	if priv, err := smx509.ParseSM2PrivateKey(der); err == nil {
		return priv, nil
	}
	return nil, errors.New("it is neither PKCS#8 nor SEC 1 with the SM2 curve")
}
