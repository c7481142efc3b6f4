// SPDX-License-Identifier: Apache-2.0

// Package material loads certificates and keys for the commands of gmtls, and checks them. Its functions return findings of package
// cause: [CheckServer] for the certificate of a server, [CheckPair] for the two of a TLCP pair, [CheckChain] for a chain.
package material

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	files "github.com/hyperledger/fabric/common/crypto/material"
)

// MaxFile is the size in bytes up to which files are read.
const MaxFile = 64 << 20

// ReadFile reads a regular file of MaxFile bytes at most.
func ReadFile(name string) ([]byte, error) {
	return files.ReadBounded(name, MaxFile)
}

// ReadYAML decodes a file of one YAML document without unknown keys. What follows the first document would not be read.
// It is what settings.DecodeOne does for other programs; gmtls links no settings of nodes.
func ReadYAML(name string, into any) error {
	data, err := ReadFile(name)
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: it is empty", name)
	} else if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: something follows the first document, and one is read: join them", name)
	}
	return nil
}

// CreateKeyLog opens a key log file for appending. Only its owner can read it.
func CreateKeyLog(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the key log: %w", err)
	}
	return f, nil
}

// Roots are the authorities given by the user. Nil means none were given.
type Roots struct {
	Certs []*x509.Certificate
	Pool  *x509.CertPool
}

// LoadRoots reads files of certificates, as nodes read theirs; nil without files.
func LoadRoots(names []string) (*Roots, error) {
	if len(names) == 0 {
		return nil, nil
	}
	r := &Roots{Pool: x509.NewCertPool()}
	for _, name := range names {
		certs, err := files.ReadCertificates(name)
		if err != nil {
			return nil, fmt.Errorf("reading roots: %w", err)
		}
		for _, c := range certs {
			r.Certs = append(r.Certs, c.Certificate)
			r.Pool.AddCert(c.Certificate)
		}
	}
	return r, nil
}

// Certificates parses every CERTIFICATE block of PEM text that stands in a block of a channel; there must be one.
func Certificates(text []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("there is no CERTIFICATE block in it")
	}
	return certs, nil
}

// Own names the files of a party's own certificates and keys: a TLCP pair and a
// TLS certificate.
type Own struct {
	Cert, Key, EncCert, EncKey string
	TLSCert, TLSKey            string
	Prefix                     string // of the flags, for errors
}

// Flags adds the flags that name the files. who is their owner, for the help text.
func (o *Own) Flags(flags *pflag.FlagSet, who string) {
	flags.StringVar(&o.Cert, "cert", "", "the "+who+"'s SM2 signing certificate for TLCP, PEM")
	flags.StringVar(&o.Key, "key", "", "key of --cert")
	flags.StringVar(&o.EncCert, "enc-cert", "", "the "+who+"'s SM2 encryption certificate for TLCP, PEM")
	flags.StringVar(&o.EncKey, "enc-key", "", "key of --enc-cert")
	flags.StringVar(&o.TLSCert, "tls-cert", "", "the "+who+"'s certificate for TLS, PEM")
	flags.StringVar(&o.TLSKey, "tls-key", "", "key of --tls-cert")
}

// RefuseEmpty refuses a flag that is given without a value, as by a script whose variable is not set: nobody would be verified by roots
// that are in no file. Only --alpn may be empty, for no protocol.
func RefuseEmpty(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if f.Name != "alpn" && (len(values) == 0 || slices.Contains(values, "")) {
			err = errors.Join(err, fmt.Errorf("--%s is given and empty: give it a value, or leave it out", f.Name))
		}
	})
	return err
}

// Pair loads the TLCP pair; nil without flags.
func (o *Own) Pair() (*gmtls.Certificate, error) {
	switch given := count(o.Cert, o.Key, o.EncCert, o.EncKey); given {
	case 0:
		return nil, nil
	case 4:
	default:
		return nil, fmt.Errorf("--%[1]scert, --%[1]skey, --%[1]senc-cert and --%[1]senc-key must be given together: a TLCP pair has two certificates with a key each", o.Prefix)
	}
	pair, err := gmtls.LoadX509KeyPair(o.Cert, o.Key, o.EncCert, o.EncKey)
	if err != nil {
		return nil, err
	}
	return &pair, nil
}

// TLS loads the TLS certificate as nodes read theirs; nil without flags.
func (o *Own) TLS() (*tls.Certificate, error) {
	switch count(o.TLSCert, o.TLSKey) {
	case 0:
		return nil, nil
	case 1:
		return nil, fmt.Errorf("--%[1]stls-cert and --%[1]stls-key must be given together", o.Prefix)
	}
	cert, err := files.ReadTLSPair(o.TLSCert, o.TLSKey)
	if err != nil {
		return nil, err
	}
	return &cert, nil
}

func count(values ...string) int {
	n := 0
	for _, v := range values {
		if v != "" {
			n++
		}
	}
	return n
}
