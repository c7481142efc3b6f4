// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"os"
	"path/filepath"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/pkg/errors"
)

// getPemMaterialFromDir reads every file of a folder of an MSP once, in whatever form it is, and returns each certificate or
// revocation list in PEM, one in each element. In signcerts a file gives one, the owner's.
//
// A file that cannot be read stops the node, by its name. So does one that holds no certificate and no list at all, a README
// or a .gitkeep, in an MSP with an SM2 CA; in others there is a warning, and it is passed over, as by upstream.
//
//fork:replace fix: nothing in an MSP's folders is passed over: DER, byte order marks, and further objects in a file are read, what cannot be read stops the node
func getPemMaterialFromDir(dir string) ([][]byte, error) {
	mspLogger.Debugf("Reading directory %s", dir)
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		return nil, err
	}
	objects, err := readFolder(dir)
	if err != nil {
		return nil, err
	}
	content := make([][]byte, 0, len(objects))
	for _, o := range objects {
		content = append(content, o.PEM())
	}
	return content, nil
}

// pemObject is a *material.Certificate or a *material.List.
type pemObject interface{ PEM() []byte }

// readFolder reads a folder of an MSP, whose name says what belongs into it.
func readFolder(dir string) ([]pemObject, error) {
	files, err := filesOf(dir)
	if err != nil {
		return nil, err
	}
	var objects []pemObject
	for _, file := range files {
		found, err := readMember(filepath.Base(dir), file)
		unused := filepath.Base(dir) == signcerts && len(objects) > 0 // only the first signing certificate is ever used
		if err != nil && (unused || material.IsOdd(err)) && !servesSM2(filepath.Dir(dir)) {
			mspLogger.Warningf("%s; it is passed over", err)
			continue
		}
		if err != nil {
			return nil, errors.WithStack(err) // callers take a bare fs.ErrNotExist for the folder's
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

func readMember(folder, file string) ([]pemObject, error) {
	var objects []pemObject
	if folder == crlsfolder {
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
	if folder == signcerts {
		if certs, err = material.Chain(certs, nil); err != nil {
			return nil, err
		}
		certs = certs[:1]
	}
	for _, cert := range certs {
		if err := checkCertificate(folder, cert.Certificate); err != nil {
			return nil, errors.WithMessage(err, file)
		}
		objects = append(objects, cert)
	}
	return objects, nil
}

// servesSM2 reports whether a root CA in an MSP folder is SM2.
func servesSM2(mspDir string) bool {
	files, err := filesOf(filepath.Join(mspDir, cacerts))
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

// filesOf lists what stands in a folder, by name, without the folders in it. A link that leads nowhere is listed: reading it
// says so. A folder that does not exist has no files.
func filesOf(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.Wrapf(err, "could not read directory %s", dir)
	}
	var files []string
	for _, entry := range entries {
		file := filepath.Join(dir, entry.Name())
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			continue
		}
		files = append(files, file)
	}
	return files, nil
}

// checkCertificate refuses what a folder of an MSP must not hold.
func checkCertificate(folder string, cert *x509.Certificate) error {
	if err := checkFamily(cert); err != nil {
		return err
	}
	isIdentity := folder == signcerts || folder == admincerts
	if isIdentity && x509.IsSM2(cert.PublicKey) && !canSign(cert) {
		return errors.Errorf("encryption certificate of %s in %s: its KeyUsage has no digitalSignature; "+
			"put the signing certificate here and the encryption certificate into the tls folder", cert.Subject, folder)
	}
	return nil
}

// checkFamily refuses a certificate that joins the two families: an SM2 key certified by another algorithm, or another key
// certified with SM2. An MSP may hold roots of both families, but each chain must stay within one.
func checkFamily(cert *x509.Certificate) error {
	sm2Key, sm2Signed := x509.IsSM2(cert.PublicKey), cert.SignatureAlgorithm == x509.SM2WithSM3
	switch {
	case sm2Key && !sm2Signed:
		return errors.Errorf("certificate of %s mixes families: its key is SM2 but %s signed it with %s; let an SM2 CA issue it",
			cert.Subject, cert.Issuer, cert.SignatureAlgorithm)
	case !sm2Key && sm2Signed:
		return errors.Errorf("certificate of %s mixes families: %s signed it with SM2 but its key is %s on another curve; use an SM2 key",
			cert.Subject, cert.Issuer, cert.PublicKeyAlgorithm)
	}
	return nil
}

// canSign reports whether the KeyUsage of an identity's certificate, if it has one, allows signatures. Unlike in a TLCP pair
// there need not be one (RFC 5280, section 4.2.1.3).
func canSign(cert *x509.Certificate) bool { return cert.KeyUsage == 0 || x509.IsPairSigning(cert) }
