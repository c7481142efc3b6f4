// SPDX-License-Identifier: Apache-2.0

// Package cli defines the root command of gmtls and its subcommands. Each subcommand has its own package in the parent folder.
package cli

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/assess"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/capture"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/endpoint"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/inspect"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/key"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/migrate"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/probe"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/proxy"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/renew"
	"github.com/hyperledger/fabric/common/loglimit"
)

// Run runs the tool and returns its exit code.
func Run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// What reads a pipe or a device does not see that ctx ends. The second signal ends the tool in any case.
	context.AfterFunc(ctx, stop)
	root := &cobra.Command{
		Use:   "gmtls",
		Short: "probe, inspect, explain and bridge TLCP (GB/T 38636) and TLS endpoints",
		Long: `Probes, inspects, explains and bridges TLCP (GB/T 38636) and TLS endpoints. Output is text, or JSON with -o json.

Exit codes: 0 nothing is wrong; 1 wrong usage or unreadable input; 2 not reached; 3 no handshake succeeded; 4 certificates
do not hold; 5 unhealthy node, findings in files, or broken handshakes in a capture; 130 ended by a signal.`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.AddCommand(probe.Command(), inspect.Command(), inspect.UpgradeCommand(), key.Command(), pki.Command(), proxy.Command(),
		endpoint.ServerCommand(), endpoint.ClientCommand(), capture.Command(), migrate.Command(), renew.Command(), assess.Command())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if ctx.Err() != nil && exit.Signalled(err) {
		fmt.Fprintln(stderr, "gmtls: ended by a signal; its report is not complete")
		return exit.Interrupted
	}
	code, printed := exit.Code(err)
	if !printed {
		fmt.Fprintln(stderr, "gmtls: "+oneLine(err))
	}
	return code
}

// oneLine keeps an error to one line, without a prefix that is there twice and
// without what a terminal obeys: names in certificates are of strangers.
func oneLine(err error) string {
	return loglimit.Printable(strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "gmtls: "))
}
