// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"crypto"
	"os"

	cfcsr "github.com/cloudflare/cfssl/csr"
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric-ca/util"
	"github.com/hyperledger/fabric/bccsp"
	cspsigner "github.com/hyperledger/fabric/bccsp/signer"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// newRootKey returns the key of a root CA that has no certificate yet: the one that ca.keyfile names, in a device for example, or
// a new one.
func (ca *CA) newRootKey(req *cfcsr.CertificateRequest) (bccsp.Key, crypto.Signer, error) {
	file := ca.Config.CA.Keyfile
	if !util.FileExists(file) {
		return util.BCCSPKeyRequestGenerate(req, ca.csp)
	}
	key, err := util.ImportBCCSPKeyFromPEM(file, ca.csp, false)
	if err != nil {
		return nil, nil, errors.WithMessage(err, "ca.keyfile")
	}
	signer, err := cspsigner.New(ca.csp, key)
	return key, signer, errors.WithMessagef(err, "ca.keyfile: the key of %s", file)
}

// validateMatchingKeys checks that the CA's certificate and key belong together.
//
//fork:wrap gm: SM2 keys, in files and in devices
func validateMatchingKeys(cert *x509.Certificate, keyFile string) error {
	if !x509.IsSM2(cert.PublicKey) {
		return upstreamValidateMatchingKeys(cert, keyFile)
	}
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	return util.CheckKeyFile(cert, keyFile, text)
}

// writeFile writes the CA's certificate.
//
//fork:replace fix: a crash at the first start left a part of the CA's certificate, or none of it, and the server did not start again
func writeFile(file string, buf []byte, perm os.FileMode) error {
	return util.WriteFile(file, buf, perm)
}
