// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"slices"
	"sync"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// identity has its organizational units, when they have been asked for.
//
//fork:fields fix: the chain of an identity is not built anew for each principal that asks for its organizational units
type identity struct {
	unitsMutex sync.Mutex // protects units; an atomic pointer would make equal identities differ
	units      *knownUnits
}

type knownUnits struct {
	under *x509.VerifyOptions // CAs of the MSP that certify the units. Another set-up of the MSP makes others.
	units []*OUIdentifier
}

// GetOrganizationalUnits builds the chain of the identity once. Members write policies with as many principals as a transaction has room for,
// and each peer asks every endorser for each of them.
//
//fork:wrap fix: the chain of an identity is not built anew for each principal that asks for its organizational units
func (id *identity) GetOrganizationalUnits() []*OUIdentifier {
	if id.cert == nil || len(id.cert.Subject.OrganizationalUnit) == 0 {
		return nil
	}
	id.unitsMutex.Lock()
	defer id.unitsMutex.Unlock()
	under := id.msp.opts
	if id.units != nil && id.units.under == under {
		return id.units.units
	}
	units := slices.Clip(id.upstreamGetOrganizationalUnits())
	if len(units) > 0 { // an error is not kept
		id.units = &knownUnits{under, units}
	}
	return units
}
