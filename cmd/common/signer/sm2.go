// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/pem"
	"os"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/bccsp/utils"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/pkg/errors"
)

// Signer gains an SM2 key.
//
//fork:fields gm: users of the command line with SM2 identities
type Signer struct {
	// sm2Key signs if the identity is SM2, ecdsaInDevice if its key is an ECDSA
	// key in a device. Otherwise both are nil, and upstream's key is set.
	sm2Key        crypto.Signer
	ecdsaInDevice *keyd.Key
}

// NewSigner makes a signer for the certificate and the private key that conf
// names, SM2 or ECDSA. Both are PEM; the key is PKCS#8, SEC 1 or the reference to
// a key in a device.
//
//fork:wrap gm: SM2 identities; certificate and key must belong together
func NewSigner(conf Config) (*Signer, error) {
	device, err := readReference(conf.KeyPath)
	if err != nil {
		return nil, err
	}
	if device != nil && !x509.IsSM2(device.Public()) {
		return newDeviceSigner(conf, device)
	}
	key, cert := readSM2(conf)
	if device != nil {
		key = device
	}
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
func readSM2(conf Config) (key crypto.Signer, cert *x509.Certificate) {
	if der := firstBlock(conf.KeyPath); der != nil {
		if parsed, err := x509.ParsePrivateKey(der); err == nil {
			if priv, ok := parsed.(*sm2.PrivateKey); ok {
				key = priv
			}
		}
	}
	if der := firstBlock(conf.IdentityPath); der != nil {
		if parsed, err := x509.ParseCertificate(der); err == nil && x509.IsSM2(parsed.PublicKey) {
			cert = parsed
		}
	}
	return key, cert
}

// readReference makes a key of a file that refers to one in a device; nil if the
// file is another.
func readReference(file string) (*keyd.Key, error) {
	raw, err := os.ReadFile(file)
	if err != nil || !keyd.IsReference(raw) {
		return nil, nil
	}
	key, err := keyd.ParseReference(raw)
	return key, errors.Wrapf(err, "private key %s", file)
}

func newDeviceSigner(conf Config, key *keyd.Key) (*Signer, error) {
	raw, err := os.ReadFile(conf.IdentityPath)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	cert, err := x509.ParseCertificatePEM(raw)
	if err != nil {
		return nil, errors.Wrapf(err, "certificate %s", conf.IdentityPath)
	}
	if err := x509.CheckKeyPair(cert, key); err != nil {
		return nil, errors.Wrapf(err, "certificate %s and private key %s", conf.IdentityPath, conf.KeyPath)
	}
	creator, err := serializeIdentity(conf.IdentityPath, conf.MSPID)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	return &Signer{ecdsaInDevice: key, Creator: creator}, nil
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
	if si.ecdsaInDevice != nil {
		digest := sha256.Sum256(msg)
		signature, err := si.ecdsaInDevice.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			return nil, err
		}
		return utils.SignatureToLowS(si.ecdsaInDevice.Public().(*ecdsa.PublicKey), signature)
	}
	if si.sm2Key == nil {
		return si.upstreamSign(msg)
	}
	return si.sm2Key.Sign(rand.Reader, msg, sm2.DefaultSM2SignerOpts)
}
