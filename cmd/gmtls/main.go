// SPDX-License-Identifier: Apache-2.0

// Command gmtls is the operator's tool for TLCP and TLS endpoints: it probes
// and explains them, inspects key material, and bridges between the protocols.
package main

import (
	"os"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cli"
)

func main() { os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr)) }
