// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/x509/pkix"
	"path/filepath"
	"slices"

	m "github.com/hyperledger/fabric-protos-go/msp"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/mspfolder"
	"github.com/pkg/errors"
)

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
	msp.knownLists.forget()
	if len(msp.CRL) == 0 {
		return nil
	}
	if stock, err := msp.followsStock(conf); err != nil || stock {
		return err
	}
	cas, err := msp.configuredCAs(conf)
	if err != nil {
		return err
	}
	issuers := mspfolder.NewIssuers(cas)
	for i, crl := range msp.CRL {
		if err := issuers.Check(crl); err != nil {
			return errors.WithMessagef(err, "revocation list %d of MSP %s (issuer %s)", i, msp.name, crl.TBSCertList.Issuer)
		}
	}
	return nil
}

// checkLists judges the revocation lists of an MSP's folder by check, which is as strict as setup or stricter, where the file of one that is
// refused can be found.
func checkLists(dir string, fabric *m.FabricMSPConfig, check func(*pkix.CertificateList, []*x509.Certificate) error) error {
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
		if err := check(lists[0].CertificateList, issuers); err != nil {
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
