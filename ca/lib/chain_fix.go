// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"bytes"
	"encoding/pem"
	"os"
	"slices"

	"github.com/pkg/errors"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// initKeyMaterial makes or reads the key and the certificates of the CA.
//
//fork:wrap fix: "a file of the chain that did not lead from the CA to a root was found by nobody, and each token was refused; what stood in it besides was trusted, and given to everybody"
func (ca *CA) initKeyMaterial(renew bool) error {
	if err := ca.upstreamInitKeyMaterial(renew); err != nil {
		return err
	}
	return ca.checkChain()
}

// checkChain checks that the CA's chain is the certificates from the CA to its roots, and nothing else. Their order does not matter. Strangers
// get this file, tokens are verified by it, and without a root they would be verified by the roots of the system.
func (ca *CA) checkChain() error {
	text, err := ca.getCAChain()
	if err != nil {
		return errors.WithMessage(err, "ca.chainfile: write the certificates of this CA and of those above it there")
	}
	name, file := "ca.chainfile", ca.Config.CA.Chainfile
	if _, err := os.Stat(file); err != nil {
		name, file = "ca.certfile (there is no ca.chainfile)", ca.Config.CA.Certfile
	}
	own, err := getCACert(ca)
	if err != nil {
		return err
	}
	certs, err := readChain(text)
	if err == nil {
		err = checkAbove(own, certs)
	}
	return errors.WithMessagef(err, "%s: %s must hold the certificates of this CA and of those above it, up to the root, and nothing else", name, file)
}

// readChain reads the certificates of CAs in a text, which may hold nothing else. Those who get the text, and the CA itself where it verifies by
// it, pass over what they cannot decode, so the text must be such that they find all of it.
func readChain(text []byte) (certs []*x509.Certificate, err error) {
	read, err := material.ParseCertificates("", text)
	if err != nil {
		return nil, err
	}
	for i, cert := range read {
		block, rest := pem.Decode(text)
		if block == nil || !bytes.Equal(block.Bytes, cert.Raw) {
			return nil, errors.Errorf("its certificate %d is not in plain PEM, as openssl x509 writes it", i+1)
		}
		if !cert.IsCA {
			return nil, errors.Errorf("%s is no certificate of a CA", cert.Subject)
		}
		certs, text = append(certs, cert.Certificate), rest
	}
	return certs, nil
}

// checkAbove checks that certificates are own, earlier ones of the same CA, and those that lead from these to roots by their signatures.
func checkAbove(own *x509.Certificate, certs []*x509.Certificate) error {
	if !slices.ContainsFunc(certs, own.Equal) {
		return errors.Errorf("the certificate of this CA, %s, is not in it", own.Subject)
	}
	above, rooted := map[*x509.Certificate]bool{}, false
	for next := ofSubject(certs, own); len(next) > 0; next = next[1:] {
		cert := next[0]
		if above[cert] {
			continue
		}
		above[cert] = true
		rooted = rooted || len(cert.AuthorityKeyId) == 0 || bytes.Equal(cert.AuthorityKeyId, cert.SubjectKeyId) // as upstream finds the roots
		for _, issuer := range certs {
			if x509.CheckSignatureFrom(cert, issuer) == nil {
				next = append(next, issuer)
			}
		}
	}
	for _, cert := range certs {
		if !above[cert] {
			return errors.Errorf("%s is not above this CA, %s", cert.Subject, own.Subject)
		}
	}
	if !rooted {
		return errors.Errorf("no root is above this CA, %s", own.Subject)
	}
	return nil
}

func ofSubject(certs []*x509.Certificate, own *x509.Certificate) (same []*x509.Certificate) {
	for _, cert := range certs {
		if bytes.Equal(cert.RawSubject, own.RawSubject) {
			same = append(same, cert)
		}
	}
	return same
}
