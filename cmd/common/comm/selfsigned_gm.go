// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bytes"
	"crypto/rand"
	stdx509 "crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

const selfSignedLifetime = 24 * time.Hour

// selfSignedPair makes a TLCP pair under a CA that exists for this call alone.
func selfSignedPair() (comm.Material, error) {
	caKey, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return comm.Material{}, err
	}
	ca, err := template("self-signed client CA")
	if err != nil {
		return comm.Material{}, err
	}
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage = stdx509.KeyUsageCertSign
	var certs, keys bytes.Buffer
	for _, usage := range []stdx509.KeyUsage{
		stdx509.KeyUsageDigitalSignature,
		stdx509.KeyUsageKeyEncipherment | stdx509.KeyUsageDataEncipherment | stdx509.KeyUsageKeyAgreement,
	} {
		if err := appendPairHalf(&certs, &keys, ca, caKey, usage); err != nil {
			return comm.Material{}, err
		}
	}
	return comm.Material{Certificate: certs.Bytes(), Key: keys.Bytes()}, nil
}

func appendPairHalf(certs, keys *bytes.Buffer, ca *stdx509.Certificate, caKey *sm2.PrivateKey, usage stdx509.KeyUsage) error {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	leaf, err := template("self-signed client")
	if err != nil {
		return err
	}
	leaf.KeyUsage = usage
	leaf.ExtKeyUsage = []stdx509.ExtKeyUsage{stdx509.ExtKeyUsageClientAuth}
	der, err := gmx509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return err
	}
	keyDER, err := gmx509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := pem.Encode(certs, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
		return err
	}
	return pem.Encode(keys, &pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// template returns what the certificates have in common; a serial of 16 bytes suits peers that refuse short ones.
func template(commonName string) (*stdx509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &stdx509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(selfSignedLifetime),
	}, nil
}
