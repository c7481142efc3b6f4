// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/output"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
)

// Command returns gmtls inspect.
func Command() *cobra.Command {
	var (
		msp        []string
		format     output.Format
		passphrase string
	)
	c := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "say what certificates, keys, lists, blocks and MSP folders are and what is wrong with them",
		Long: `Takes certificates, keys, pairs, PEM bundles, revocation lists, connection.json, connection profiles with the files
they name, and blocks, whose hashes are recomputed. Of a config block it prints every organisation with its CAs, administrators and lists,
every policy and right, and the capabilities: read them before you join a channel by a block. Files given together are checked together: keys against certificates, the two of a TLCP
pair, chains where there are CA certificates.

Exit codes: 0 nothing wrong (warnings aside); 1 wrong usage or unreadable file; 5 something is wrong.`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && len(msp) == 0 {
				return errors.New("inspect needs files, or folders by --msp")
			}
			if err := format.Check(); err != nil {
				return err
			}
			r := &Report{now: time.Now()}
			var err error
			if r.password, err = x509.ReadPasswordFile(passphrase); err != nil {
				return err
			}
			var all []*Item
			for _, name := range args {
				items, err := r.load(name)
				if err != nil {
					return err
				}
				if len(items) == 0 || items[0].Kind != kindBlock { // whose consenters are checked among themselves
					all = append(all, items...)
				}
			}
			r.relate(all)
			for _, dir := range msp {
				if err := r.node(dir); err != nil {
					return err
				}
			}
			r.finish()
			if err := format.Write(c.OutOrStdout(), r, r.write); err != nil {
				return err
			}
			return exit.Silently(r.ExitCode)
		},
	}
	c.Flags().StringArrayVar(&msp, "msp", nil, "an MSP folder, a tls folder, or a node's or user's folder with both in it, checked as at a node's start; may be repeated")
	c.Flags().StringVar(&passphrase, "passphrase-file", "", "file whose first line opens encrypted keys")
	format.Flag(c.Flags())
	return c
}

func (r *Report) write(w io.Writer) {
	for _, i := range r.Items {
		fmt.Fprintf(w, "%s: %s", loglimit.Printable(i.Where), i.Kind)
		if i.Note != "" {
			fmt.Fprintf(w, ", %s", loglimit.Printable(i.Note))
		}
		fmt.Fprintln(w)
		if i.Cert != nil {
			fmt.Fprint(w, i.Cert.Lines("    "))
		}
	}
	for _, f := range r.Findings {
		fmt.Fprintln(w, f)
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "nothing is wrong")
	}
}
