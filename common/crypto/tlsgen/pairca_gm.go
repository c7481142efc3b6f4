// SPDX-License-Identifier: Apache-2.0

package tlsgen

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// Validity of what a PairCA issues. It lives as long as the process that made it; the span is that of upstream's CA.
const pairLifetime = 10 * 365 * 24 * time.Hour

// Key usages of the two certificates of a TLCP pair (GB/T 38636-2020).
var pairUsages = [2]x509.KeyUsage{
	x509.KeyUsageDigitalSignature,
	gmx509.PairEncryptionUsage,
}

// pairCA is an SM2 authority that issues TLCP pairs.
type pairCA struct {
	cert    *x509.Certificate
	certPEM []byte
	key     *sm2.PrivateKey
}

// NewPairCA returns an authority for TLCP as NewCA returns one for TLS. Cert and Key of the pairs it issues are PEM bundles:
// the signing certificate and its key, then those for encryption. TLSCert is the signing certificate, which is the one that a
// connection's other end sees first.
func NewPairCA() (CA, error) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := pairTemplate("TLCP CA")
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	ca := &pairCA{key: key}
	if ca.cert, ca.certPEM, err = issuePair(template, template, key, key); err != nil {
		return nil, err
	}
	return ca, nil
}

// CertBytes returns the certificate of the authority in PEM.
func (ca *pairCA) CertBytes() []byte { return ca.certPEM }

// Signer returns the authority's key.
func (ca *pairCA) Signer() crypto.Signer { return ca.key }

// NewIntermediateCA always fails: a TLCP pair of this authority is directly under it.
func (ca *pairCA) NewIntermediateCA() (CA, error) {
	return nil, errors.New("tlsgen: a CA for TLCP pairs has no intermediates")
}

// NewClientCertKeyPair issues a pair for a client.
func (ca *pairCA) NewClientCertKeyPair() (*CertKeyPair, error) {
	return ca.newPair(x509.ExtKeyUsageClientAuth)
}

// NewServerCertKeyPair issues a pair for a server that is reached under the hosts, DNS names or IP addresses.
func (ca *pairCA) NewServerCertKeyPair(hosts ...string) (*CertKeyPair, error) {
	return ca.newPair(x509.ExtKeyUsageServerAuth, hosts...)
}

func (ca *pairCA) newPair(purpose x509.ExtKeyUsage, hosts ...string) (*CertKeyPair, error) {
	var pair CertKeyPair
	var certs, keys bytes.Buffer
	for _, usage := range pairUsages {
		template, err := pairTemplate("TLCP")
		if err != nil {
			return nil, err
		}
		template.KeyUsage = usage
		template.ExtKeyUsage = []x509.ExtKeyUsage{purpose}
		addHosts(template, hosts)
		key, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		cert, certPEM, err := issuePair(template, ca.cert, key, ca.key)
		if err != nil {
			return nil, err
		}
		keyDER, err := gmx509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("tlsgen: encode SM2 key: %w", err)
		}
		certs.Write(certPEM)
		keys.Write(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
		if pair.TLSCert == nil {
			pair.TLSCert, pair.Signer = cert, key
		}
	}
	pair.Cert, pair.Key = certs.Bytes(), keys.Bytes()
	return &pair, nil
}

func addHosts(template *x509.Certificate, hosts []string) {
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
}

func issuePair(template, issuer *x509.Certificate, key, issuerKey *sm2.PrivateKey) (*x509.Certificate, []byte, error) {
	der, err := gmx509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, issuerKey)
	if err != nil {
		return nil, nil, fmt.Errorf("tlsgen: create SM2 certificate: %w", err)
	}
	cert, err := gmx509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("tlsgen: parse the SM2 certificate just created: %w", err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// pairTemplate returns what all certificates have in common. Serials have 16 bytes because some peers refuse short ones, and
// their subject is the same in both halves of a pair because TLCP stacks compare it.
func pairTemplate(commonName string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    time.Now().Add(-24 * time.Hour),
		NotAfter:     time.Now().Add(pairLifetime),
	}, nil
}
