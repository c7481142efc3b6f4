// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/consortium/internal/plan"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/internal/ccpackage"
)

func planCommand() *cobra.Command {
	var file, organization, out string
	c := &cobra.Command{
		Use:   "plan",
		Short: "write what one organisation needs on each of its hosts",
		Long: `Reads the plan on which all organisations agree (docs/consortium.md describes it), and writes for one of them a folder for each
host, what its CA needs, and configtx.yaml. The scripts that it writes make the keys, on the hosts. No other organisation
needs to see any of these files.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := plan.Read(file)
			if err != nil {
				return err
			}
			names, err := p.Write(organization, out)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: %d files for %s\n", out, len(names), organization)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&file, "file", "consortium.yaml", "the plan")
	f.StringVar(&organization, "organization", "", "name of the organisation to write for")
	f.StringVar(&out, "out", "", "folder to make")
	_ = c.MarkFlagRequired("organization")
	_ = c.MarkFlagRequired("out")
	return c
}

func packageCommand() *cobra.Command {
	var s ccpackage.Service
	var out string
	files := map[string]*string{}
	c := &cobra.Command{
		Use:   "package",
		Short: "package chaincode that runs as a service",
		Long: `Writes a package that tells a peer where a chaincode server is. It contains no code. It contains the server's address, the CA that
verifies the server, and the pair that the peer presents, with its keys; so give it only to your organisation's peers. It prints the
package id, which is the server's CHAINCODE_ID. The same arguments give the same bytes and the same id.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for name, field := range files {
				file, err := c.Flags().GetString(name)
				if err != nil || file == "" {
					continue
				}
				pem, err := material.ReadBounded(file, material.MaxFile)
				if err != nil {
					return fmt.Errorf("--%s: %w", name, err)
				}
				*field = string(pem)
			}
			data, id, err := ccpackage.Make(s)
			if err != nil {
				return err
			}
			if err := writeNew(out, data, 0o600); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), id)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&s.Label, "label", "", "label of the package, NAME_VERSION")
	f.StringVar(&s.Address, "address", "", "HOST:PORT of the server, as its certificates name it")
	f.StringVar(&s.Mode, "mode", "gm", "gm: TLCP; tls: TLS")
	f.StringVar(&out, "out", "", "file to write, which must not exist")
	for name, file := range map[string]struct {
		field *string
		help  string
	}{
		"ca":       {&s.RootCert, "file of the CA that issued the server's certificates"},
		"cert":     {&s.ClientCert, "file of the signing certificate that the peer shows, or its TLS certificate"},
		"key":      {&s.ClientKey, "file of its key"},
		"enc-cert": {&s.ClientEncCert, "file of the encryption certificate"},
		"enc-key":  {&s.ClientEncKey, "file of its key"},
	} {
		files[name] = file.field
		f.String(name, "", file.help)
	}
	for _, name := range []string{"label", "address", "ca", "out"} {
		_ = c.MarkFlagRequired(name)
	}
	return c
}
