// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/output"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/safefile"
)

// Command returns gmtls pki.
func Command() *cobra.Command {
	var (
		names  []string
		days   int
		format output.Format
	)
	c := &cobra.Command{
		Use:   "pki DIR",
		Short: "make a small CA with TLCP pairs and TLS certificates for a server and a client, for testing",
		Long: `Writes into DIR, which must not hold any of them yet:

  gm-ca.crt gm-ca.key                          the SM2 authority
  server-sign.crt .key server-enc.crt .key     a server's TLCP pair; client-sign, client-enc likewise
  ca.crt ca.key server.crt .key client.crt .key   the same for TLS, on P-256

The keys are not encrypted. Use them for tests, and a real CA in production.
Exit codes: 0 all is written; 1 nothing or not all is.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if days < 1 || days > 3650 {
				return errors.New("--days must be from 1 to 3650")
			}
			if err := format.Check(); err != nil {
				return err
			}
			files, err := set(names, days)
			if err != nil {
				return err
			}
			if err := store(args[0], files); err != nil {
				return err
			}
			written := struct {
				Dir   string   `json:"directory"`
				Files []string `json:"files"`
			}{Dir: args[0]}
			for _, f := range files {
				written.Files = append(written.Files, f.name)
			}
			return format.Write(c.OutOrStdout(), written, func(w io.Writer) {
				fmt.Fprintf(w, "%d files written to %s\n", len(files), args[0])
			})
		},
	}
	c.Flags().StringSliceVar(&names, "name", []string{"localhost", "127.0.0.1", "::1"}, "names and addresses of the server")
	c.Flags().IntVar(&days, "days", 30, "validity")
	format.Flag(c.Flags())
	return c
}

// file is a file to be written.
type file struct {
	name string
	data []byte
	mode os.FileMode
}

// set makes the whole set of files.
func set(names []string, days int) ([]file, error) {
	notBefore := time.Now().Add(-5 * time.Minute)
	notAfter := notBefore.AddDate(0, 0, days)
	var files []file
	add := func(name string, cert *x509.Certificate, key crypto.Signer) error {
		text, err := x509.MarshalPrivateKeyPEM(key, nil)
		if err != nil {
			return fmt.Errorf("encoding the key of %s: %w", name, err)
		}
		files = append(files, file{name + ".crt", CertPEM(cert), 0o644}, file{name + ".key", text, 0o600})
		return nil
	}
	for _, family := range []struct {
		gm     bool
		ca     string
		leaves []string
	}{
		{true, "gm-ca", []string{"server-sign", "server-enc", "client-sign", "client-enc"}},
		{false, "ca", []string{"server", "client"}},
	} {
		ca, err := NewCA("test "+family.ca, family.gm, notBefore, notAfter)
		if err != nil {
			return nil, err
		}
		if err := add(family.ca, ca.Cert, ca.Key); err != nil {
			return nil, err
		}
		for _, leaf := range family.leaves {
			usage := SignUsage
			if leaf == "server-enc" || leaf == "client-enc" {
				usage = EncUsage
			}
			subject, own := "client", []string(nil)
			if leaf[0] == 's' {
				subject, own = "server", names
			}
			cert, key, err := ca.Issue(Leaf(subject, own, usage, notBefore, notAfter))
			if err != nil {
				return nil, err
			}
			if err := add(leaf, cert, key); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// store writes the files and overwrites none.
func store(dir string, files []file) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f.name)); err == nil {
			return fmt.Errorf("%s is there already; nothing was written", filepath.Join(dir, f.name))
		}
	}
	for _, f := range files {
		if err := safefile.Create(safefile.File{Name: filepath.Join(dir, f.name), Data: f.data, Mode: f.mode}); err != nil {
			return err
		}
	}
	return nil
}
