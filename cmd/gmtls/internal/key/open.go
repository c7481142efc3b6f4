// SPDX-License-Identifier: Apache-2.0

package key

import (
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/emmansun/gmsm/sm2"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/safefile"
)

// secrets open a key file.
type secrets struct {
	password []byte
	with     *sm2.PrivateKey // the key that an envelope was made for
}

// opened is what a key file was found to be.
type opened struct {
	form  material.Form
	key   any // nil if it needs a secret that was not given, which missing then says
	certs []*x509.Certificate

	missing error
}

var (
	errNeedsPassword = errors.New("it opens with its password: --passphrase-file")
	errNoKey         = errors.New("it holds certificates and no key: --out-cert writes them")
	errNeedsKey      = errors.New("it opens with the signing key of the pair, for which the CA made it: --decrypt-with")
)

// open reads a key file in any form that is known.
func open(name string, s secrets) (*opened, error) {
	data, err := material.ReadBounded(name, material.MaxFile)
	if err != nil {
		return nil, err
	}
	if material.IsEscrow(data) {
		return enveloped(&opened{form: material.FormEscrow}, s, func() (*sm2.PrivateKey, error) { return openEscrow(data, s.with) })
	}
	der := unwrapBase64(data)
	objects, err := material.Split(name, der)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		switch form := material.FormOf(object.DER); form {
		case material.FormEnvelopedKey:
			return enveloped(&opened{form: form}, s, func() (*sm2.PrivateKey, error) { return openEnveloped(object.DER, s.with) })
		case material.FormCSRResponse:
			answer, err := parseResponse(object.DER)
			if err != nil {
				return nil, err
			}
			o := &opened{form: form, certs: answer.certs}
			if answer.envelope == nil {
				return nil, errors.New("the CSRResponse holds no encryption key")
			}
			return enveloped(o, s, func() (*sm2.PrivateKey, error) { return openEnveloped(answer.envelope, s.with) })
		case material.FormPKCS7, material.FormGMSigned:
			certs, err := parseSigned(object.DER)
			return &opened{form: form, certs: certs, missing: errNoKey}, err
		case material.FormCFCA:
			key, cert, err := openCFCA(object.DER, s.password)
			return locked(&opened{form: form, certs: []*x509.Certificate{cert}}, key, err)
		}
	}
	return openPlain(name, der, s)
}

// openPlain reads what nodes read themselves.
func openPlain(name string, data []byte, s secrets) (*opened, error) {
	file, err := material.Parse(name, data)
	if err != nil {
		return nil, err
	}
	o := new(opened)
	for _, c := range file.Certificates {
		o.certs = append(o.certs, c.Certificate)
	}
	if len(file.Keys) == 1 {
		o.form = file.Keys[0].Form()
	}
	key, err := file.PrivateKey(s.password)
	return locked(o, key, err)
}

func enveloped(o *opened, s secrets, decrypt func() (*sm2.PrivateKey, error)) (*opened, error) {
	if s.with == nil {
		o.missing = errNeedsKey
		return o, nil
	}
	key, err := decrypt()
	if err != nil {
		return nil, err
	}
	o.key = key
	return o, nil
}

func locked(o *opened, key crypto.PrivateKey, err error) (*opened, error) {
	if errors.Is(err, x509.ErrNoPassword) {
		o.missing = errNeedsPassword
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	o.key = key
	return o, nil
}

// isNew refuses the name of a file that is there already.
func isNew(name string) error {
	if _, err := os.Lstat(name); name == "" || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return errTaken(name)
}

func errTaken(name string) error {
	return fmt.Errorf("%s is there already, and is not overwritten", name)
}

// create writes a new file, and leaves one that is there alone.
func create(name string, data []byte, mode os.FileMode) error {
	err := safefile.Create(safefile.File{Name: name, Data: data, Mode: mode})
	if errors.Is(err, os.ErrExist) {
		return errTaken(name)
	}
	return err
}

func certificatesPEM(certs []*x509.Certificate) (text []byte) {
	for _, c := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text
}
