// SPDX-License-Identifier: Apache-2.0

// Package key implements gmtls key. It says what a file with a private key is, and converts the forms that CAs deliver into one that
// nodes read.
package key

import (
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/devicekey"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	tool "github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/output"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// Command returns gmtls key.
func Command() *cobra.Command {
	var (
		r      request
		format output.Format
	)
	c := &cobra.Command{
		Use:   "key FILE",
		Short: "say what a private key file is, and convert it to a form that nodes read",
		Long: `Reads a private key in PEM, DER or base64: PKCS #8 and SEC 1, plain or encrypted (openssl, GmSSL); and as Chinese CAs deliver an
encryption key: SM2EnvelopedKey (GM/T 0009), CSRResponse (GM/T 0092), a CFCA .sm2 file or answer. For PKCS #12 it says how openssl
opens it. Of a .p7b file (PKCS #7, GM/T 0010) --out-cert takes the certificates. With --out it writes the key as PKCS #8 in PEM, readable only by its owner, and overwrites no file.

A passphrase file has the passphrase in its first line. "-" is standard input, $CREDENTIALS_DIRECTORY/NAME a credential of systemd.

Exit codes: 0 nothing is wrong; 1 wrong usage, or a file that cannot be read, opened or written; 5 the key does not belong to the
certificate of --cert.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := format.Check(); err != nil {
				return err
			}
			r.file, r.stdin = args[0], c.InOrStdin()
			result, err := r.run()
			if err != nil {
				return err
			}
			if err := format.Write(c.OutOrStdout(), result, result.write); err != nil {
				return err
			}
			return exit.Silently(result.ExitCode)
		},
	}
	flags := c.Flags()
	flags.StringVar(&r.passphrase, "passphrase-file", "", "passphrase file that opens FILE")
	flags.StringVar(&r.with, "decrypt-with", "", "key file that opens an envelope: the signing key of the pair, or the temporary key of the request to CFCA")
	flags.StringVar(&r.withPassphrase, "decrypt-with-passphrase-file", "", "passphrase file of --decrypt-with")
	flags.StringVar(&r.cert, "cert", "", "check that the key belongs to this certificate")
	flags.StringVar(&r.out, "out", "", "file to write the key to")
	flags.StringVar(&r.outPassphrase, "out-passphrase-file", "", "passphrase file that encrypts --out")
	flags.StringVar(&r.outCert, "out-cert", "", "file to write the certificates of FILE to")
	format.Flag(flags)
	c.AddCommand(devicekey.Commands()...)
	return c
}

type request struct {
	file, passphrase           string
	with, withPassphrase, cert string
	out, outPassphrase         string
	outCert                    string
	stdin                      io.Reader
}

// result says what the file is and what was written.
type result struct {
	File         string        `json:"file"`
	Form         material.Form `json:"form"`
	Needs        string        `json:"needs,omitempty"` // what was not given to open it
	Key          string        `json:"key,omitempty"`
	PublicKey    string        `json:"public_key_sha256,omitempty"` // of SubjectPublicKeyInfo
	Certificates []string      `json:"certificates,omitempty"`      // subjects
	BelongsTo    string        `json:"belongs_to,omitempty"`        // the subject of --cert
	Mismatch     string        `json:"mismatch,omitempty"`
	Written      []string      `json:"written,omitempty"`
	ExitCode     int           `json:"exit_code"`
}

func (r request) run() (*result, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	s, outPassword, err := r.secrets()
	if err != nil {
		return nil, err
	}
	o, err := open(r.file, s)
	if err != nil {
		return nil, named(r.file, err)
	}
	result := &result{File: r.file, Form: o.form}
	for _, c := range o.certs {
		result.Certificates = append(result.Certificates, tool.Describe(c, time.Now()).Subject)
	}
	if o.missing != nil {
		if r.out != "" || r.cert != "" {
			return nil, named(r.file, fmt.Errorf("it is %s; %w", o.form, o.missing))
		}
		result.Needs = o.missing.Error()
	} else if err := r.describe(result, o); err != nil {
		return nil, err
	}
	if result.ExitCode != exit.OK {
		return result, nil
	}
	return result, r.write(result, o, outPassword)
}

// check refuses flags that do not go together.
func (r request) check() error {
	inputs := 0
	for _, name := range []string{r.file, r.passphrase, r.withPassphrase, r.outPassphrase} {
		if name == "-" {
			inputs++
		}
	}
	switch {
	case r.file == "-":
		return errors.New("the key is read from a file; standard input is for a passphrase")
	case inputs > 1:
		return errors.New("standard input (-) can give only one passphrase")
	case r.outPassphrase != "" && r.out == "":
		return errors.New("--out-passphrase-file encrypts what --out names, which is missing")
	case r.out != "" && r.out == r.outCert:
		return errors.New("--out and --out-cert name one file, and the key belongs into one that only its owner reads")
	case r.withPassphrase != "" && r.with == "":
		return errors.New("--decrypt-with-passphrase-file opens what --decrypt-with names, which is missing")
	}
	return nil
}

func (r request) secrets() (s secrets, out []byte, err error) {
	if s.password, err = r.password(r.passphrase); err != nil {
		return s, nil, err
	}
	if out, err = r.password(r.outPassphrase); err != nil || r.with == "" {
		return s, out, err
	}
	password, err := r.password(r.withPassphrase)
	if err != nil {
		return s, nil, err
	}
	o, err := open(r.with, secrets{password: password})
	switch {
	case err != nil:
		return s, nil, named(r.with, err)
	case o.missing != nil && len(password) == 0 && errors.Is(o.missing, errNeedsPassword):
		return s, nil, fmt.Errorf("%s: it is encrypted; give --decrypt-with-passphrase-file", r.with)
	case o.missing != nil:
		return s, nil, fmt.Errorf("%s: it is %s; open it first: gmtls key", r.with, o.form)
	}
	with, ok := o.key.(*sm2.PrivateKey)
	if !ok {
		return s, nil, fmt.Errorf("%s: its key is %s; an envelope opens with an SM2 key", r.with, tool.KeyName(public(o.key)))
	}
	s.with = with
	return s, out, nil
}

func (r request) password(name string) ([]byte, error) {
	if name != "-" {
		return x509.ReadPasswordFile(name)
	}
	password, err := x509.ReadPassword(r.stdin)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return password, nil
}

// describe tells of the key, and whether it belongs to --cert.
func (r request) describe(result *result, o *opened) error {
	pub := public(o.key)
	result.Key = tool.KeyName(pub)
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return named(r.file, err)
	}
	sum := sha256.Sum256(der)
	result.PublicKey = hex.EncodeToString(sum[:])
	if r.cert == "" {
		return nil
	}
	file, err := material.Read(r.cert)
	if err != nil {
		return err
	}
	chain, err := file.Chain(nil)
	if err != nil {
		return err
	}
	for _, cert := range chain { // a file may have both certificates of a pair
		if x509.CheckKeyPair(cert.Certificate, o.key) == nil {
			result.BelongsTo = tool.Describe(cert.Certificate, time.Now()).Subject
			return nil
		}
	}
	result.Mismatch, result.ExitCode = fmt.Sprintf("%s: %v", r.cert, x509.CheckKeyPair(chain[0].Certificate, o.key)), exit.Findings
	return nil
}

func (r request) write(result *result, o *opened, password []byte) error {
	if r.outCert != "" && len(o.certs) == 0 {
		return fmt.Errorf("%s holds no certificate for --out-cert", r.file)
	}
	for _, name := range []string{r.out, r.outCert} { // before the first of them is written
		if err := isNew(name); err != nil {
			return err
		}
	}
	if r.out != "" {
		text, err := x509.MarshalPrivateKeyPEM(o.key, password)
		if err != nil {
			return named(r.file, err)
		}
		if err := create(r.out, text, 0o600); err != nil {
			return err
		}
		result.Written = append(result.Written, r.out)
	}
	if r.outCert == "" {
		return nil
	}
	if err := create(r.outCert, certificatesPEM(o.certs), 0o644); err != nil {
		if r.out != "" { // so that the same call can be made again
			err = errors.Join(err, os.Remove(r.out))
		}
		return err
	}
	result.Written = append(result.Written, r.outCert)
	return nil
}

func (r *result) write(w io.Writer) {
	fmt.Fprintf(w, "%s: it is %s\n", r.File, r.Form)
	if r.Needs != "" {
		fmt.Fprintln(w, r.Needs)
	}
	if r.Key != "" {
		fmt.Fprintf(w, "key     %s, public half sha256 %s\n", r.Key, r.PublicKey)
	}
	for _, subject := range r.Certificates {
		fmt.Fprintln(w, "with    the certificate "+subject)
	}
	if r.BelongsTo != "" {
		fmt.Fprintln(w, "belongs to the certificate "+r.BelongsTo)
	}
	if r.Mismatch != "" {
		fmt.Fprintln(w, r.Mismatch)
	}
	for _, name := range r.Written {
		fmt.Fprintln(w, "written "+name)
	}
}

func public(key any) any {
	if holder, ok := key.(interface{ Public() crypto.PublicKey }); ok {
		return holder.Public()
	}
	return nil
}

// named puts the file in front of an error that does not name it.
func named(file string, err error) error {
	var reading *material.Error
	var system *os.PathError
	if errors.As(err, &reading) || errors.As(err, &system) {
		return err
	}
	return fmt.Errorf("%s: %w", file, err)
}
