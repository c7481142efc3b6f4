// SPDX-License-Identifier: Apache-2.0

package ca

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/internal/cryptogen/csp"
)

// CA gains the SM2 TLS CA that belongs to a TLS CA.
//
//fork:fields gm: TLCP pairs are issued next to standard TLS certificates
type CA struct {
	// GMTLS issues the TLCP pairs of an organisation; set on a TLS CA only,
	// nil when the organisation has no TLCP material.
	GMTLS *CA
}

// IsGM reports whether the CA is an SM2 CA. One without a certificate is not.
func (ca *CA) IsGM() bool {
	return ca.SignCert != nil && x509.IsSM2(ca.SignCert.PublicKey)
}

// NewGMCA makes a self-signed SM2 CA and writes key and certificate to baseDir.
// The parameters are those of NewCA.
//
// KeyUsage is keyCertSign and cRLSign alone and there is no extended key usage:
// GM stacks (GmSSL) refuse CA certificates that carry one.
func NewGMCA(baseDir, org, name, country, province, locality, orgUnit, streetAddress, postalCode string) (*CA, error) {
	if err := os.MkdirAll(baseDir, 0o755); err != nil {
		return nil, err
	}
	key, err := csp.GenerateSM2PrivateKey(filepath.Join(baseDir, "priv_sk"))
	if err != nil {
		return nil, err
	}

	point, err := x509.SM2Point(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	template := x509Template()
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.Subject = subjectTemplateAdditional(country, province, locality, orgUnit, streetAddress, postalCode)
	template.Subject.Organization = []string{org}
	template.Subject.CommonName = name
	id := sha256.Sum256(point)
	template.SubjectKeyId = id[:]

	cert, err := issue(baseDir, name, &template, &template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("issuing the certificate of SM2 CA %s: %w", name, err)
	}
	ca := &CA{Name: name, Signer: key, SignCert: cert}
	ca.Country, ca.Province, ca.Locality = country, province, locality
	ca.OrganizationalUnit, ca.StreetAddress, ca.PostalCode = orgUnit, streetAddress, postalCode
	return ca, nil
}

// IssueTLCP writes one certificate of a TLCP pair (GB/T 38636, 6.4.4.3) to
// baseDir/file-cert.pem. Subject, names, issuer and both extended key usages
// are the same for the two halves; only usage differs. The certificate has no
// basic constraints: an empty one, which Go writes otherwise, is refused by GmSSL.
func (ca *CA) IssueTLCP(baseDir, file, commonName string, sans []string, pub *ecdsa.PublicKey, usage x509.KeyUsage) (*x509.Certificate, error) {
	if !ca.IsGM() {
		return nil, fmt.Errorf("CA %s is not an SM2 CA and cannot issue TLCP certificates", ca.Name)
	}
	if ca.Signer == nil {
		return nil, fmt.Errorf("the private key of CA %s is missing and needed for TLCP certificate %s of %s", ca.Name, file, commonName)
	}
	template := x509Template()
	template.BasicConstraintsValid = false
	template.KeyUsage = usage
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.Subject = subjectTemplateAdditional(ca.Country, ca.Province, ca.Locality, ca.OrganizationalUnit, ca.StreetAddress, ca.PostalCode)
	template.Subject.CommonName = commonName
	for _, san := range sans {
		if ip := net.ParseIP(san); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, san)
		}
	}
	cert, err := issue(baseDir, file, &template, ca.SignCert, pub, ca.Signer)
	if err != nil {
		return nil, fmt.Errorf("issuing TLCP certificate %s for %s: %w", file, commonName, err)
	}
	return cert, nil
}
