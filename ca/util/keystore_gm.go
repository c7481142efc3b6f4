// SPDX-License-Identifier: Apache-2.0

package util

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/factory"
	"github.com/hyperledger/fabric/bccsp/gm"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// ConfigureBCCSP completes the configuration of the provider.
//
//fork:wrap gm: the provider GM keeps keys where SW would, and opens them by a password file
func ConfigureBCCSP(optsPtr **factory.FactoryOpts, mspDir, homeDir string) error {
	if optsPtr != nil && *optsPtr != nil && (*optsPtr).Default == factory.GMBasedFactoryName {
		opts := *optsPtr
		if opts.GM == nil {
			opts.GM = &factory.GmOpts{}
		}
		if opts.GM.FileKeystore == nil {
			opts.GM.FileKeystore = &factory.GmFileKeystoreOpts{}
		}
		store := opts.GM.FileKeystore
		switch {
		case mspDir != "":
			store.KeyStorePath = filepath.Join(mspDir, "keystore")
		case store.KeyStorePath == "":
			store.KeyStorePath = filepath.Join("msp", "keystore")
		}
		if err := MakeFileNamesAbsolute([]*string{&store.KeyStorePath, &store.PasswordFile}, homeDir); err != nil {
			return err
		}
	}
	return upstreamConfigureBCCSP(optsPtr, mspDir, homeDir)
}

// keyInFile reads an SM2 key that is in a device, by its reference; nil if the text holds another key. A key that is encrypted has
// its place in the key store, which has the password.
func keyInFile(file string, text []byte) (bccsp.Key, error) {
	parsed, err := material.Parse(file, text)
	if err != nil || len(parsed.Keys) != 1 || !parsed.Keys[0].InDevice() {
		if _, err := x509.ParsePrivateKeyPEM(text, nil); errors.Is(err, x509.ErrNoPassword) {
			return nil, fmt.Errorf("the key in %s is encrypted: put the file into msp/keystore, and set bccsp.default to GM and "+
				"bccsp.gm.filekeystore.passwordfile; leave the setting that names the key file out", file)
		}
		return nil, nil
	}
	key, err := gm.DecodeKey(text, nil)
	if err != nil {
		return nil, fmt.Errorf("the key of %s: %w", file, err)
	}
	return key, nil
}

// CheckKeyFile checks that an SM2 certificate and the key in a file, or the one in a device that the file refers to, belong together.
func CheckKeyFile(cert *x509.Certificate, file string, text []byte) error {
	key, err := keyInFile(file, text)
	if err != nil {
		return err
	}
	if key == nil {
		plain, err := x509.ParsePrivateKeyPEM(text, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		return x509.CheckKeyPair(cert, plain)
	}
	public, err := key.PublicKey()
	if err != nil {
		return err
	}
	spki, err := public.Bytes()
	if err != nil {
		return err
	}
	if string(spki) != string(cert.RawSubjectPublicKeyInfo) {
		return fmt.Errorf("the key that %s refers to is not that of the certificate of %s", file, cert.Subject)
	}
	return nil
}
