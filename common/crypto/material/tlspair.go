// SPDX-License-Identifier: Apache-2.0

package material

import (
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// ReadTLSPair reads a pair for TLS from the file of the certificates and that of the key, which may be one file. As for a node, the files
// may hold a TLCP pair as well, which is left aside, and the first standard key is the one that counts. Errors name the files.
func ReadTLSPair(certName, keyName string) (tls.Certificate, error) {
	file, err := Read(certName)
	if err != nil {
		return tls.Certificate{}, err
	}
	certs, err := file.standard()
	if err != nil {
		return tls.Certificate{}, err
	}
	stored, err := Read(keyName)
	if err != nil {
		return tls.Certificate{}, err
	}
	keys, err := stored.PlainKeys()
	if err != nil {
		return tls.Certificate{}, err
	}
	for _, key := range keys {
		if FamilyOf(key) != Standard {
			continue
		}
		pair, err := TLSPair(certs, key)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("%w (key file: %s)", err, keyName)
		}
		return pair, nil
	}
	if len(keys) > 0 {
		return tls.Certificate{}, stored.Keys[0].fail(errors.New("it is an SM2 key, which TLS cannot use"), "give the key of the certificate for TLS")
	}
	_, err = stored.Key()
	return tls.Certificate{}, err
}

// TLSPair makes a pair for TLS of standard certificates in any order, and the key of one of them, which may be in a device.
func TLSPair(certs []*Certificate, key crypto.PrivateKey) (tls.Certificate, error) {
	chain, err := Chain(certs, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	if leaf := chain[0]; leaf.Family() != Standard {
		return tls.Certificate{}, leaf.fail(errSM2, remedySM2)
	}
	pair := tls.Certificate{PrivateKey: key, Leaf: chain[0].Certificate}
	for _, cert := range chain {
		pair.Certificate = append(pair.Certificate, cert.Raw)
	}
	return pair, nil
}

var errSM2 = errors.New("it is an SM2 certificate, which TLS cannot use")

const remedySM2 = "give the certificate for TLS; SM2 certificates are for TLCP"

// standard returns the certificates of a file that TLS can use. There must be one.
func (f *File) standard() ([]*Certificate, error) {
	var certs []*Certificate
	for _, cert := range f.Certificates {
		if cert.Family() == Standard {
			certs = append(certs, cert)
		}
	}
	if len(certs) > 0 {
		return certs, nil
	}
	if len(f.Certificates) > 0 {
		return nil, f.Certificates[0].fail(errSM2, remedySM2)
	}
	_, err := f.Chain(nil)
	return nil, err
}

// PlainKeys decodes all keys of a file. None may be encrypted: as in stock Fabric, there is no password for keys of TLS.
func (f *File) PlainKeys() ([]crypto.PrivateKey, error) {
	var keys []crypto.PrivateKey
	for _, stored := range f.Keys {
		key, err := stored.OpenPlain()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// OpenPlain is Open for a key that there is no password for.
func (k *Key) OpenPlain() (crypto.PrivateKey, error) {
	key, err := k.Open(nil)
	if errors.Is(err, x509.ErrNoPassword) {
		return nil, k.fail(fmt.Errorf("private key: %w", x509.ErrNoPassword), "keys of TLS have no password: decrypt it with: openssl pkey -in FILE -out FILE.key")
	}
	return key, err
}
