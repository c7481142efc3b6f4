// SPDX-License-Identifier: Apache-2.0

package mspfolder

import (
	"bytes"
	"crypto/x509/pkix"
	"errors"
	"fmt"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// Effect returns the CA of an MSP whose certificates a list revokes there, and the list's scope. It refuses a list for which Issuer finds no
// CA or which Scope refuses, of either family. It also refuses one without the key identifier of its CA: an MSP finds the lists for a
// certificate by it, and while a list names none, the MSP refuses every identity, its administrators included.
func Effect(list *pkix.CertificateList, cas []*x509.Certificate) (*x509.Certificate, string, error) {
	aki, err := keyIdentifier(list)
	if err != nil {
		return nil, "", err
	}
	issuer, err := Issuer(list, cas)
	if err != nil {
		return nil, "", err
	}
	if !bytes.Equal(aki, issuer.SubjectKeyId) {
		return nil, "", errors.New("its CA's certificate has no subjectKeyIdentifier, by which an MSP would find the list: it would revoke nobody")
	}
	scope, err := Scope(list)
	return issuer, scope, err
}

// CheckChannelList is CheckFolderList for a folder that is made into a part of a channel's configuration. It also refuses a list, of any
// algorithm, without the key identifier of its CA: nodes take it in a channel, and nobody of the organisation could take it out again.
func CheckChannelList(list *pkix.CertificateList, issuers []*x509.Certificate) error {
	if _, err := keyIdentifier(list); err != nil {
		return err
	}
	return CheckFolderList(list, issuers)
}

// keyIdentifier is authorityKeyID, with the remedy.
func keyIdentifier(list *pkix.CertificateList) ([]byte, error) {
	aki, err := authorityKeyID(list)
	if err != nil {
		return nil, fmt.Errorf("%w: an MSP with such a list refuses every identity; have the CA issue the list with this extension (openssl: authorityKeyIdentifier=keyid:always "+
			"in the section that crl_extensions names)", err)
	}
	return aki, nil
}
