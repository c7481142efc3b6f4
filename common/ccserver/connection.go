// SPDX-License-Identifier: Apache-2.0

// Package ccserver reads connection.json, which tells the peer where the server of a ccaas chaincode is and how to connect. [Parse] checks
// the file and returns a [Connection]. The builder uses it when a package is installed, gmtls inspect before that, and the peer when it
// connects, so all of them accept and refuse the same files.
package ccserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// Connection is the content of connection.json. The first seven are upstream's, the last four ours.
type Connection struct {
	Address            string // host:port, or another target of gRPC with its scheme
	DialTimeout        any    // text with a unit, or a number of nanoseconds; absent means the peer's own
	TLSRequired        bool
	ClientAuthRequired bool
	ClientKey          string // PEM
	ClientCert         string // PEM
	RootCert           string // PEM
	TLSMode            string // tls, also when empty, or gm
	GMProtocol         string // what tls_mode gm speaks: TLCP, also when empty, or TLS13
	ClientEncCert      string // PEM; with tls_mode gm the second half of the pair
	ClientEncKey       string // PEM

	tlsSaid bool // whether tls_required is there
}

// FieldError says which field of a connection.json is wrong.
type FieldError struct {
	Field string
	Err   error
}

// Error names the field.
func (e *FieldError) Error() string { return fmt.Sprintf("%q %v", e.Field, e.Err) }

// Unwrap returns the reason.
func (e *FieldError) Unwrap() error { return e.Err }

func fieldError(field, format string, args ...any) error {
	return &FieldError{Field: field, Err: fmt.Errorf(format, args...)}
}

// minDialTimeout tells times from numbers that lack a unit: as the peer reads a bare 10, it is 10 ns.
const minDialTimeout = time.Millisecond

// fieldNames are those that the peer decodes.
var fieldNames = []string{
	"address", "dial_timeout", "tls_required", "client_auth_required", "client_key", "client_cert", "root_cert",
	"tls_mode", "gm_protocol", "client_enc_cert", "client_enc_key",
}

// fieldOf returns the field that the peer's decoder takes a name for, "" for none. It folds case as Unicode does, by which ſ is an s:
// a name that is taken for an unknown one here would replace a field there.
func fieldOf(name string) string {
	for _, field := range fieldNames {
		if strings.EqualFold(name, field) {
			return field
		}
	}
	return ""
}

// Parse decodes a connection.json and checks the type of each field. Names are compared without their case, as the peer does;
// fields that nobody knows are ignored.
func Parse(data []byte) (*Connection, error) {
	members, err := Members(data)
	if err != nil {
		return nil, err
	}
	return FromMembers(members)
}

// Members decodes a JSON object, in which no name is twice: a decoder takes the last, and who reads the file sees the first. Numbers stay as
// they are written.
func Members(data []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.Join(errNoObject, err)
	}
	members := map[string]any{}
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errors.Join(errNoObject, err)
		}
		if _, twice := members[name]; twice {
			return nil, fieldError(name, "is there twice: remove one")
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, errors.Join(errNoObject, err)
		}
		members[name] = value
	}
	if _, err := decoder.Token(); err != nil { // the brace
		return nil, errors.Join(errNoObject, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return members, nil
}

var errNoObject = errors.New("not a valid JSON object")

// FromMembers is Parse for an object that is decoded already.
func FromMembers(members map[string]any) (*Connection, error) {
	c := new(Connection)
	texts := map[string]*string{
		"address": &c.Address, "client_key": &c.ClientKey, "client_cert": &c.ClientCert, "root_cert": &c.RootCert,
		"tls_mode": &c.TLSMode, "gm_protocol": &c.GMProtocol, "client_enc_cert": &c.ClientEncCert, "client_enc_key": &c.ClientEncKey,
	}
	flags := map[string]*bool{"tls_required": &c.TLSRequired, "client_auth_required": &c.ClientAuthRequired}
	seen := map[string]bool{}
	for name, value := range members {
		field, ok := fieldOf(name), true
		switch {
		case texts[field] != nil:
			if *texts[field], ok = value.(string); !ok && value != nil {
				return nil, fieldError(field, "must be text")
			}
		case flags[field] != nil:
			if *flags[field], ok = value.(bool); !ok && value != nil {
				return nil, fieldError(field, "must be true or false")
			}
			c.tlsSaid = c.tlsSaid || ok && field == "tls_required"
		case field == "dial_timeout":
			if c.DialTimeout = value; value == nil { // which the peer refuses, when it connects
				return nil, fieldError("dial_timeout", "must be text with a unit, such as \"10s\"")
			}
		default:
			continue
		}
		if seen[field] {
			return nil, fieldError(field, "is there twice: remove one")
		}
		seen[field] = true
	}
	return c, nil
}

// Check checks the fields and what they hold: what it accepts, the peer can connect with.
func (c *Connection) Check() error {
	if err := c.CheckFields(); err != nil {
		return err
	}
	if !c.TLSRequired {
		return c.checkClear()
	}
	if err := c.checkRoots(); err != nil || !c.ClientAuthRequired {
		return err
	}
	leaf, err := c.checkPair("client_cert", c.ClientCert, "client_key", c.ClientKey)
	if err != nil || c.TLSMode != "gm" {
		return err
	}
	second, err := c.checkPair("client_enc_cert", c.ClientEncCert, "client_enc_key", c.ClientEncKey)
	if err != nil {
		return err
	}
	if err := x509.CheckPairUsage(leaf, second); errors.Is(err, x509.ErrPairSigningUsage) {
		return fieldError("client_cert", "cannot be used: %w", err)
	} else if err != nil {
		return fieldError("client_enc_cert", "cannot be used: %w", err)
	}
	if err := x509.CheckPairNames(leaf, second); err != nil {
		return fieldError("client_enc_cert", "does not go with client_cert: %w", err)
	}
	return nil
}

// checkClear refuses what only a connection with TLS has: the peer would connect in the clear, and present and verify nothing. Stock
// packages say tls_required false beside certificates. That is no mistake; without tls_required, or with its name misspelt, it is.
func (c *Connection) checkClear() error {
	switch {
	case c.ClientAuthRequired:
		return fieldError("tls_required", "must be true, since client_auth_required is")
	case c.TLSMode != "":
		return fieldError("tls_required", "must be true, since tls_mode is %s: or remove tls_mode", c.TLSMode)
	case c.tlsSaid:
		return nil
	}
	for _, f := range []struct{ field, value string }{{"root_cert", c.RootCert}, {"client_cert", c.ClientCert}, {"client_key", c.ClientKey}} {
		if f.value != "" {
			return fieldError("tls_required", "is missing, and %s is there: write true, or false for a connection in the clear", f.field)
		}
	}
	return nil
}

// CheckFields checks the fields among themselves, and reads no certificate.
func (c *Connection) CheckFields() error {
	if err := c.checkAddress(); err != nil {
		return err
	}
	if err := c.checkTimeout(); err != nil {
		return err
	}
	gm := c.TLSMode == "gm"
	switch {
	case c.TLSMode != "" && c.TLSMode != "tls" && !gm:
		return fieldError("tls_mode", "is %q: use tls or gm", c.TLSMode)
	case gm && !c.TLSRequired:
		return fieldError("tls_required", "must be true, since tls_mode is gm")
	case c.GMProtocol != "" && c.GMProtocol != "TLCP" && c.GMProtocol != "TLS13":
		return fieldError("gm_protocol", "is %q: use TLCP or TLS13", c.GMProtocol)
	case !gm && c.GMProtocol != "":
		return fieldError("gm_protocol", "is for tls_mode gm")
	case !gm && (c.ClientEncCert != "" || c.ClientEncKey != ""):
		return fieldError("client_enc_cert", "and client_enc_key are for tls_mode gm")
	case !c.TLSRequired:
		return nil
	}
	needed := []struct{ field, value string }{{"root_cert", c.RootCert}}
	if c.ClientAuthRequired {
		needed = append(needed, []struct{ field, value string }{{"client_cert", c.ClientCert}, {"client_key", c.ClientKey}}...)
		if gm {
			needed = append(needed, []struct{ field, value string }{{"client_enc_cert", c.ClientEncCert}, {"client_enc_key", c.ClientEncKey}}...)
		}
	}
	for _, n := range needed {
		if n.value == "" {
			return fieldError(n.field, "is missing or empty")
		}
	}
	return nil
}

// schemes begin targets that gRPC reads. It takes any other, such as https, for a part of a host's name.
var schemes = []string{"dns:", "unix:", "unix-abstract:", "passthrough:"}

// notInHost finds characters that no host has, as when the address has spaces around it or is a URL. The host may be a template.
func notInHost(r rune) bool { return r == '/' || unicode.IsSpace(r) || unicode.IsControl(r) }

func (c *Connection) checkAddress() error {
	switch {
	case c.Address == "":
		return fieldError("address", "is missing or empty")
	case slices.ContainsFunc(schemes, func(scheme string) bool { return strings.HasPrefix(c.Address, scheme) }):
		return nil
	}
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil || host == "" || !strings.Contains(host, "{{") && strings.ContainsFunc(host, notInHost) {
		return fieldError("address", "is %q: write host:port", c.Address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fieldError("address", "is %q: write host:port, with a port from 1 to 65535", c.Address)
	}
	return nil
}

// checkTimeout takes what the peer takes, but nothing that it takes for less than a millisecond.
func (c *Connection) checkTimeout() error {
	var timeout time.Duration
	switch value := c.DialTimeout.(type) {
	case nil:
		return nil
	case string:
		var err error
		if timeout, err = time.ParseDuration(value); err != nil {
			return fieldError("dial_timeout", "is %q: write a time with its unit, such as 10s", value)
		}
	case json.Number:
		n, err := value.Float64()
		if err != nil {
			return fieldError("dial_timeout", "is %s: write a time with its unit, such as \"10s\"", value)
		}
		timeout = time.Duration(n)
	case float64:
		timeout = time.Duration(value)
	default:
		return fieldError("dial_timeout", "must be text with a unit, such as \"10s\"")
	}
	if timeout != 0 && timeout < minDialTimeout {
		return fieldError("dial_timeout", "is %v, which the peer takes for %s: write a time with its unit, such as \"10s\"", c.DialTimeout, timeout)
	}
	return nil
}

func (c *Connection) checkRoots() error {
	roots, err := material.ParseCertificates("", []byte(c.RootCert))
	if err != nil {
		return fieldError("root_cert", "must be the PEM text of certificates, no path: %w", err)
	}
	gm := false
	for _, root := range roots {
		gm = gm || root.Family() == material.SM2
	}
	switch {
	case c.TLSMode == "gm" && !gm:
		return fieldError("root_cert", "holds no SM2 certificate, which tls_mode gm needs")
	case c.TLSMode != "gm" && allSM2(roots):
		return fieldError("root_cert", "holds SM2 certificates alone, which need tls_mode gm")
	}
	return nil
}

func allSM2(certs []*material.Certificate) bool {
	for _, c := range certs {
		if c.Family() != material.SM2 {
			return false
		}
	}
	return true
}

// checkPair returns the owner's certificate.
func (c *Connection) checkPair(certField, certText, keyField, keyText string) (*x509.Certificate, error) {
	file, err := material.Parse("", []byte(certText))
	if err != nil {
		return nil, fieldError(certField, "must be the PEM text of a certificate, no path: %w", err)
	}
	if _, err := file.Chain(nil); err != nil {
		return nil, fieldError(certField, "cannot be used: %w", err)
	}
	keys, err := material.Parse("", []byte(keyText))
	if err != nil {
		return nil, fieldError(keyField, "must be the PEM text of a private key, no path: %w", err)
	}
	key, err := keys.PrivateKey(nil)
	if err != nil {
		return nil, fieldError(keyField, "cannot be used: %w", err)
	}
	chain, err := file.Chain(key)
	if err != nil {
		return nil, fieldError(keyField, "does not go with %s: %w", certField, err)
	}
	if gm := chain[0].Family() == material.SM2; gm != (c.TLSMode == "gm") {
		return nil, fieldError(certField, "is %s, and tls_mode is %q", chain[0].Family(), c.mode())
	}
	return chain[0].Certificate, nil
}

func (c *Connection) mode() string {
	if c.TLSMode == "" {
		return "tls"
	}
	return c.TLSMode
}
