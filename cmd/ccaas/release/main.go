// SPDX-License-Identifier: Apache-2.0

// Command release is the third step of the chaincode-as-a-service builder: it hands the connection to the peer.
package main

import (
	"fmt"
	"os"

	"github.com/hyperledger/fabric/cmd/ccaas"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: release BUILD_OUTPUT_DIR RELEASE_OUTPUT_DIR")
		os.Exit(2)
	}
	if err := ccaas.Release(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "ccaas release: %v\n", err)
		os.Exit(1)
	}
}
