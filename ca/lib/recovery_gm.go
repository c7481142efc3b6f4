// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"github.com/emmansun/gmsm/sm2"
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric-ca/util"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/safefile"
)

// recoveryNone is the value of tlcp.recovery of a CA that keeps no encryption keys.
const recoveryNone = "none"

// recovery keeps the encryption keys that a CA has made, each in a separate file, enveloped to a key whose private half the
// operator has, and not this machine. The file is an SM2EnvelopedKey (GB/T 35276-2017, 7.4) in DER, which gmtls key opens.
type recovery struct {
	to  *ecdsa.PublicKey
	dir string
}

// recovery returns where the CA keeps encryption keys; nil if it keeps none. A CA that makes them must say which.
func (ca *CA) recovery() (*recovery, error) {
	config := &ca.Config.TLCP
	if config.EncryptionKey != encryptionKeyByCA {
		if config.Recovery != "" && config.Recovery != recoveryNone {
			return nil, errors.Errorf("tlcp.recovery is set, but tlcp.encryptionkey is not %q: this CA sees no encryption keys", encryptionKeyByCA)
		}
		return nil, nil
	}
	switch config.Recovery {
	case recoveryNone:
		return nil, nil
	case "":
		return nil, errors.Errorf("tlcp.recovery is missing: name the SM2 certificate to whose key encryption keys are enveloped, or write %q", recoveryNone)
	}
	file, err := util.MakeFileAbs(config.Recovery, ca.HomeDir)
	if err != nil {
		return nil, err
	}
	certs, err := material.ReadCertificates(file)
	if err != nil {
		return nil, errors.WithMessage(err, "tlcp.recovery")
	}
	if len(certs) != 1 {
		return nil, errors.Errorf("tlcp.recovery: %s holds %d certificates, and must hold one", file, len(certs))
	}
	to, ok := certs[0].PublicKey.(*ecdsa.PublicKey)
	if !ok || !x509.IsSM2(certs[0].PublicKey) {
		return nil, errors.Errorf("tlcp.recovery: the key in %s is not an SM2 key", file)
	}
	if usage := certs[0].KeyUsage; usage != 0 && usage&(x509.KeyUsageKeyEncipherment|x509.KeyUsageDataEncipherment) == 0 {
		return nil, errors.Errorf("tlcp.recovery: the KeyUsage of the certificate in %s allows no encryption", file)
	}
	return &recovery{to: to, dir: filepath.Join(ca.HomeDir, "recovery")}, nil
}

// keep stores a key, and returns the name of its file without extension. What is stored is on disk when keep returns.
func (r *recovery) keep(key *sm2.PrivateKey) (name string, err error) {
	envelope, err := sm2.MarshalEnvelopedPrivateKey(rand.Reader, r.to, key)
	if err != nil {
		return "", errors.WithMessage(err, "enveloping the encryption key for recovery")
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return "", errors.WithMessage(err, "keeping the encryption key for recovery")
	}
	sum := sha256.Sum256(spki)
	name = filepath.Join(r.dir, hex.EncodeToString(sum[:]))
	return name, errors.WithMessage(safefile.Replace(safefile.File{Name: name + ".der", Data: envelope, Mode: 0o600}), "keeping the encryption key for recovery")
}

// certify stores the certificate that was issued for a key in the key's folder, so that it is found by name.
func certify(name, certB64 string) error {
	cert, err := certificateIn(certB64)
	if err != nil {
		return err
	}
	return errors.WithMessage(safefile.Replace(safefile.File{Name: name + ".crt", Data: certificatePEM(cert), Mode: 0o644}), "keeping the encryption certificate for recovery")
}
