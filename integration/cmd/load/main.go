// SPDX-License-Identifier: Apache-2.0

// Command load measures a Fabric network: throughput, latency, errors, and what its processes use.
//
//	load run [flags]                                   against the network that make network started
//	load run -profile FILE [-pids NAME=PID,...] [flags]  against any network that has the asset chaincode
//	load compare -a FILE,... -b FILE,...               results of earlier runs, as ratios
//	load alternate -a OPTIONS -b OPTIONS [flags]       two topologies in turn, each on fresh networks, as ratios
//
// See -h of each.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hyperledger/fabric/integration/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := load.Command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "load:", err)
		stop()
		os.Exit(1)
	}
}
