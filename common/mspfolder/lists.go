// SPDX-License-Identifier: Apache-2.0

package mspfolder

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// oidSM2WithSM3 is the signature algorithm SM2 with SM3 (GB/T 33560); oidAuthorityKeyID is of RFC 5280, section 5.2.1.
var (
	oidSM2WithSM3     = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}
	oidAuthorityKeyID = asn1.ObjectIdentifier{2, 5, 29, 35}
)

// CheckList checks a revocation list that SM2 has a part in, as its signature or as the key of the CA whose key identifier it names:
// it must verify under every CA of the MSP, TLS CAs included, that has this identifier, and there must be one. Other lists are
// judged when a certificate on them is met.
func CheckList(list *pkix.CertificateList, issuers []*x509.Certificate) error {
	signedWithSM2 := list.SignatureAlgorithm.Algorithm.Equal(oidSM2WithSM3)
	aki, err := authorityKeyID(list)
	if err != nil {
		if signedWithSM2 {
			return fmt.Errorf("the issuer is not named by key identifier: %w", err)
		}
		return nil
	}
	named := 0
	for _, issuer := range issuers {
		if len(issuer.SubjectKeyId) == 0 || !bytes.Equal(issuer.SubjectKeyId, aki) {
			continue
		}
		named++
		if !signedWithSM2 && !x509.IsSM2(issuer.PublicKey) {
			continue
		}
		if err := x509.CheckCRLSignature(issuer, list); err != nil {
			return fmt.Errorf("the signature does not verify under CA %s: %w", issuer.Subject, err)
		}
	}
	if signedWithSM2 && named == 0 {
		return errors.New("no CA of this MSP has the key identifier that the list names; remove the list, or add its CA")
	}
	return nil
}

func authorityKeyID(list *pkix.CertificateList) ([]byte, error) {
	for _, extension := range list.TBSCertList.Extensions {
		if !extension.Id.Equal(oidAuthorityKeyID) {
			continue
		}
		var id struct {
			KeyIdentifier []byte        `asn1:"optional,tag:0"`
			Issuer        asn1.RawValue `asn1:"optional,tag:1"`
			Serial        asn1.RawValue `asn1:"optional,tag:2"`
		}
		if _, err := asn1.Unmarshal(extension.Value, &id); err != nil {
			return nil, fmt.Errorf("authorityKeyIdentifier: %w", err)
		}
		if len(id.KeyIdentifier) > 0 {
			return id.KeyIdentifier, nil
		}
	}
	return nil, errors.New("authorityKeyIdentifier not found in certificate revocation list")
}
