// SPDX-License-Identifier: Apache-2.0

// Package consenter reads the certificates of a consenter in the channel configuration: its two TLS fields, and its identity in SmartBFT. The
// orderer, configtxgen, consortium and gmtls check them with it.
//
// A TLS field may contain two certificates in PEM, so that a node is recognised over TLS and over TLCP: its standard certificate and its SM2
// signing certificate. Other certificates in the field, such as a chain or an encryption certificate, identify nobody. Stock Fabric reads only
// the first block, so the standard certificate should come first while stock orderers take part.
package consenter

import (
	"encoding/pem"
	"errors"
	"fmt"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// Errors of Check. ErrEncryption says that a field begins with the encryption certificate of a TLCP pair.
var (
	ErrEncryption = errors.New("it is an SM2 encryption certificate: put the SM2 signing certificate into the field")
	errAuthority  = errors.New("it is the certificate of a CA: put the SM2 signing certificate of the consenter into the field, first")
	errNoUsage    = errors.New("it has no KeyUsage, which an SM2 signing certificate needs: let the CA issue it with digitalSignature")
)

// IdentityCertificates returns the PEM blocks of a field by which its owner is recognised: the first block, as upstream, and the
// first end-entity certificate of the other key family (SM2 or standard) behind it. An SM2 certificate counts when it may sign. CA
// certificates behind the first block never count: several nodes can carry the same chain.
func IdentityCertificates(field []byte) []*pem.Block {
	first, rest := pem.Decode(field)
	if first == nil {
		return nil
	}
	blocks := []*pem.Block{first}
	cert, err := x509.ParseCertificate(first.Bytes)
	if err != nil {
		return blocks // judged where the certificate is parsed, as upstream
	}
	for next, rest := pem.Decode(rest); next != nil; next, rest = pem.Decode(rest) {
		other, err := x509.ParseCertificate(next.Bytes)
		if err != nil || other.IsCA || x509.IsSM2(other.PublicKey) == x509.IsSM2(cert.PublicKey) || !maySign(other) {
			continue
		}
		return append(blocks, next)
	}
	return blocks
}

// maySign tells signing from encryption certificates of TLCP (GB/T 38636). Standard certificates serve for all.
func maySign(cert *x509.Certificate) bool {
	return !x509.IsSM2(cert.PublicKey) || x509.IsPairSigning(cert)
}

// Check checks that the certificate of a field's first block is one by which a node can be recognised. The error says
// what is wrong with the block.
func Check(first *pem.Block) error {
	if first == nil {
		return errors.New("it holds no certificate in PEM")
	}
	cert, err := x509.ParseCertificate(first.Bytes)
	if err != nil {
		return err
	}
	switch {
	case maySign(cert):
		return nil
	case cert.IsCA:
		return errAuthority
	case cert.KeyUsage == 0:
		return errNoUsage
	}
	return ErrEncryption
}

// ReadField reads a file as the content of a field: its certificates in PEM, whatever form the file has.
func ReadField(file string) ([]byte, error) {
	certs, err := material.ReadCertificates(file)
	if err != nil {
		return nil, err
	}
	field := material.EncodeCertificates(certs)
	first, _ := pem.Decode(field)
	if err := Check(first); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return field, nil
}

// CheckIdentity refuses the identity of a consenter of SmartBFT in any other form than nodes write. In a channel with the capability
// GM_V1, everyone who verifies a block takes the identity of its signer from the configuration as it is there, and refuses it then.
func CheckIdentity(identity []byte) error {
	_, err := x509.ParseExact(identity)
	return err
}

// ReadIdentity reads a file as the identity of a consenter: its one certificate in the form that CheckIdentity demands, whatever form
// the file has.
func ReadIdentity(file string) ([]byte, error) {
	certs, err := material.ReadCertificates(file)
	if err != nil {
		return nil, err
	}
	if len(certs) != 1 {
		return nil, fmt.Errorf("%s: it holds %d certificates; name the enrolment certificate alone", file, len(certs))
	}
	identity := material.EncodeCertificates(certs)
	if err := CheckIdentity(identity); err != nil {
		return nil, fmt.Errorf("%s: %w; have the CA issue the certificate in DER", file, err)
	}
	return identity, nil
}
