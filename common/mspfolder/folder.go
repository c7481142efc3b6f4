// SPDX-License-Identifier: Apache-2.0

// Package mspfolder reads and checks the files in the folder of an MSP. Nodes and configtxgen use it when they load the folder, and gmtls
// inspect and gmtls migrate use it to say before a start what a node would say then. [Read] reads a folder; the Check functions judge single
// certificates, chains and revocation lists.
package mspfolder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/safefile"
)

// The folders, by what belongs into them.
const (
	CACerts              = "cacerts"
	IntermediateCerts    = "intermediatecerts"
	TLSCACerts           = "tlscacerts"
	TLSIntermediateCerts = "tlsintermediatecerts"
	AdminCerts           = "admincerts"
	SignCerts            = "signcerts"
	KeyStore             = "keystore"
	RevocationLists      = "crls"
	ConfigFile           = "config.yaml"
	// maxFiles bounds the files of a folder.
	maxFiles = 4096
)

// Errors of CheckCertificate.
var (
	ErrFamily     = errors.New("mixes families")
	ErrEncryption = errors.New("encryption certificate")
	ErrAuthority  = errors.New("is a CA, which cannot be an identity")
)

// Object is a *material.Certificate or a *material.List.
type Object interface{ PEM() []byte }

// Read reads a folder of an MSP, whose name says what belongs into it. In signcerts a file gives one certificate, the owner's.
// passed are the reasons for files that are ignored, as by upstream: in an MSP without an SM2 CA those that hold no certificate and
// no list at all, a README or a .gitkeep, and further ones in signcerts. Everything else that cannot be read is an error, by its file.
func Read(dir string) (objects []Object, passed []error, err error) {
	files, err := Files(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		found, err := ReadFile(filepath.Base(dir), file)
		unused := filepath.Base(dir) == SignCerts && len(objects) > 0 // only the first signing certificate is ever used
		if err != nil && (unused || material.IsOdd(err)) && !ServesSM2(filepath.Dir(dir)) {
			passed = append(passed, err)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		objects = append(objects, found...)
	}
	return objects, passed, nil
}

// ReadFile reads one file of a folder of that name.
func ReadFile(folder, file string) ([]Object, error) {
	var objects []Object
	if folder == RevocationLists {
		lists, err := material.ReadLists(file)
		for _, list := range lists {
			objects = append(objects, list)
		}
		return objects, err
	}
	certs, err := material.ReadCertificates(file)
	if err != nil {
		return nil, err
	}
	if folder == SignCerts {
		if certs, err = material.Chain(certs, nil); err != nil {
			return nil, err
		}
		certs = certs[:1]
	}
	for _, cert := range certs {
		if err := CheckCertificate(folder, cert.Certificate); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		objects = append(objects, cert)
	}
	return objects, nil
}

// ServesSM2 reports whether a root CA in an MSP folder is SM2.
func ServesSM2(mspDir string) bool {
	files, err := Files(filepath.Join(mspDir, CACerts))
	if err != nil {
		return false
	}
	for _, file := range files {
		certs, _ := material.ReadCertificates(file)
		for _, cert := range certs {
			if cert.Family() == material.SM2 {
				return true
			}
		}
	}
	return false
}

// Files lists what is in a folder, by name, without the folders in it and without files that somebody is writing or that a crash has left so. A
// link that leads nowhere is listed: reading it says so. A folder that does not exist has no files.
func Files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("could not read directory %s: %w", dir, err)
	}
	if len(entries) > maxFiles {
		return nil, fmt.Errorf("%s holds %d files, more than the %d that are read", dir, len(entries), maxFiles)
	}
	var files []string
	for _, entry := range entries {
		file := filepath.Join(dir, entry.Name())
		if safefile.Unfinished(file) {
			continue
		}
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			continue
		}
		files = append(files, file)
	}
	return files, nil
}

// CheckCertificate refuses what a folder of an MSP must not hold. The error wraps ErrFamily, ErrEncryption or ErrAuthority.
func CheckCertificate(folder string, cert *x509.Certificate) error {
	if err := CheckFamily(cert); err != nil {
		return err
	}
	isIdentity := folder == SignCerts || folder == AdminCerts
	if isIdentity && x509.IsSM2(cert.PublicKey) && cert.IsCA {
		return fmt.Errorf("%q %w", cert.Subject, ErrAuthority)
	}
	if isIdentity && x509.IsSM2(cert.PublicKey) && !CanSign(cert) {
		return fmt.Errorf("%w of %s in %s: its KeyUsage has no digitalSignature; put the signing certificate here and the encryption "+
			"certificate into the tls folder", ErrEncryption, cert.Subject, folder)
	}
	return nil
}

// CheckFamily refuses a certificate that joins the two families: an SM2 key certified by another algorithm, or another key
// certified with SM2. An MSP may hold roots of both families, but each chain must stay within one.
func CheckFamily(cert *x509.Certificate) error {
	sm2Key, sm2Signed := x509.IsSM2(cert.PublicKey), cert.SignatureAlgorithm == x509.SM2WithSM3
	switch {
	case sm2Key && !sm2Signed:
		return fmt.Errorf("certificate of %s %w: its key is SM2 but %s signed it with %s; let an SM2 CA issue it",
			cert.Subject, ErrFamily, cert.Issuer, cert.SignatureAlgorithm)
	case !sm2Key && sm2Signed:
		return fmt.Errorf("certificate of %s %w: %s signed it with SM2 but its key is %s on another curve; use an SM2 key",
			cert.Subject, ErrFamily, cert.Issuer, cert.PublicKeyAlgorithm)
	}
	return nil
}

// CanSign reports whether the KeyUsage of an identity's certificate, if it has one, allows signatures. Unlike in a TLCP pair
// there need not be one (RFC 5280, section 4.2.1.3).
func CanSign(cert *x509.Certificate) bool { return cert.KeyUsage == 0 || x509.IsPairSigning(cert) }
