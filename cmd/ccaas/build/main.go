// SPDX-License-Identifier: Apache-2.0

// Command build is the second step of the chaincode-as-a-service builder: it checks and completes connection.json.
package main

import (
	"fmt"
	"os"

	"github.com/hyperledger/fabric/cmd/ccaas"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: build CHAINCODE_SOURCE_DIR CHAINCODE_METADATA_DIR BUILD_OUTPUT_DIR")
		os.Exit(2)
	}
	if err := ccaas.Build(os.Args[1], os.Args[3], os.Getenv(ccaas.ConfigVariable)); err != nil {
		fmt.Fprintf(os.Stderr, "ccaas build: %v\n", err)
		os.Exit(1)
	}
}
