// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"

	m "github.com/hyperledger/fabric-protos-go/msp"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/pkg/errors"
)

// oidSM2WithSM3 is the signature algorithm SM2 with SM3 (GB/T 33560).
var oidSM2WithSM3 = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}

// setupCRLs parses the revocation lists of the MSP.
//
// A list signed with SM2 must be signed by a CA of this MSP, TLS CAs included,
// whose subject key identifier the list names. Upstream notices a bad list only
// when it meets a listed certificate, and then accepts the certificate.
//
//fork:wrap an SM2 revocation list that cannot be checked is refused at setup
func (msp *bccspmsp) setupCRLs(conf *m.FabricMSPConfig) error {
	if err := msp.upstreamSetupCRLs(conf); err != nil {
		return err
	}
	var issuers []*x509.Certificate
	for i, crl := range msp.CRL {
		if !crl.SignatureAlgorithm.Algorithm.Equal(oidSM2WithSM3) {
			continue
		}
		if issuers == nil {
			var err error
			if issuers, err = msp.possibleCRLIssuers(conf); err != nil {
				return err
			}
		}
		if err := checkSM2CRL(crl, issuers); err != nil {
			return errors.WithMessagef(err, "revocation list %d of MSP %s (issuer %s)", i, msp.name, crl.TBSCertList.Issuer)
		}
	}
	return nil
}

// possibleCRLIssuers returns every CA that the MSP's configuration names.
func (msp *bccspmsp) possibleCRLIssuers(conf *m.FabricMSPConfig) ([]*x509.Certificate, error) {
	var issuers []*x509.Certificate
	for _, list := range [][][]byte{conf.RootCerts, conf.IntermediateCerts, conf.TlsRootCerts, conf.TlsIntermediateCerts} {
		for _, raw := range list {
			cert, err := msp.getCertFromPem(raw)
			if err != nil {
				return nil, err
			}
			issuers = append(issuers, cert)
		}
	}
	return issuers, nil
}

// checkSM2CRL returns nil if one of issuers has the key identifier that crl
// names and signed it.
func checkSM2CRL(crl *pkix.CertificateList, issuers []*x509.Certificate) error {
	aki, err := getAuthorityKeyIdentifierFromCrl(crl)
	if err != nil {
		return errors.WithMessage(err, "its issuer is unknown")
	}
	err = errors.New("no CA of this MSP has the key identifier that it names")
	for _, issuer := range issuers {
		ski, skiErr := getSubjectKeyIdentifierFromCert(issuer)
		if skiErr != nil || !bytes.Equal(ski, aki) {
			continue
		}
		if sigErr := x509.CheckCRLSignature(issuer, crl); sigErr != nil {
			err = errors.WithMessagef(sigErr, "its signature by %s does not verify", issuer.Subject)
			continue
		}
		return nil
	}
	return err
}

// validateCertAgainstChain refuses a certificate that its issuer revoked.
//
//fork:wrap below an SM2 CA, a revocation list that does not verify rejects instead of being skipped
func (msp *bccspmsp) validateCertAgainstChain(cert *x509.Certificate, validationChain []*x509.Certificate) error {
	if len(validationChain) > 1 && x509.IsSM2(validationChain[1].PublicKey) {
		if err := msp.checkCRLsOfIssuer(validationChain[1]); err != nil {
			return err
		}
	}
	return msp.upstreamValidateCertAgainstChain(cert, validationChain)
}

func (msp *bccspmsp) checkCRLsOfIssuer(issuer *x509.Certificate) error {
	ski, err := getSubjectKeyIdentifierFromCert(issuer)
	if err != nil {
		return errors.WithMessage(err, "could not obtain Subject Key Identifier for signer cert")
	}
	for _, crl := range msp.CRL {
		aki, err := getAuthorityKeyIdentifierFromCrl(crl)
		if err != nil {
			return errors.WithMessage(err, "could not obtain Authority Key Identifier for crl")
		}
		if !bytes.Equal(aki, ski) {
			continue
		}
		if err := x509.CheckCRLSignature(issuer, crl); err != nil {
			return errors.WithMessagef(err, "cannot tell whether the certificate is revoked: the revocation list of %s does not verify", issuer.Subject)
		}
	}
	return nil
}
