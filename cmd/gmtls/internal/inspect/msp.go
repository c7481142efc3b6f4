// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	files "github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/mspfolder"
)

// mspFolder is what the folders of an MSP hold.
type mspFolder struct {
	dir                              string
	roots, intermediates             []*Item
	tlsRoots, tlsIntermediates       []*Item
	admins, signers, keystore, lists []*Item
}

// node checks an MSP folder, or the folder of a node or user that holds msp and
// tls folders.
func (r *Report) node(dir string) error {
	stat, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !stat.IsDir() {
		return fmt.Errorf("%s is a file; --msp needs a folder", dir)
	}
	mspDir, tlsDir := dir, ""
	if isDir(filepath.Join(dir, "msp")) {
		mspDir = filepath.Join(dir, "msp")
		if isDir(filepath.Join(dir, "tls")) {
			tlsDir = filepath.Join(dir, "tls")
		}
	}
	if tlsDir == "" && !isDir(filepath.Join(mspDir, "cacerts")) && !isDir(filepath.Join(mspDir, "signcerts")) && holdsCerts(mspDir) {
		return r.checkTLS(mspDir, new(mspFolder)) // the tls folder of a node by itself
	}
	m, err := r.readMSP(mspDir)
	if err != nil {
		return err
	}
	r.checkMSP(m)
	if tlsDir != "" {
		return r.checkTLS(tlsDir, m)
	}
	return nil
}

func holdsCerts(dir string) bool {
	files, err := filepath.Glob(filepath.Join(dir, "*.crt"))
	return err == nil && len(files) > 0
}

func isDir(name string) bool {
	stat, err := os.Stat(name)
	return err == nil && stat.IsDir()
}

func (r *Report) readMSP(dir string) (*mspFolder, error) {
	m := &mspFolder{dir: dir}
	for _, part := range []struct {
		name string
		into *[]*Item
	}{
		{mspfolder.CACerts, &m.roots},
		{mspfolder.IntermediateCerts, &m.intermediates},
		{mspfolder.TLSCACerts, &m.tlsRoots},
		{mspfolder.TLSIntermediateCerts, &m.tlsIntermediates},
		{mspfolder.AdminCerts, &m.admins},
		{mspfolder.SignCerts, &m.signers},
		{mspfolder.RevocationLists, &m.lists},
	} {
		items, err := r.member(dir, part.name)
		if err != nil {
			return nil, err
		}
		*part.into = items
	}
	var err error
	m.keystore, err = r.folder(filepath.Join(dir, mspfolder.KeyStore))
	return m, err
}

// member takes in a folder of an MSP as a node reads it, and says of its files what the node says.
func (r *Report) member(dir, name string) ([]*Item, error) {
	list, err := mspfolder.Files(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	var items []*Item
	for _, file := range list {
		before := len(r.Findings)
		loaded, err := r.load(file)
		if err != nil {
			return nil, err
		}
		objects, err := mspfolder.ReadFile(name, file)
		if err == nil {
			items = append(items, slices.DeleteFunc(loaded, func(i *Item) bool { return !isOneOf(i, objects) })...)
			continue
		}
		// What the node says goes before what was found of the file by itself.
		r.Findings = slices.DeleteFunc(r.Findings, func(f cause.Finding) bool {
			return f.Cause == cause.Unparsable && slices.Index(r.Findings, f) >= before
		})
		text := loglimit.Printable(err.Error())
		unused := name == mspfolder.SignCerts && len(items) > 0
		switch {
		case (unused || files.IsOdd(err)) && !mspfolder.ServesSM2(dir):
			r.found("", cause.Warn(cause.UnusedFile, "%s", text))
		case errors.Is(err, mspfolder.ErrEncryption):
			r.found("", cause.Find(cause.SignUsage, "%s", text))
		case errors.Is(err, mspfolder.ErrAuthority):
			r.found("", cause.Find(cause.ChainBroken, "%s", text))
		case errors.Is(err, mspfolder.ErrFamily):
			r.found("", cause.Find(cause.FamilyMixed, "%s", text))
		default:
			r.found("", cause.Find(cause.Unparsable, "%s", text))
		}
	}
	return items, nil
}

// isOneOf reports whether an item is one of the objects that a node reads.
func isOneOf(i *Item, objects []mspfolder.Object) bool {
	return slices.ContainsFunc(objects, func(o mspfolder.Object) bool {
		switch o := o.(type) {
		case *files.Certificate:
			return i.cert != nil && bytes.Equal(i.cert.Raw, o.Raw)
		case *files.List:
			return i.crl != nil && bytes.Equal(i.crl.DER, o.DER)
		}
		return false
	})
}

// folder takes in the files of another folder.
func (r *Report) folder(dir string) ([]*Item, error) {
	list, err := mspfolder.Files(dir)
	if err != nil {
		return nil, err
	}
	var items []*Item
	for _, name := range list {
		loaded, err := r.load(name)
		if err != nil {
			return nil, err
		}
		items = append(items, loaded...)
	}
	return items, nil
}

func certified(items []*Item) []*Item {
	return slices.DeleteFunc(slices.Clone(items), func(i *Item) bool { return i.cert == nil })
}

func certsOf(items []*Item) []*x509.Certificate {
	var certs []*x509.Certificate
	for _, i := range certified(items) {
		certs = append(certs, i.cert)
	}
	return certs
}
