// SPDX-License-Identifier: Apache-2.0

package csp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// keyFileSuffix marks the private key file in a folder written by cryptogen.
const keyFileSuffix = "_sk"

// GenerateSM2PrivateKey makes an SM2 key and writes it to file as PKCS#8 in
// PEM, unencrypted, readable by its owner alone. It refuses to overwrite.
func GenerateSM2PrivateKey(file string) (*sm2.PrivateKey, error) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating SM2 key for %s: %w", file, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding SM2 key for %s: %w", file, err)
	}

	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("saving SM2 key: %w", err)
	}
	if err := pem.Encode(out, &pem.Block{Type: "PRIVATE KEY", Bytes: der}); err != nil {
		out.Close()
		return nil, fmt.Errorf("saving SM2 key to %s: %w", file, err)
	}
	if err := out.Close(); err != nil {
		return nil, fmt.Errorf("saving SM2 key to %s: %w", file, err)
	}
	return key, nil
}

// LoadSigner reads the one private key of a CA folder: the PEM
// file whose name ends in "_sk". ECDSA keys come back as
// an ECDSASigner, which gives low-S signatures. If there is no key, the error
// is fs.ErrNotExist.
func LoadSigner(dir string) (crypto.Signer, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading key folder: %w", err)
	}
	var files []string
	for _, entry := range entries {
		if !entry.IsDir() && strings.HasSuffix(entry.Name(), keyFileSuffix) {
			files = append(files, filepath.Join(dir, entry.Name()))
		}
	}
	switch len(files) {
	case 0:
		return nil, fmt.Errorf("%s: no private key file *%s: %w", dir, keyFileSuffix, fs.ErrNotExist)
	case 1:
		return readSigner(files[0])
	default:
		return nil, fmt.Errorf("%s: %d private key files *%s, want one", dir, len(files), keyFileSuffix)
	}
}

func readSigner(name string) (crypto.Signer, error) {
	file, err := material.Read(name)
	if err != nil {
		return nil, err
	}
	key, err := file.PrivateKey(nil)
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *sm2.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return &ECDSASigner{PrivateKey: key}, nil
	}
	if signer := otherSigner(key); signer != nil {
		return signer, nil
	}
	return nil, fmt.Errorf("%s: %T is not a private key that a CA of cryptogen has", name, key)
}
