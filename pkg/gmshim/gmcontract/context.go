// SPDX-License-Identifier: Apache-2.0

// Package gmcontract lets contracts of fabric-contract-api-go be called by clients with SM2 certificates.
//
// The contract API reads the submitter with fabric-chaincode-go's cid, which cannot parse an SM2 certificate, drops
// the error, and hands the contract a nil identity whose methods panic. A contract that sets
//
//	contract.TransactionContextHandler = new(gmcontract.TransactionContext)
//
// gets the identity from gmshim/cid instead. Its functions still take contractapi.TransactionContextInterface.
package gmcontract

import (
	"crypto/x509"

	upstream "github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"
	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
	"github.com/hyperledger/fabric/pkg/gmshim/cid"
)

// TransactionContext is contractapi's transaction context with a client identity that may be SM2.
type TransactionContext struct {
	contractapi.TransactionContext
}

var (
	_ contractapi.TransactionContextInterface         = (*TransactionContext)(nil)
	_ contractapi.SettableTransactionContextInterface = (*TransactionContext)(nil)
)

// SetClientIdentity does nothing. The contract API calls it with the identity that upstream's cid has read, but
// GetClientIdentity reads the creator from the stub.
func (*TransactionContext) SetClientIdentity(upstream.ClientIdentity) {}

// GetClientIdentity returns the submitter of the transaction. If the creator cannot be read, every method of the
// returned identity returns the cause as its error.
func (ctx *TransactionContext) GetClientIdentity() upstream.ClientIdentity {
	id, err := cid.New(ctx.GetStub())
	if err != nil {
		return unreadable{err}
	}
	return id
}

// unreadable is the identity of a creator that could not be read. The interface of the contract API leaves no other
// way to report the cause.
type unreadable struct{ err error }

func (u unreadable) GetID() (string, error)    { return "", u.err }
func (u unreadable) GetMSPID() (string, error) { return "", u.err }

func (u unreadable) GetAttributeValue(string) (string, bool, error) { return "", false, u.err }
func (u unreadable) AssertAttributeValue(_, _ string) error         { return u.err }

func (u unreadable) GetX509Certificate() (*x509.Certificate, error) { return nil, u.err }
