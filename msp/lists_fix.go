// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"sync/atomic"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/pkg/errors"
)

// An organisation chooses how many lists its MSP has, and what they name, and each node looks into all of them for each of its identities.

// knownLists keeps for each CA what is known of the lists of an MSP.
type knownLists struct {
	mutex sync.Mutex
	kept  int // of all rows
	rows  map[string][]atomic.Uint32
}

// What is known of a list.
const (
	listUnknown = iota
	listNames   // it names the key identifier of the CA
	listOther   // it is none of the CA: it names another, or the signature is wrong
	listSigned
)

// listsKeptAtMost bounds what is kept. An MSP with more CAs and lists than that has the rest found out again each time.
const listsKeptAtMost = 4 << 20

func (k *knownLists) forget() {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.kept, k.rows = 0, map[string][]atomic.Uint32{}
}

// under returns what is known of each list under a CA.
func (k *knownLists) under(ca *x509.Certificate, lists int) []atomic.Uint32 {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	row := k.rows[string(ca.Raw)]
	if len(row) == lists {
		return row
	}
	row = make([]atomic.Uint32, lists)
	if k.rows != nil && k.kept+lists <= listsKeptAtMost {
		k.kept += lists
		k.rows[string(ca.Raw)] = row
	}
	return row
}

// validateCertAgainstChain refuses a certificate that a list of its CA names. A list with a wrong signature revokes nothing.
//
//fork:replace fix: a revocation list is verified once under a CA, and not for each entry and each identity
func (msp *bccspmsp) validateCertAgainstChain(cert *x509.Certificate, validationChain []*x509.Certificate) error {
	ca := validationChain[1]
	ski, err := getSubjectKeyIdentifierFromCert(ca)
	if err != nil {
		return errors.WithMessagef(err, "CA %s of the certificate", ca.Subject)
	}
	known := msp.knownLists.under(ca, len(msp.CRL))
	for i, list := range msp.CRL {
		if known[i].Load() == listUnknown {
			aki, err := getAuthorityKeyIdentifierFromCrl(list)
			if err != nil {
				return errors.WithMessagef(err, "revocation list %d", i)
			}
			found := uint32(listOther)
			if bytes.Equal(aki, ski) {
				found = listNames
			}
			known[i].Store(found)
		}
		if known[i].Load() == listOther || !names(list, cert.SerialNumber) {
			continue
		}
		if known[i].Load() == listNames {
			if err := x509.CheckCRLSignature(ca, list); err != nil {
				mspLogger.Warningf("Revocation list %d of MSP %s revokes nothing: its signature does not verify under CA %s: %s", i, msp.name, ca.Subject, err)
				known[i].Store(listOther)
				continue
			}
			known[i].Store(listSigned)
		}
		return errors.New("The certificate has been revoked")
	}
	return nil
}

func names(list *pkix.CertificateList, serialNumber *big.Int) bool {
	for _, entry := range list.TBSCertList.RevokedCertificates {
		if entry.SerialNumber.Cmp(serialNumber) == 0 {
			return true
		}
	}
	return false
}
