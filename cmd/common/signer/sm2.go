// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"crypto/rand"
	"encoding/pem"
	"os"

	"github.com/emmansun/gmsm/sm2"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/pkg/errors"
)

// Signer gains an SM2 key.
//
//fork:fields gm: users of the command line with SM2 identities
type Signer struct {
	// sm2Key signs if the identity is SM2; nil otherwise, and then key is set.
	sm2Key *sm2.PrivateKey
}

// NewSigner makes a signer for the certificate and the private key that conf
// names, SM2 or ECDSA. Both are PEM; the key is PKCS#8 or SEC 1.
//
//fork:wrap gm: SM2 identities; certificate and key must belong together
func NewSigner(conf Config) (*Signer, error) {
	key, cert := readSM2(conf)
	if key == nil && cert == nil {
		return upstreamNewSigner(conf)
	}
	switch {
	case key == nil:
		return nil, errors.Errorf("%s is an SM2 certificate, but %s holds no SM2 private key", conf.IdentityPath, conf.KeyPath)
	case cert == nil:
		return nil, errors.Errorf("%s is an SM2 private key, but %s holds no SM2 certificate", conf.KeyPath, conf.IdentityPath)
	}
	if err := x509.CheckKeyPair(cert, key); err != nil {
		return nil, errors.Wrapf(err, "certificate %s and private key %s", conf.IdentityPath, conf.KeyPath)
	}
	creator, err := serializeIdentity(conf.IdentityPath, conf.MSPID)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	return &Signer{sm2Key: key, Creator: creator}, nil
}

// readSM2 returns what is SM2 among the two files of conf. Everything else,
// unreadable files included, is nil and left to the errors of upstream's path.
func readSM2(conf Config) (key *sm2.PrivateKey, cert *x509.Certificate) {
	if der := firstBlock(conf.KeyPath); der != nil {
		if parsed, err := x509.ParsePrivateKey(der); err == nil {
			key, _ = parsed.(*sm2.PrivateKey)
		}
	}
	if der := firstBlock(conf.IdentityPath); der != nil {
		if parsed, err := x509.ParseCertificate(der); err == nil && x509.IsSM2(parsed.PublicKey) {
			cert = parsed
		}
	}
	return key, cert
}

func firstBlock(file string) []byte {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil
	}
	return block.Bytes
}

// Sign returns the ASN.1 DER signature over msg: SM2 over SM3(Z || msg) with the
// default id (GB/T 32918.2), or ECDSA over SHA-256 in low-S form.
//
//fork:wrap gm: the algorithm follows the key
func (si *Signer) Sign(msg []byte) ([]byte, error) {
	if si.sm2Key == nil {
		return si.upstreamSign(msg)
	}
	return si.sm2Key.Sign(rand.Reader, msg, sm2.DefaultSM2SignerOpts)
}
