// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"time"

	"github.com/golang/protobuf/proto"
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/factory"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/pkg/errors"
)

// maxKeyFile bounds what is read of one file of a keystore, in bytes.
const maxKeyFile = 64 << 10

// getMspConfig reads an MSP folder.
//
//fork:wrap gm: names the file that is wrong, and gives SM2 organisations hash family SM3
func getMspConfig(dir string, ID string, sigid *m.SigningIdentityInfo) (*m.MSPConfig, error) {
	for _, folder := range []string{cacerts, intermediatecerts, admincerts, signcerts, tlscacerts, tlsintermediatecerts} {
		if err := checkCertificates(dir, folder); err != nil {
			return nil, err
		}
	}
	config, err := upstreamGetMspConfig(dir, ID, sigid)
	if err != nil {
		return nil, err
	}
	return nameSM3(config)
}

// checkCertificates looks at each certificate in a folder of an MSP, where its
// file name is still known. What is not PEM is left to the loader, which skips
// it with a warning.
func checkCertificates(dir, folder string) error {
	files, err := regularFiles(filepath.Join(dir, folder))
	if err != nil {
		return err
	}
	used := false
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // the loader warns and skips it
		}
		block, _ := pem.Decode(raw)
		if block == nil || block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			if folder == signcerts && used {
				continue // only the first signing certificate is ever used
			}
			return errors.Wrapf(err, "%s: not a usable certificate", file)
		}
		used = true
		if err := checkCertificate(folder, cert); err != nil {
			return errors.WithMessage(err, file)
		}
	}
	return nil
}

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

// checkFamily refuses a certificate that joins the two families: an SM2 key
// certified by another algorithm, or another key certified with SM2. An MSP may
// hold roots of both families, but each chain must stay within one.
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

// canSign tells whether the KeyUsage of cert, if it has one, allows signatures.
func canSign(cert *x509.Certificate) bool {
	return cert.KeyUsage == 0 || cert.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) != 0
}

// nameSM3 sets signature hash family and identity hash to SM3 if every root of
// the MSP is SM2. Otherwise the configuration stays as upstream makes it: SM2
// identities then still sign with SM3, since the algorithm follows the key.
func nameSM3(config *m.MSPConfig) (*m.MSPConfig, error) {
	fabric := &m.FabricMSPConfig{}
	if err := proto.Unmarshal(config.Config, fabric); err != nil {
		return nil, errors.Wrap(err, "reading MSP configuration")
	}
	for _, root := range append(append([][]byte{}, fabric.RootCerts...), fabric.IntermediateCerts...) {
		block, _ := pem.Decode(root)
		if block == nil {
			return config, nil
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !x509.IsSM2(cert.PublicKey) {
			return config, nil
		}
	}
	fabric.CryptoConfig = &m.FabricCryptoConfig{
		SignatureHashFamily:            bccsp.SM3,
		IdentityIdentifierHashFunction: bccsp.SM3,
	}
	raw, err := proto.Marshal(fabric)
	if err != nil {
		return nil, errors.Wrap(err, "encoding MSP configuration")
	}
	return &m.MSPConfig{Config: raw, Type: config.Type}, nil
}

// SetupBCCSPKeystoreConfig points the provider's key store to keystoreDir unless
// the configuration names another folder.
//
//fork:wrap gm: tools find the key store of BCCSP.Default GM
func SetupBCCSPKeystoreConfig(bccspConfig *factory.FactoryOpts, keystoreDir string) *factory.FactoryOpts {
	bccspConfig = upstreamSetupBCCSPKeystoreConfig(bccspConfig, keystoreDir)
	if bccspConfig.Default != factory.GMBasedFactoryName || keystorePath(bccspConfig) != "" {
		return bccspConfig
	}
	if bccspConfig.GM == nil {
		bccspConfig.GM = &factory.GmOpts{}
	}
	if bccspConfig.GM.FileKeystore == nil {
		bccspConfig.GM.FileKeystore = &factory.GmFileKeystoreOpts{}
	}
	bccspConfig.GM.FileKeystore.KeyStorePath = keystoreDir
	return bccspConfig
}

// keystorePath returns the folder in which the provider keeps its keys, or "".
func keystorePath(bccspConfig *factory.FactoryOpts) string {
	if bccspConfig.Default == factory.GMBasedFactoryName && bccspConfig.GM != nil &&
		bccspConfig.GM.FileKeystore != nil && bccspConfig.GM.FileKeystore.KeyStorePath != "" {
		return bccspConfig.GM.FileKeystore.KeyStorePath
	}
	if bccspConfig.SW != nil && bccspConfig.SW.FileKeystore != nil {
		return bccspConfig.SW.FileKeystore.KeyStorePath
	}
	return ""
}

// GetLocalMspConfig reads the MSP folder of a node or client, whose signing key
// stands in the provider's keystore.
//
//fork:wrap gm: an SM2 certificate without its private key or its CA is refused with the places named
func GetLocalMspConfig(dir string, bccspConfig *factory.FactoryOpts, ID string) (*m.MSPConfig, error) {
	bccspConfig = SetupBCCSPKeystoreConfig(bccspConfig, filepath.Join(dir, keystore))
	if file, cert := firstCertificate(filepath.Join(dir, signcerts)); cert != nil {
		if path := keystorePath(bccspConfig); path != "" && x509.IsSM2(cert.PublicKey) {
			if err := checkSigningKey(cert, path); err != nil {
				return nil, errors.WithMessage(err, file)
			}
		}
		if err := checkSigningChain(cert, dir); err != nil {
			return nil, errors.WithMessage(err, file)
		}
	}
	return upstreamGetLocalMspConfig(dir, bccspConfig, ID)
}

// firstCertificate returns the first certificate in a folder, and its file; nil
// if there is none that can be read.
func firstCertificate(dir string) (string, *x509.Certificate) {
	files, certs := certificatesOf(dir)
	if len(certs) == 0 {
		return "", nil
	}
	return files[0], certs[0]
}

// certificatesOf returns the certificates in a folder that can be read, and
// their files. What cannot be read is refused or skipped elsewhere.
func certificatesOf(dir string) (names []string, certs []*x509.Certificate) {
	files, err := regularFiles(dir)
	if err != nil {
		return nil, nil
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if cert, err := x509.ParseCertificatePEM(raw); err == nil {
			names, certs = append(names, file), append(certs, cert)
		}
	}
	return names, certs
}

// checkSigningKey finds the private key of the SM2 certificate cert in
// keystoreDir. A key file that cannot be read here, encrypted for example,
// leaves the decision to the provider.
func checkSigningKey(cert *x509.Certificate, keystoreDir string) error {
	files, err := regularFiles(keystoreDir)
	if err != nil {
		return err
	}
	for _, file := range files {
		key, err := readPrivateKey(file)
		if err != nil || x509.CheckKeyPair(cert, key) == nil {
			return nil
		}
	}
	return errors.Errorf("none of the %d private keys in %s belongs to this certificate (subject %s); "+
		"put the key that was generated with it there", len(files), keystoreDir, cert.Subject)
}

// checkSigningChain verifies that a CA in the MSP folder dir issued cert, if
// cert or a CA is SM2. Like the MSP itself it does not look at the clock.
func checkSigningChain(cert *x509.Certificate, dir string) error {
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, CurrentTime: cert.NotBefore.Add(time.Second),
	}
	concernsSM2 := x509.IsSM2(cert.PublicKey)
	for folder, pool := range map[string]*x509.CertPool{cacerts: opts.Roots, intermediatecerts: opts.Intermediates} {
		_, cas := certificatesOf(filepath.Join(dir, folder))
		for _, ca := range cas {
			pool.AddCert(ca)
			concernsSM2 = concernsSM2 || x509.IsSM2(ca.PublicKey)
		}
	}
	if !concernsSM2 {
		return nil
	}
	if _, err := x509.Verify(cert, opts); err != nil {
		return errors.Wrapf(err, "the certificate of %s, issued by %s, has no chain to a CA in %s and %s of %s",
			cert.Subject, cert.Issuer, cacerts, intermediatecerts, dir)
	}
	return nil
}

// readPrivateKey reads the unencrypted private key in a PEM file.
func readPrivateKey(file string) (any, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxKeyFile {
		return nil, errors.Errorf("%s: %d bytes are no private key", file, info.Size())
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.Errorf("%s: not PEM encoded", file)
	}
	return x509.ParsePrivateKey(block.Bytes)
}

// regularFiles lists the files of a folder, links followed, by name; a folder
// that does not exist has none.
func regularFiles(dir string) ([]string, error) {
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
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			files = append(files, file)
		}
	}
	return files, nil
}
