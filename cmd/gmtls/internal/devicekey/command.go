// SPDX-License-Identifier: Apache-2.0

// Package devicekey implements the subcommands of gmtls key for keys in cryptographic devices, which gmkeyd gives access to.
package devicekey

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"text/tabwriter"

	"github.com/emmansun/gmsm/sm2"
	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/output"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/safefile"
)

// Commands returns the subcommands.
func Commands() []*cobra.Command {
	return []*cobra.Command{listCommand(), referenceCommand(), requestCommand(), checkCommand()}
}

func socketFlag(c *cobra.Command, socket *string) {
	c.Flags().StringVar(socket, "socket", keyd.DefaultSocket, "socket of gmkeyd")
}

func listCommand() *cobra.Command {
	var socket string
	var format output.Format
	c := &cobra.Command{
		Use:   "list",
		Short: "list the keys of the devices behind gmkeyd that this user may use",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := format.Check(); err != nil {
				return err
			}
			keys, err := keyd.ClientFor(socket).List(c.Context())
			if err != nil {
				return &exit.Error{Code: exit.Connect, Err: err}
			}
			code := exit.OK
			for _, k := range keys {
				if k.Error != "" && !k.Spare {
					code = exit.Findings
				}
			}
			if err := format.Write(c.OutOrStdout(), keys, func(w io.Writer) { writeList(w, keys) }); err != nil {
				return err
			}
			return exit.Silently(code)
		},
	}
	socketFlag(c, &socket)
	format.Flag(c.Flags())
	return c
}

func writeList(w io.Writer, keys []keyd.KeyState) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	for _, k := range keys {
		for _, field := range []string{k.URI, k.Device, k.Kind, strings.Join(k.Use, ",")} {
			fmt.Fprint(t, loglimit.Printable(field)+"\t")
		}
		fmt.Fprintln(t, loglimit.Printable(k.Error))
	}
}

func referenceCommand() *cobra.Command {
	var socket, out, public string
	c := &cobra.Command{
		Use:   "reference URI",
		Short: "write the file that refers to a key in a device, or its public key",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" && public == "" {
				return errors.New("--out or --public is needed")
			}
			r, err := fetch(c.Context(), socket, args[0])
			if err != nil {
				return err
			}
			if out != "" {
				text, err := r.Encode()
				if err != nil {
					return err
				}
				if err := safefile.Create(safefile.File{Name: out, Data: text, Mode: 0o644}); err != nil {
					return err
				}
			}
			if public == "" {
				return nil
			}
			text, err := x509.MarshalPublicKeyPEM(r.Public)
			if err != nil {
				return err
			}
			return safefile.Create(safefile.File{Name: public, Data: text, Mode: 0o644})
		},
	}
	socketFlag(c, &socket)
	c.Flags().StringVar(&out, "out", "", "file to write the reference to")
	c.Flags().StringVar(&public, "public", "", "file to write the public key to, in PEM")
	return c
}

// fetch asks the daemon for the public key of a URI.
func fetch(ctx context.Context, socket, text string) (keyd.Reference, error) {
	uri, err := keyd.ParseURI(text)
	if err != nil {
		return keyd.Reference{}, err
	}
	der, err := keyd.ClientFor(socket).Do(ctx, keyd.OpPublic, uri.String(), nil)
	if err != nil {
		return keyd.Reference{}, &exit.Error{Code: exit.Connect, Err: err}
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return keyd.Reference{}, fmt.Errorf("public key of %s: %w", uri, err)
	}
	return keyd.Reference{URI: uri, Socket: socket, Public: public}, nil
}

// open makes a key of a file that refers to one in a device.
func open(name string) (*keyd.Key, error) {
	file, err := material.Read(name)
	if err != nil {
		return nil, err
	}
	key, err := file.PrivateKey(nil)
	if err != nil {
		return nil, err
	}
	device, ok := key.(*keyd.Key)
	if !ok {
		return nil, fmt.Errorf("%s holds a private key, and no reference to one in a device", name)
	}
	return device, nil
}

func requestCommand() *cobra.Command {
	var subject, out string
	var names, addresses []string
	c := &cobra.Command{
		Use:   "request FILE",
		Short: "make a certificate request (PKCS #10) for the key that FILE refers to",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if out == "" || subject == "" {
				return errors.New("--out and --subject are needed")
			}
			name, err := parseSubject(subject)
			if err != nil {
				return err
			}
			template := &x509.CertificateRequest{Subject: name, DNSNames: names}
			for _, a := range addresses {
				ip := net.ParseIP(a)
				if ip == nil {
					return fmt.Errorf("--ip %s is not an address", a)
				}
				template.IPAddresses = append(template.IPAddresses, ip)
			}
			key, err := open(args[0])
			if err != nil {
				return err
			}
			if key.Reference().URI.Usage == keyd.UsageEncrypt {
				return fmt.Errorf("%s is an encryption key and signs no request: give the CA its public key (gmtls key reference --public FILE)", key)
			}
			der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
			if err != nil {
				return &exit.Error{Code: exit.Connect, Err: err}
			}
			return safefile.Create(safefile.File{Name: out, Data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), Mode: 0o644})
		},
	}
	flags := c.Flags()
	flags.StringVar(&subject, "subject", "", "subject, such as CN=peer0.org1.example.com,OU=peer,O=org1,C=CN")
	flags.StringArrayVar(&names, "dns", nil, "host name; may be repeated")
	flags.StringArrayVar(&addresses, "ip", nil, "address; may be repeated")
	flags.StringVar(&out, "out", "", "file to write the request to")
	return c
}

// parseSubject reads TYPE=VALUE pairs between commas. A comma in a value is written as \, (RFC 4514).
func parseSubject(text string) (pkix.Name, error) {
	var name pkix.Name
	fields := map[string]*[]string{
		"C": &name.Country, "O": &name.Organization, "OU": &name.OrganizationalUnit, "L": &name.Locality, "ST": &name.Province,
	}
	const mark = "\x00"
	for part := range strings.SplitSeq(strings.ReplaceAll(text, `\,`, mark), ",") {
		kind, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		value = strings.ReplaceAll(value, mark, ",")
		if !ok || value == "" {
			return name, fmt.Errorf("--subject: %q is not TYPE=VALUE", part)
		}
		switch kind = strings.ToUpper(kind); {
		case kind == "CN" && name.CommonName == "":
			name.CommonName = value
		case kind == "SERIALNUMBER" && name.SerialNumber == "":
			name.SerialNumber = value
		case fields[kind] != nil:
			*fields[kind] = append(*fields[kind], value)
		default:
			return name, fmt.Errorf("--subject: %s is not known or occurs twice; known are CN, OU, O, L, ST, C, SERIALNUMBER", kind)
		}
	}
	return name, nil
}

func checkCommand() *cobra.Command {
	var cert string
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "use the key that FILE refers to, and check that it belongs to a certificate",
		Long: `Has the device sign, or decrypt what is encrypted here, and checks the result with the public key of the certificate.

Exit codes: 0 all is well; 1 wrong usage, or a file that cannot be read; 2 gmkeyd or the device cannot do it; 5 the key does not belong
to the certificate, or the device has another key.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			key, err := open(args[0])
			if err != nil {
				return err
			}
			if cert != "" {
				file, err := material.Read(cert)
				if err != nil {
					return err
				}
				if _, err := file.Chain(key); err != nil {
					return &exit.Error{Code: exit.Findings, Err: err}
				}
			}
			if err := use(c.Context(), key); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s works, and belongs to %s\n", key, strings.TrimSuffix("the reference and "+cert, " and "))
			return nil
		},
	}
	c.Flags().StringVar(&cert, "cert", "", "certificate of the key")
	return c
}

// use has the device use the key once.
func use(ctx context.Context, key *keyd.Key) error {
	if err := key.Check(ctx); err != nil {
		return failed(err)
	}
	public := key.Public().(*ecdsa.PublicKey)
	if key.Reference().URI.Usage == keyd.UsageEncrypt {
		secret := []byte(rand.Text())
		ciphertext, err := sm2.EncryptASN1(rand.Reader, public, secret)
		if err != nil {
			return err
		}
		plain, err := key.Decrypt(nil, ciphertext, nil)
		if err != nil {
			return failed(err)
		}
		if !bytes.Equal(plain, secret) {
			return &exit.Error{Code: exit.Findings, Err: fmt.Errorf("%s decrypts to something else than was encrypted", key)}
		}
		return nil
	}
	digest := sha256.Sum256([]byte(rand.Text()))
	var opts crypto.SignerOpts = crypto.SHA256
	if x509.IsSM2(public) {
		opts = sm2.DefaultSM2SignerOpts
	}
	if _, err := key.SignContext(ctx, digest[:], opts); err != nil { // which verifies
		return failed(err)
	}
	return nil
}

// failed tells a daemon or device that cannot do it from a wrong key.
func failed(err error) error {
	var e *keyd.Error
	if errors.As(err, &e) && e.Code != keyd.WrongKey {
		return &exit.Error{Code: exit.Connect, Err: err}
	}
	return &exit.Error{Code: exit.Findings, Err: err}
}
