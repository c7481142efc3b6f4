// SPDX-License-Identifier: Apache-2.0

// Package inspect says what certificates, keys, lists, MSP folders and config
// blocks are, whether they belong together, and what is wrong with them.
package inspect

import (
	"bytes"
	"crypto"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// Item is one thing that was found.
type Item struct {
	Where string         `json:"where"` // file, with the place in it
	Kind  string         `json:"kind"`
	Cert  *material.Info `json:"certificate,omitempty"`
	Note  string         `json:"note,omitempty"`

	cert *x509.Certificate
	pub  crypto.PublicKey // of a private key
	crl  *x509.RevocationList
}

// Report is the result of an inspection.
type Report struct {
	Items    []*Item         `json:"items"`
	Findings []cause.Finding `json:"findings,omitempty"`
	ExitCode int             `json:"exit_code"`

	now time.Time
}

// maxDepth bounds nested JSON.
const maxDepth = 32

func (r *Report) found(where string, findings ...cause.Finding) {
	for _, f := range findings {
		if where != "" {
			f.Detail = where + ": " + f.Detail
		}
		if !slices.Contains(r.Findings, f) {
			r.Findings = append(r.Findings, f)
		}
	}
}

func (r *Report) add(items ...*Item) { r.Items = append(r.Items, items...) }

// finish sets the exit code.
func (r *Report) finish() *Report {
	if cause.Failed(r.Findings) {
		r.ExitCode = exit.Findings
	}
	return r
}

// load reads a file and takes its items in.
func (r *Report) load(name string) ([]*Item, error) {
	stat, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if stat.IsDir() {
		return nil, fmt.Errorf("%s is a folder; gmtls inspect --msp %s checks an MSP or a node's folder", name, name)
	}
	data, err := material.ReadFile(name)
	if err != nil {
		return nil, err
	}
	items := r.parse(name, data)
	r.add(items...)
	if stat.Mode().Perm()&0o077 != 0 && slices.ContainsFunc(items, func(i *Item) bool { return i.pub != nil }) {
		r.found(name, cause.Warn(cause.KeyReadable, "its mode is %v", stat.Mode().Perm()))
	}
	return items, nil
}

// parse tells what data is.
func (r *Report) parse(where string, data []byte) []*Item {
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 {
		r.found(where, cause.Find(cause.Unparsable, "it is empty"))
		return nil
	}
	// Blocks carry PEM texts, so they come first; no text decodes as one.
	if items, ok := r.block(where, data); ok {
		return items
	}
	switch {
	case trimmed[0] == '{':
		return r.json(where, trimmed)
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return r.pem(where, data)
	}
	if cert, err := x509.ParseCertificate(data); err == nil {
		return []*Item{r.certificate(where, cert)}
	}
	if list, err := x509.ParseRevocationList(data); err == nil {
		return []*Item{r.list(where, list)}
	}
	r.found(where, cause.Find(cause.Unparsable, "it is no PEM, JSON, DER certificate or list, nor a config block"))
	return nil
}

// pem takes in the blocks of a bundle.
func (r *Report) pem(where string, text []byte) []*Item {
	var items []*Item
	whole := bytes.Count(text, []byte("-----BEGIN "))
	for n := 1; ; n++ {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			if n-1 < whole {
				r.found(where, cause.Find(cause.Unparsable, "%d of %d PEM blocks can be decoded", n-1, whole))
			}
			return items
		}
		place := where
		if whole > 1 {
			place = fmt.Sprintf("%s#%d", where, n)
		}
		if item := r.pemBlock(place, block); item != nil {
			items = append(items, item)
		}
	}
}

func (r *Report) pemBlock(place string, block *pem.Block) *Item {
	var err error
	switch {
	case block.Type == "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			return r.certificate(place, cert)
		}
	case block.Type == "X509 CRL":
		var list *x509.RevocationList
		if list, err = x509.ParseRevocationList(block.Bytes); err == nil {
			return r.list(place, list)
		}
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return r.key(place, block)
	case strings.HasSuffix(block.Type, "PARAMETERS"):
		return nil // openssl writes them in front of a key
	default:
		return &Item{Where: place, Kind: "other", Note: "PEM block " + wire.Printable(block.Type)}
	}
	r.found(place, cause.Find(cause.Unparsable, "%s: %v", block.Type, err))
	return nil
}

func (r *Report) key(place string, block *pem.Block) *Item {
	key, err := x509.ParsePrivateKeyPEM(pem.EncodeToMemory(block), nil)
	if errors.Is(err, x509.ErrNoPassword) {
		r.found(place, cause.Warn(cause.KeyEncrypted, "it opens with a password only"))
		return &Item{Where: place, Kind: "private key", Note: "encrypted"}
	}
	if err != nil {
		r.found(place, cause.Find(cause.Unparsable, "private key: %v", err))
		return nil
	}
	item := &Item{Where: place, Kind: "private key", Note: material.KeyName(key)}
	if holder, ok := key.(interface{ Public() crypto.PublicKey }); ok {
		item.pub = holder.Public()
	}
	return item
}

func (r *Report) certificate(place string, cert *x509.Certificate) *Item {
	info := material.Describe(cert, r.now)
	kind := "certificate"
	switch {
	case cert.IsCA && bytes.Equal(cert.RawSubject, cert.RawIssuer):
		kind = "root certificate"
	case cert.IsCA:
		kind = "intermediate certificate"
	case !material.CanSign(cert):
		kind = "encryption certificate"
	case x509.IsSM2(cert.PublicKey):
		kind = "signing certificate"
	}
	r.found(place, material.CheckTime(cert, r.now)...)
	return &Item{Where: place, Kind: kind, Cert: &info, cert: cert}
}

func (r *Report) list(place string, list *x509.RevocationList) *Item {
	if !list.NextUpdate.IsZero() && list.NextUpdate.Before(r.now) {
		r.found(place, cause.Find(cause.CRLStale, "the next update was due on %s", list.NextUpdate.UTC().Format(time.DateTime)))
	}
	return &Item{Where: place, Kind: "revocation list", crl: list,
		Note: fmt.Sprintf("of %s, %d revoked, next update %s", wire.Printable(list.Issuer.String()),
			len(list.RevokedCertificateEntries), list.NextUpdate.UTC().Format(time.DateOnly))}
}

// json takes in a connection.json of an external chaincode, and the PEM texts in
// any other JSON, connection profiles among them.
func (r *Report) json(where string, data []byte) []*Item {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		r.found(where, cause.Find(cause.Unparsable, "JSON: %v", err))
		return nil
	}
	items := []*Item{{Where: where, Kind: "JSON"}}
	if object := value.(map[string]any); object["address"] != nil || object["tls_required"] != nil {
		items[0].Kind = "connection.json"
		r.connection(where, object, items[0])
	}
	return append(items, r.walk(where, value, 0)...)
}

func (r *Report) walk(where string, value any, depth int) []*Item {
	var items []*Item
	switch v := value.(type) {
	case string:
		if strings.Contains(v, "-----BEGIN ") {
			return r.pem(where, []byte(v))
		}
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			if depth < maxDepth {
				items = append(items, r.walk(where+":"+wire.Printable(key), v[key], depth+1)...)
			}
		}
	case []any:
		for i, element := range v {
			if depth < maxDepth {
				items = append(items, r.walk(fmt.Sprintf("%s[%d]", where, i), element, depth+1)...)
			}
		}
	}
	return items
}

// connection checks the fields of a connection.json among themselves.
func (r *Report) connection(where string, object map[string]any, item *Item) {
	text := func(key string) string { s, _ := object[key].(string); return s }
	need := func(key, why string) {
		if text(key) == "" {
			r.found(where, cause.Find(cause.Unparsable, "%s is missing, %s", key, why))
		}
	}
	item.Note = "address " + wire.Printable(text("address"))
	need("address", "so there is nothing to connect to")
	if required, _ := object["tls_required"].(bool); !required {
		item.Note += ", without TLS"
		return
	}
	need("root_cert", "with tls_required the server cannot be verified")
	if required, _ := object["client_auth_required"].(bool); required {
		need("client_cert", "which client_auth_required demands")
		need("client_key", "which client_auth_required demands")
	}
}
