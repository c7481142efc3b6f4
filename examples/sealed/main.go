// SPDX-License-Identifier: Apache-2.0

// Command sealed is chaincode whose private data the peers keep and cannot read: the client sends the key with each transaction, and
// the value is encrypted with SM4 before it is written.
package main

import (
	"errors"
	"fmt"
	"log"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
	"github.com/hyperledger/fabric/pkg/gmshim"
	"github.com/hyperledger/fabric/pkg/gmshim/gmcontract"
	"github.com/hyperledger/fabric/pkg/gmshim/sealed"
)

// The fields of the transient data. Transient data are in no transaction; arguments and results are.
const (
	keyField   = "key"   // 32 random bytes, which the client keeps
	valueField = "value" // what Put writes
)

// name is this chaincode's. It is a part of the place of each value: otherwise a value that another chaincode sealed with the same key
// of the client would open here. Build the program with another name if you deploy it twice in a channel. Values that were sealed
// under one name do not open under another.
const name = "sealed"

func main() {
	log.SetPrefix("sealed: ")
	chaincode, err := newChaincode()
	if err != nil {
		log.Fatal(err)
	}
	if err := gmshim.Start(chaincode); err != nil {
		log.Fatal(err)
	}
}

func newChaincode() (*contractapi.ContractChaincode, error) {
	contract := new(Sealed)
	contract.Name = name
	contract.TransactionContextHandler = new(gmcontract.TransactionContext)
	return contractapi.NewChaincode(contract)
}

// Sealed keeps values in private data collections.
type Sealed struct {
	contractapi.Contract
}

// GetEvaluateTransactions names the functions that are evaluated and never submitted: the result of a transaction is in the ledger.
func (*Sealed) GetEvaluateTransactions() []string { return []string{"Get"} }

// Put encrypts the transient value and writes it.
func (*Sealed) Put(ctx contractapi.TransactionContextInterface, collection, id string) error {
	transient, err := ctx.GetStub().GetTransient()
	if err != nil {
		return err
	}
	value, ok := transient[valueField]
	if !ok {
		return fmt.Errorf("the transient data have no field %q", valueField)
	}
	box, err := sealed.NewBox(ctx.GetStub(), keyField)
	if err != nil {
		return err
	}
	text, err := box.Seal(sealed.Place{Collection: collection, Key: id, Field: name}, value)
	if err != nil {
		return err
	}
	return ctx.GetStub().PutPrivateData(collection, id, text)
}

// Get reads a value and decrypts it.
func (*Sealed) Get(ctx contractapi.TransactionContextInterface, collection, id string) (string, error) {
	text, err := ctx.GetStub().GetPrivateData(collection, id)
	if err != nil {
		return "", err
	}
	if text == nil {
		return "", errors.New("there is no such value")
	}
	box, err := sealed.NewBox(ctx.GetStub(), keyField)
	if err != nil {
		return "", err
	}
	value, err := box.Open(sealed.Place{Collection: collection, Key: id, Field: name}, text)
	return string(value), err
}
