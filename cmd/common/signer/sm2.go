// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"slices"

	"github.com/emmansun/gmsm/sm2"
	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp/utils"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/common/crypto/material"
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
// names, SM2 or ECDSA. An SM2 identity, and one whose key is in a device, may be
// in any form that package material reads; of others PEM with PKCS#8 or SEC 1.
//
//fork:wrap gm: SM2 identities; certificate and key must belong together
func NewSigner(conf Config) (*Signer, error) {
	certs, certErr := material.Read(conf.IdentityPath)
	keys, keyErr := material.Read(conf.KeyPath)
	if !isOurs(certs, keys) {
		return upstreamNewSigner(conf)
	}
	for _, err := range []error{certErr, keyErr} {
		if err != nil {
			return nil, err
		}
	}
	key, err := keys.PrivateKey(nil)
	if err != nil {
		return nil, err
	}
	sm2Cert := slices.ContainsFunc(certs.Certificates, isSM2)
	switch sm2Key := material.FamilyOf(key) == material.SM2; {
	case sm2Cert && !sm2Key:
		return nil, errors.Errorf("%s is an SM2 certificate, but %s holds no SM2 private key", conf.IdentityPath, conf.KeyPath)
	case sm2Key && !sm2Cert:
		return nil, errors.Errorf("%s is an SM2 private key, but %s holds no SM2 certificate", conf.KeyPath, conf.IdentityPath)
	}
	chain, err := certs.Chain(key)
	if err != nil {
		return nil, errors.Wrapf(err, "certificate %s and private key %s", conf.IdentityPath, conf.KeyPath)
	}
	creator, err := proto.Marshal(&msp.SerializedIdentity{Mspid: conf.MSPID, IdBytes: chain[0].PEM()})
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if device, ok := key.(*keyd.Key); ok && !sm2Cert {
		return &Signer{ecdsaInDevice: device, Creator: creator}, nil
	}
	return &Signer{sm2Key: key.(crypto.Signer), Creator: creator}, nil
}

func isSM2(c *material.Certificate) bool { return c.Family() == material.SM2 }

// isOurs reports whether SM2 or a device has a part in the identity. Files that
// cannot be read are nil.
func isOurs(certs, keys *material.File) bool {
	if certs != nil && slices.ContainsFunc(certs.Certificates, isSM2) {
		return true
	}
	return keys != nil && slices.ContainsFunc(keys.Keys, func(k *material.Key) bool { return k.NamesSM2() || k.InDevice() })
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
