// SPDX-License-Identifier: Apache-2.0

// Package inspect says what certificates, keys, lists, MSP folders and config
// blocks are, whether they belong together, and what is wrong with them.
package inspect

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

	file string // where it was read from; empty within a config block
	// side tells that it is of a document for one side of a connection, whose
	// authorities are those of the other side.
	side bool
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
	// base is the folder against which a profile's paths are resolved; empty:
	// they are not followed.
	base string
}

// maxDepth bounds nested JSON and YAML.
const maxDepth = 32

// kindKey is the kind of private keys, which others look for.
const kindKey = "private key"

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
	r.base = filepath.Dir(name)
	items := r.parse(name, data)
	r.base = ""
	for _, i := range items {
		i.file, i.side = name, slices.Contains(documents, items[0].Kind)
	}
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
	if trimmed[0] == '{' || trimmed[0] == '[' {
		return r.json(where, trimmed)
	}
	if items, ok := r.yaml(where, data); ok {
		return items
	}
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		return r.pem(where, data)
	}
	if cert, err := x509.ParseCertificate(data); err == nil {
		return []*Item{r.certificate(where, cert)}
	}
	if list, err := x509.ParseRevocationList(data); err == nil {
		return []*Item{r.list(where, list)}
	}
	r.found(where, cause.Find(cause.Unparsable, "it is no PEM text, JSON, connection profile or YAML with PEM texts, DER certificate or list, nor a config block"))
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
		return &Item{Where: place, Kind: kindKey, Note: "encrypted"}
	}
	if err != nil {
		r.found(place, cause.Find(cause.Unparsable, "private key: %v", err))
		return nil
	}
	item := &Item{Where: place, Kind: kindKey, Note: material.KeyName(key)}
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
