// SPDX-License-Identifier: Apache-2.0

package mspfolder

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// oidSM2WithSM3 is the signature algorithm SM2 with SM3 (GB/T 33560); the others are extensions of lists (RFC 5280, section 5.2).
var (
	oidSM2WithSM3        = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}
	oidAuthorityKeyID    = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidDeltaIndicator    = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidDistributionPoint = asn1.ObjectIdentifier{2, 5, 29, 28}
)

// Issuers are the CAs of an MSP, TLS CAs included, by key identifier: one for each key. An organisation chooses how often it names a CA or a
// list, and each node that reads the channel's configuration checks all lists.
type Issuers map[string][]*x509.Certificate

// NewIssuers sorts CAs. Of keys other than SM2 one is enough, as none of them can have signed with SM2, and other signatures are not looked at.
func NewIssuers(cas []*x509.Certificate) Issuers {
	issuers, known := Issuers{}, map[[2]string]bool{}
	for _, ca := range cas {
		if len(ca.SubjectKeyId) == 0 {
			continue
		}
		id, key := string(ca.SubjectKeyId), ""
		if x509.IsSM2(ca.PublicKey) {
			point, _ := x509.SM2Point(ca.PublicKey.(*ecdsa.PublicKey)) // none of a key under which nothing verifies
			key = "SM2" + string(point)
		}
		if !known[[2]string{id, key}] {
			known[[2]string{id, key}] = true
			issuers[id] = append(issuers[id], ca)
		}
	}
	return issuers
}

// Check checks a revocation list that SM2 has a part in, as its signature or as the key of the CA whose key identifier it names:
// it must verify under every CA that has this identifier, and there must be one. Other lists are judged when a certificate on them is met.
func (i Issuers) Check(list *pkix.CertificateList) error {
	signedWithSM2 := list.SignatureAlgorithm.Algorithm.Equal(oidSM2WithSM3)
	aki, err := authorityKeyID(list)
	if err != nil {
		if signedWithSM2 {
			return fmt.Errorf("the issuer is not named by key identifier: %w", err)
		}
		return nil
	}
	named := i[string(aki)]
	for _, issuer := range named {
		if !signedWithSM2 && !x509.IsSM2(issuer.PublicKey) {
			continue
		}
		if err := x509.CheckCRLSignature(issuer, list); err != nil {
			return fmt.Errorf("the signature does not verify under CA %s: %w", issuer.Subject, err)
		}
	}
	if signedWithSM2 && len(named) == 0 {
		return errors.New("no CA of this MSP has the key identifier that the list names; remove the list, or add its CA")
	}
	return nil
}

// CheckList is Check for one list.
func CheckList(list *pkix.CertificateList, issuers []*x509.Certificate) error {
	return NewIssuers(issuers).Check(list)
}

// CheckFolderList is CheckList for a list in a folder. It also refuses one that SM2 has signed and that Scope refuses: by such a list nobody
// may report that a certificate is good (RFC 5280, section 5.2), and an MSP takes each entry for a certificate of the list's own CA. Lists in
// the configuration of a channel are not judged by it, because peers of other versions accept them.
func CheckFolderList(list *pkix.CertificateList, issuers []*x509.Certificate) error {
	if err := CheckList(list, issuers); err != nil || !list.SignatureAlgorithm.Algorithm.Equal(oidSM2WithSM3) {
		return err
	}
	_, err := Scope(list)
	return err
}

// NamesIssuer returns an error unless a list names its CA by key identifier. MSPs look for that in each of their lists whenever they meet an
// identity, whoever signed the list: without it they refuse the identity, and so everybody's.
func NamesIssuer(list *pkix.CertificateList) error {
	_, err := authorityKeyID(list)
	return err
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

// Issuer returns the CA that signed a list: one that bears the issuer's name, has the key identifier that the list names, if it names
// one, may sign lists (RFC 5280, section 4.2.1.3), and under whose key the signature verifies.
func Issuer(list *pkix.CertificateList, cas []*x509.Certificate) (*x509.Certificate, error) {
	name, err := issuerName(list)
	if err != nil {
		return nil, err
	}
	aki, _ := authorityKeyID(list)
	reason := errors.New("none of the CAs has the name and the key identifier of its issuer")
	for _, ca := range cas {
		if !bytes.Equal(ca.RawSubject, name) || len(aki) > 0 && len(ca.SubjectKeyId) > 0 && !bytes.Equal(ca.SubjectKeyId, aki) {
			continue
		}
		if ca.KeyUsage != 0 && ca.KeyUsage&x509.KeyUsageCRLSign == 0 {
			reason = fmt.Errorf("the key usage of CA %s has no cRLSign", ca.Subject)
			continue
		}
		if err := x509.CheckCRLSignature(ca, list); err != nil {
			reason = fmt.Errorf("the signature does not verify under CA %s: %w", ca.Subject, err)
			continue
		}
		return ca, nil
	}
	return nil, reason
}

// issuerName returns the issuer of a list as it is encoded.
func issuerName(list *pkix.CertificateList) ([]byte, error) {
	var tbs struct {
		Version   int `asn1:"optional,default:0"`
		Signature pkix.AlgorithmIdentifier
		Issuer    asn1.RawValue
	}
	// What follows the issuer is left unread: asn1 takes a sequence that is longer than the struct.
	if _, err := asn1.Unmarshal(list.TBSCertList.Raw, &tbs); err != nil {
		return nil, fmt.Errorf("the issuer cannot be read: %w", err)
	}
	return tbs.Issuer.FullBytes, nil
}

// Scope tells complete lists of one CA apart by what they are for: it is empty for all certificates, else the list's distribution point
// (RFC 5280, section 5.2.5). A list by which nobody can report whether a certificate is revoked is refused: one of changes alone, of
// other CAs' certificates, or with a critical extension that is unknown.
func Scope(list *pkix.CertificateList) (string, error) {
	scope := ""
	for _, extension := range list.TBSCertList.Extensions {
		switch {
		case extension.Id.Equal(oidDistributionPoint):
			if err := checkDistributionPoint(extension.Value); err != nil {
				return "", err
			}
			scope = string(extension.Value)
		case extension.Id.Equal(oidDeltaIndicator):
			return "", errors.New("it is a delta list, which names only changes: use the complete one")
		case extension.Critical:
			return "", fmt.Errorf("it has a critical extension %s, which is unknown here", extension.Id)
		}
	}
	for _, entry := range list.TBSCertList.RevokedCertificates {
		for _, extension := range entry.Extensions {
			if extension.Critical {
				return "", fmt.Errorf("the entry of serial number %x has a critical extension %s, which is unknown here", entry.SerialNumber, extension.Id)
			}
		}
	}
	return scope, nil
}

func checkDistributionPoint(der []byte) error {
	var point struct {
		Name           asn1.RawValue  `asn1:"optional,tag:0"`
		UsersOnly      bool           `asn1:"optional,tag:1"`
		CAsOnly        bool           `asn1:"optional,tag:2"`
		Reasons        asn1.BitString `asn1:"optional,tag:3"`
		Indirect       bool           `asn1:"optional,tag:4"`
		AttributesOnly bool           `asn1:"optional,tag:5"`
	}
	rest, err := asn1.Unmarshal(der, &point)
	switch {
	case err != nil:
		return fmt.Errorf("issuingDistributionPoint: %w", err)
	case len(rest) > 0:
		return errors.New("issuingDistributionPoint: bytes follow it")
	case point.Indirect:
		return errors.New("it is an indirect list, with certificates of other CAs: use that of the CA itself")
	case point.AttributesOnly:
		return errors.New("it is a list of attribute certificates only")
	case point.Reasons.BitLength > 0:
		return errors.New("it is a list for only some reasons of revocation: use the complete one")
	}
	return nil
}
