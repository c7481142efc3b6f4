// SPDX-License-Identifier: Apache-2.0

// Package inspect implements gmtls inspect. It says what certificates, keys, revocation lists, MSP folders, connection profiles and blocks
// are, whether they belong together, and what is wrong with them.
//
// A [Report] loads all files that are named together, as one [Item] for each object, and then compares the items with each other.
package inspect

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	files "github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/mspfolder"
)

// Item is one object that was found.
type Item struct {
	Where string         `json:"where"` // file, with the place in it
	Kind  string         `json:"kind"`
	Cert  *material.Info `json:"certificate,omitempty"`
	Note  string         `json:"note,omitempty"`

	file string // where it was read from; empty within a config block
	// side is set if it is of a document for one side of a connection, whose
	// authorities are those of the other side.
	side bool
	cert *x509.Certificate
	pub  crypto.PublicKey // of a private key
	crl  *files.List
	key  any // private; nil if it could not be opened

	encrypted bool // the key is, in its file
}

// Report is the result of an inspection.
type Report struct {
	Items    []*Item         `json:"items"`
	Findings []cause.Finding `json:"findings,omitempty"`
	ExitCode int             `json:"exit_code"`

	now      time.Time
	password []byte // opens encrypted keys
	// base is the folder against which a profile's paths are resolved; empty:
	// they are not followed.
	base string
	// objects counts what was parsed, mentions how often profiles name a file; referenced has those files.
	objects, mentions int
	referenced        map[string][]*Item
}

// maxObjects and maxReferenced bound one inspection: what a file names takes a few bytes in it, and objects are compared with each other.
const (
	maxObjects    = 5000
	maxReferenced = 1000
)

// maxDepth bounds nested JSON and YAML.
const maxDepth = 32

// maxFindings bounds what is told. Each finding is compared with all before it, and a file of a few megabytes could have a million.
const maxFindings = 1000

// kindKey is the kind of private keys, which others look for.
const kindKey = "private key"

func (r *Report) found(where string, findings ...cause.Finding) {
	for _, f := range findings {
		if where != "" {
			f.Detail = where + ": " + f.Detail
		}
		f.Detail = loglimit.Printable(f.Detail) // names of files may be a stranger's, too
		if len(r.Findings) > maxFindings || slices.Contains(r.Findings, f) {
			continue
		}
		if len(r.Findings) == maxFindings {
			f = cause.Find(cause.Unparsable, "more is wrong than the %d things that are told: mend these, and inspect again", maxFindings)
		}
		r.Findings = append(r.Findings, f)
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
		i.side = slices.Contains(documents, items[0].Kind)
		if i.file == "" { // a profile's keys may be in separate files
			i.file = name
		}
	}
	r.add(items...)
	r.checkMode(name, stat.Mode(), items)
	return items, nil
}

// checkMode finds a file with a key in the clear that others can read.
func (r *Report) checkMode(name string, mode os.FileMode, items []*Item) {
	if mode.Perm()&0o077 != 0 && slices.ContainsFunc(items, func(i *Item) bool { return i.pub != nil && !i.encrypted && i.file == name }) {
		r.found(name, cause.Warn(cause.KeyReadable, "its mode is %v", mode.Perm()))
	}
}

// parse reports what data is.
func (r *Report) parse(where string, data []byte) []*Item {
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 {
		r.found(where, cause.Find(cause.Unparsable, "it is empty"))
		return nil
	}
	if isUpdate(data) {
		r.found(where, cause.Find(cause.ConfigUpdate, "what it changes is not told here"))
		return nil
	}
	// Blocks carry PEM texts, so they come first; no text decodes as one.
	if items, ok := r.block(where, data); ok {
		return items
	}
	if trimmed[0] == '{' || trimmed[0] == '[' {
		return r.json(where, trimmed)
	}
	if rest, marked := bytes.CutPrefix(trimmed, []byte("\xef\xbb\xbf{")); marked {
		items := r.json(where, append([]byte("{"), rest...))
		if len(items) > 0 && items[0].Kind == kindConnection {
			r.found(where, cause.Find(cause.Unparsable, "it begins with a byte order mark, which the peer does not read in JSON: save it as UTF-8 without one"))
		}
		return items
	}
	if items, ok := r.yaml(where, data); ok {
		return items
	}
	return r.pem(where, data)
}

// pem takes in the objects of a file or field, as nodes read them.
func (r *Report) pem(where string, text []byte) []*Item {
	objects, err := files.Split(where, text)
	if err != nil {
		r.unreadable(err)
		return nil
	}
	if r.objects += len(objects); r.objects > maxObjects {
		r.found("", cause.Find(cause.Unparsable, "there are more than %d certificates, lists and keys, and not all are read: inspect fewer files at a time", maxObjects))
		return nil
	}
	var items []*Item
	before := len(r.Findings)
	for n, object := range objects {
		place := where
		if len(objects) > 1 {
			place = fmt.Sprintf("%s#%d", where, n+1)
		}
		if item := r.object(place, object); item != nil {
			items = append(items, item)
		}
	}
	if len(items) == 0 && len(r.Findings) == before { // curve parameters alone
		if _, err := files.Parse(where, text); err != nil {
			r.unreadable(err)
		}
	}
	return items
}

func (r *Report) unreadable(err error) {
	r.found("", cause.Find(unreadableBy(err), "%s", loglimit.Printable(err.Error())))
}

// unreadableBy is the cause of an error of a file: one that is whole may lack its password.
func unreadableBy(err error) cause.ID {
	if errors.Is(err, x509.ErrNoPassword) || errors.Is(err, x509.ErrWrongPassword) {
		return cause.KeyPassword
	}
	return cause.Unparsable
}

func (r *Report) object(place string, object files.Object) *Item {
	file, err := object.Parse()
	switch {
	case err != nil:
		r.unreadable(err)
	case len(file.Certificates) > 0:
		return r.certificate(place, file.Certificates[0].Certificate)
	case len(file.Lists) > 0:
		return r.list(place, file.Lists[0])
	case len(file.Keys) > 0:
		return r.key(place, file.Keys[0])
	}
	return nil // curve parameters, which openssl writes in front of a key
}

func (r *Report) key(place string, key *files.Key) *Item {
	opened, err := key.Open(r.password)
	if errors.Is(err, x509.ErrNoPassword) {
		r.found(place, cause.Warn(cause.KeyEncrypted, "it opens with its passphrase only (--passphrase-file)"))
		return &Item{Where: place, Kind: kindKey, Note: "encrypted"}
	}
	if err != nil {
		r.unreadable(err)
		return nil
	}
	r.checkSize(place, opened)
	item := &Item{Where: place, Kind: kindKey, Note: material.KeyName(opened), key: opened, encrypted: key.Encrypted()}
	if holder, ok := opened.(interface{ Public() crypto.PublicKey }); ok {
		item.pub = holder.Public()
	}
	return item
}

// checkSize finds keys, of certificates or private, that nodes take and with which they can do nothing.
func (r *Report) checkSize(place string, key any) {
	if err := x509.CheckKeySize(key); err != nil {
		r.found(place, cause.Find(cause.KeyShort, "%v", err))
	}
}

func (r *Report) certificate(place string, cert *x509.Certificate) *Item {
	info := material.Describe(cert, r.now)
	kind := "certificate"
	switch {
	case cert.IsCA && bytes.Equal(cert.RawSubject, cert.RawIssuer):
		kind = "root certificate"
	case cert.IsCA:
		kind = "intermediate certificate"
	case x509.IsSM2(cert.PublicKey) && x509.IsPairEncryption(cert) && !x509.IsPairSigning(cert):
		kind = "encryption certificate"
	case x509.IsSM2(cert.PublicKey):
		kind = "signing certificate"
	}
	r.found(place, material.CheckTime(cert, r.now)...)
	r.checkSize(place, cert.PublicKey)
	return &Item{Where: place, Kind: kind, Cert: &info, cert: cert}
}

func (r *Report) list(place string, list *files.List) *Item {
	next := list.TBSCertList.NextUpdate
	if !next.IsZero() && next.Before(r.now) {
		r.found(place, cause.Warn(cause.CRLStale, "the next update was due on %s", next.UTC().Format(time.DateTime)))
	}
	if err := mspfolder.NamesIssuer(list.CertificateList); err != nil {
		r.found(place, cause.Find(cause.CRLNoKeyID, "%s", loglimit.Printable(err.Error())))
	}
	return &Item{Where: place, Kind: "revocation list", crl: list,
		Note: fmt.Sprintf("of %s, %d revoked, next update %s", loglimit.Printable(list.TBSCertList.Issuer.String()),
			len(list.TBSCertList.RevokedCertificates), next.UTC().Format(time.DateOnly))}
}
