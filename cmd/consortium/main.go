// SPDX-License-Identifier: Apache-2.0

// Command consortium takes a network of several organisations from a plan to running nodes, and writes changes of a channel's
// configuration for its members to sign.
package main

import (
	"os"

	"github.com/hyperledger/fabric/cmd/consortium/internal/cli"
)

func main() { os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr)) }
