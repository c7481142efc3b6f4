// SPDX-License-Identifier: Apache-2.0

// Command detect is the first step of the chaincode-as-a-service builder: it exits with 0 for packages of type ccaas.
package main

import (
	"fmt"
	"os"

	"github.com/hyperledger/fabric/cmd/ccaas"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: detect CHAINCODE_SOURCE_DIR CHAINCODE_METADATA_DIR")
		os.Exit(2)
	}
	if err := ccaas.Detect(os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "ccaas detect: %v\n", err)
		os.Exit(1)
	}
}
