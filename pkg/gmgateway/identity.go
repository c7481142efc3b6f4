// SPDX-License-Identifier: Apache-2.0

package gmgateway

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// Signer signs for one identity. Hash and Sign are what client.WithHash and client.WithSign take, and belong together:
// with an SM2 key Hash returns the message as it is and Sign hashes it, since SM3(Z || message) needs the public key;
// with an ECDSA key they are SHA-256 and the low-S signature that stock Fabric expects.
//
// Therefore, with an SM2 key the Digest methods of the client API (for signing elsewhere) return whole messages, and an
// offline signer computes SM3 with Z itself.
type Signer struct {
	Hash hash.Hash
	Sign identity.Sign
}

// NewIdentity makes the client identity of an X.509 certificate, in the forms that package material reads. Its key is SM2 or of any
// kind that Fabric knows.
func NewIdentity(mspID string, certificate []byte) (*identity.X509Identity, error) {
	if mspID == "" {
		return nil, errors.New("gmgateway: the MSP id is empty")
	}
	file, err := material.Parse("certificate", certificate)
	if err != nil {
		return nil, fmt.Errorf("gmgateway: %w", err)
	}
	chain, err := file.Chain(nil)
	if err != nil {
		return nil, fmt.Errorf("gmgateway: %w", err)
	}
	return identity.NewX509Identity(mspID, chain[0].Certificate)
}

// NewSigner makes the signer of a private key, in the forms that package material reads and not encrypted: SM2, ECDSA or Ed25519;
// or of the reference to an SM2 or ECDSA key in a device (package keyd).
func NewSigner(privateKey []byte) (*Signer, error) {
	key, err := parsePrivateKey("private key", privateKey)
	if err != nil {
		return nil, err
	}
	return newSigner(key)
}

func newSigner(key crypto.PrivateKey) (*Signer, error) {
	switch k := key.(type) {
	case *sm2.PrivateKey:
		return &Signer{Hash: hash.NONE, Sign: func(message []byte) ([]byte, error) {
			// With these options gmsm prepends Z of the default user id, 1234567812345678, and hashes with SM3.
			return k.Sign(rand.Reader, message, sm2.DefaultSM2SignerOpts)
		}}, nil
	case *keyd.Key:
		return deviceSigner(k), nil
	case ed25519.PrivateKey:
		sign, err := identity.NewPrivateKeySign(k)
		return &Signer{Hash: hash.NONE, Sign: sign}, err
	case *ecdsa.PrivateKey:
		sign, err := identity.NewPrivateKeySign(k)
		return &Signer{Hash: hash.SHA256, Sign: sign}, err
	default:
		return nil, fmt.Errorf("gmgateway: a key of type %T cannot sign transactions: want SM2, ECDSA or Ed25519", key)
	}
}

func parsePrivateKey(name string, text []byte) (crypto.PrivateKey, error) {
	file, err := material.Parse(name, text)
	if err != nil {
		return nil, fmt.Errorf("gmgateway: %w", err)
	}
	key, err := file.PrivateKey(nil)
	if errors.Is(err, gmx509.ErrNoPassword) {
		return nil, fmt.Errorf("gmgateway: %s is encrypted: decrypt it first, say with openssl pkcs8 -in FILE -out FILE2", name)
	}
	if err != nil {
		return nil, fmt.Errorf("gmgateway: %w", err)
	}
	return key, nil
}

// identity reads the certificate and the key of the profile's client and checks that they belong together. The signer of an
// offline client has no Sign.
func (p *Profile) identity() (*identity.X509Identity, *x509.Certificate, *Signer, error) {
	certPEM, err := p.read("client.identity.cert", p.Client.Identity.Cert)
	if err != nil {
		return nil, nil, nil, err
	}
	file, err := material.Parse("client.identity.cert", certPEM)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("gmgateway: %w", err)
	}
	var key crypto.PrivateKey
	if !p.Client.Identity.Offline {
		keyPEM, err := p.read("client.identity.key", p.Client.Identity.Key)
		if err != nil {
			return nil, nil, nil, err
		}
		if key, err = parsePrivateKey("client.identity.key", keyPEM); err != nil {
			return nil, nil, nil, err
		}
	}
	chain, err := file.Chain(key)
	if err != nil && key == nil {
		return nil, nil, nil, fmt.Errorf("gmgateway: %w", err)
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("gmgateway: client.identity.key and client.identity.cert do not belong together: %w", err)
	}
	id, err := identity.NewX509Identity(p.Organizations[p.Client.Organization].MSPID, chain[0].Certificate)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("gmgateway: client.identity.cert: %w", err)
	}
	if key == nil {
		return id, chain[0].Certificate, &Signer{Hash: hashFor(chain[0].Certificate.PublicKey)}, nil
	}
	signer, err := newSigner(key)
	return id, chain[0].Certificate, signer, err
}

// hashFor is the Hash of the signer whose public key this is.
func hashFor(public crypto.PublicKey) hash.Hash {
	if ec, ok := public.(*ecdsa.PublicKey); ok && !gmx509.IsSM2(ec) {
		return hash.SHA256
	}
	return hash.NONE
}
