// SPDX-License-Identifier: Apache-2.0

// Command token is a template for Go chaincode: a token whose issue is bound to an attribute in the caller's certificate. It
// runs in either way, by the environment that it finds: as a service to which peers connect, or launched by a peer.
package main

import (
	"log"
	"os"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
	"github.com/hyperledger/fabric/pkg/gmshim"
	"github.com/hyperledger/fabric/pkg/gmshim/gmcontract"
)

func main() {
	log.SetPrefix("token: ")
	chaincode, err := newChaincode()
	if err != nil {
		log.Fatal(err)
	}
	start := gmshim.StartLaunched // the peer's chaincode.tls.mode is gm
	if os.Getenv("CHAINCODE_SERVER_ADDRESS") != "" {
		start = gmshim.Start
	}
	if err := start(chaincode); err != nil {
		log.Fatal(err)
	}
}

func newChaincode() (*contractapi.ContractChaincode, error) {
	token := new(Token)
	token.Name = "token"
	// This context knows callers with SM2 certificates.
	token.TransactionContextHandler = new(gmcontract.TransactionContext)
	return contractapi.NewChaincode(token)
}
