// SPDX-License-Identifier: Apache-2.0

// Package cli defines the commands of consortium.
package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/common/loglimit"
)

// Run runs the tool and returns its exit code: 0 done, 1 refused or failed.
func Run(args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "consortium",
		Short: "plan a network of several organisations, and change its channels",
		Long: `Takes a network of several organisations and hosts from a plan to running nodes, and writes changes of a channel's
configuration for its members to sign. It reads and writes files; it starts nothing, signs nothing and asks no node.

Exit codes: 0 done; 1 refused or failed, with the reason.`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.AddCommand(planCommand(), packageCommand(), updateCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.Execute(); err != nil {
		fmt.Fprintln(stderr, "consortium: "+loglimit.Printable(strings.ReplaceAll(err.Error(), "\n", "; "))) // joined errors have a line each
		return 1
	}
	return 0
}
