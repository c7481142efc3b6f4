// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"path/filepath"
	"slices"

	m "github.com/hyperledger/fabric-protos-go/msp"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/pkg/errors"
)

// oidSM2WithSM3 is the signature algorithm SM2 with SM3 (GB/T 33560).
var oidSM2WithSM3 = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}

// setupCRLs parses the revocation lists of the MSP.
//
// A list that SM2 has a part in, as its signature or as the key of the CA whose
// key identifier it names, must verify under every CA of this MSP, TLS CAs
// included, that has this identifier, and there must be one. Upstream looks at
// the signature only when it meets a listed certificate, and accepts the
// certificate if the signature cannot be checked. In a channel that stock nodes may share, an MSP without an SM2 CA is judged
// as they judge it.
//
//fork:wrap gm: an SM2 revocation list that cannot be checked is refused at setup
func (msp *bccspmsp) setupCRLs(conf *m.FabricMSPConfig) error {
	if err := msp.upstreamSetupCRLs(conf); err != nil {
		return err
	}
	if len(msp.CRL) == 0 {
		return nil
	}
	if stock, err := msp.asStock(conf); err != nil || stock {
		return err
	}
	issuers, err := msp.configuredCAs(conf)
	if err != nil {
		return err
	}
	for i, crl := range msp.CRL {
		if err := checkCRL(crl, issuers); err != nil {
			return errors.WithMessagef(err, "revocation list %d of MSP %s (issuer %s)", i, msp.name, crl.TBSCertList.Issuer)
		}
	}
	return nil
}

// checkLists judges the revocation lists of an MSP's folder as setup does, where the file of one that is refused can be found.
func checkLists(dir string, fabric *m.FabricMSPConfig) error {
	if len(fabric.RevocationList) == 0 {
		return nil
	}
	var issuers []*x509.Certificate
	for _, text := range slices.Concat(fabric.RootCerts, fabric.IntermediateCerts, fabric.TlsRootCerts, fabric.TlsIntermediateCerts) {
		certs, err := material.ParseCertificates("CA of MSP "+fabric.Name, text)
		if err != nil {
			return err
		}
		issuers = append(issuers, certs[0].Certificate)
	}
	for _, text := range fabric.RevocationList {
		lists, err := material.ParseLists("revocation list of MSP "+fabric.Name, text)
		if err != nil {
			return err
		}
		if err := checkCRL(lists[0].CertificateList, issuers); err != nil {
			return errors.WithMessagef(err, "%s: revocation list of issuer %s", fileOfList(dir, text), lists[0].TBSCertList.Issuer)
		}
	}
	return nil
}

// fileOfList finds the file in which a list, in PEM, was read.
func fileOfList(dir string, text []byte) string {
	folder := filepath.Join(dir, crlsfolder)
	objects, _ := readFolder(folder)
	for _, o := range objects {
		if bytes.Equal(o.PEM(), text) {
			return o.(*material.List).File
		}
	}
	return folder
}

// checkCRL is nil for lists that SM2 has no part in.
func checkCRL(crl *pkix.CertificateList, issuers []*x509.Certificate) error {
	signedWithSM2 := crl.SignatureAlgorithm.Algorithm.Equal(oidSM2WithSM3)
	aki, err := getAuthorityKeyIdentifierFromCrl(crl)
	if err != nil {
		if signedWithSM2 {
			return errors.WithMessage(err, "the issuer is not named by key identifier")
		}
		return nil
	}

	named := 0
	for _, issuer := range issuers {
		ski, err := getSubjectKeyIdentifierFromCert(issuer)
		if err != nil || !bytes.Equal(ski, aki) {
			continue
		}
		named++
		if !signedWithSM2 && !x509.IsSM2(issuer.PublicKey) {
			continue
		}
		if err := x509.CheckCRLSignature(issuer, crl); err != nil {
			return errors.WithMessagef(err, "the signature does not verify under CA %s", issuer.Subject)
		}
	}
	if signedWithSM2 && named == 0 {
		return errors.New("no CA of this MSP has the key identifier that the list names; remove the list, or add its CA")
	}
	return nil
}
