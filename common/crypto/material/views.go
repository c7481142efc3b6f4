// SPDX-License-Identifier: Apache-2.0

package material

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// ReadCertificates reads a file of certificates, for example of roots. It must hold at least one, and nothing else.
func ReadCertificates(name string) ([]*Certificate, error) {
	return certificates(Read(name))
}

// ParseCertificates is ReadCertificates for the content of a file or field.
func ParseCertificates(name string, data []byte) ([]*Certificate, error) {
	return certificates(Parse(name, data))
}

// ReadLists reads a file of revocation lists. It must hold at least one, and nothing else.
func ReadLists(name string) ([]*List, error) { return lists(Read(name)) }

// ParseLists is ReadLists for the content of a file or field.
func ParseLists(name string, data []byte) ([]*List, error) { return lists(Parse(name, data)) }

func certificates(f *File, err error) ([]*Certificate, error) {
	switch {
	case err != nil:
		return nil, err
	case len(f.Keys) > 0:
		return nil, f.Keys[0].fail(errors.New("it is a private key, where only certificates belong"), "take the key out of the file, and keep it secret")
	case len(f.Lists) > 0:
		return nil, f.Lists[0].fail(errors.New("it is a revocation list, where only certificates belong"), "put it into the folder crls of the MSP")
	}
	return f.Certificates, nil
}

func lists(f *File, err error) ([]*List, error) {
	switch {
	case err != nil:
		return nil, err
	case len(f.Keys) > 0:
		return nil, f.Keys[0].fail(errors.New("it is a private key, where only revocation lists belong"), "take it out of the file, and keep it secret")
	case len(f.Certificates) > 0:
		return nil, f.Certificates[0].fail(errors.New("it is a certificate, where only revocation lists belong"), "take it out of the file")
	}
	return f.Lists, nil
}

// Chain returns the certificates of a file, whatever their order in the file: the owner's first, then its issuer and so on,
// then the rest. The owner's certificate is the one to which key belongs, which is any value with a Public method. Without a
// key it is the first that is not a CA, or else the first. The file may hold keys as well.
func (f *File) Chain(key any) ([]*Certificate, error) {
	if err := f.NoLists(); err != nil {
		return nil, err
	}
	if len(f.Certificates) == 0 {
		return nil, &Error{File: f.Name, Err: errors.New("it holds a private key and no certificate"), Remedy: "give the file of the certificate"}
	}
	return Chain(f.Certificates, key)
}

// Chain puts certificates in order as the method does. An error says that the key belongs to none of them.
func Chain(certs []*Certificate, key any) ([]*Certificate, error) {
	rest := slices.Clone(certs)
	at := slices.IndexFunc(rest, func(c *Certificate) bool { return !c.IsCA })
	if key != nil {
		at = slices.IndexFunc(rest, func(c *Certificate) bool { return x509.CheckKeyPair(c.Certificate, key) == nil })
		if at < 0 {
			return nil, certs[0].fail(x509.CheckKeyPair(certs[0].Certificate, key), "give the key that the certificate was issued for")
		}
	}
	at = max(at, 0)
	chain := []*Certificate{rest[at]}
	for {
		rest = slices.Delete(rest, at, at+1)
		last := chain[len(chain)-1]
		at = slices.IndexFunc(rest, func(c *Certificate) bool {
			return bytes.Equal(c.RawSubject, last.RawIssuer) && x509.CheckSignatureFrom(last.Certificate, c.Certificate) == nil
		})
		if at < 0 {
			return append(chain, rest...), nil
		}
		chain = append(chain, rest[at])
	}
}

// NoLists returns an error if the file holds a revocation list. Beside certificates of an owner nobody would follow it.
func (f *File) NoLists() error {
	if len(f.Lists) == 0 {
		return nil
	}
	return f.Lists[0].fail(errors.New("it is a revocation list, where a certificate belongs"), "put it into the folder crls of the MSP")
}

// PrivateKey returns the one private key of a file, decoded as Key.Open does. The file may hold certificates as well.
func (f *File) PrivateKey(passphrase []byte) (crypto.PrivateKey, error) {
	key, err := f.Key()
	if err != nil {
		return nil, err
	}
	return key.Open(passphrase)
}

// Key returns the one private key of a file. The file may hold certificates as well.
func (f *File) Key() (*Key, error) {
	switch {
	case len(f.Lists) > 0:
		return nil, f.Lists[0].fail(errors.New("it is a revocation list, where a private key belongs"), "")
	case len(f.Keys) == 0:
		return nil, &Error{File: f.Name, Err: errors.New("it holds a certificate and no private key"), Remedy: "give the file of the private key"}
	case len(f.Keys) > 1:
		return nil, f.Keys[1].fail(fmt.Errorf("it holds %d private keys, where one belongs", len(f.Keys)), "give a file with one of them")
	}
	return f.Keys[0], nil
}

// EncodeCertificates returns certificates in PEM, in their order.
func EncodeCertificates(certs []*Certificate) []byte {
	var text []byte
	for _, c := range certs {
		text = append(text, c.PEM()...)
	}
	return text
}
