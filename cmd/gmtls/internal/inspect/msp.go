// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// maxEntries bounds the files of a folder.
const maxEntries = 4096

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
		return fmt.Errorf("%s is a file; --msp wants a folder", dir)
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
		name  string
		into  *[]*Item
		whole bool // a node uses all that is in a file, not the first block alone
	}{
		{"cacerts", &m.roots, false},
		{"intermediatecerts", &m.intermediates, false},
		{"tlscacerts", &m.tlsRoots, true},
		{"tlsintermediatecerts", &m.tlsIntermediates, true},
		{"admincerts", &m.admins, false},
		{"signcerts", &m.signers, false},
		{"keystore", &m.keystore, true},
		{"crls", &m.lists, false},
	} {
		items, err := r.folder(filepath.Join(dir, part.name), part.whole)
		if err != nil {
			return nil, err
		}
		*part.into = items
	}
	return m, nil
}

// folder takes in the files of a folder; one that is missing is empty. Unless
// they are read whole, what stands behind the first block of a file is left out.
func (r *Report) folder(dir string, whole bool) ([]*Item, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(entries) > maxEntries {
		return nil, fmt.Errorf("%s holds %d files, more than the %d that are read", dir, len(entries), maxEntries)
	}
	var items []*Item
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if isDir(name) {
			continue
		}
		loaded, err := r.load(name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(loaded, func(i *Item) bool { return i.cert != nil || i.crl != nil || i.Kind == kindKey }) {
			r.found(name, cause.Warn(cause.UnusedFile, "it holds no certificate, key or list"))
		}
		if !whole && len(loaded) > 1 {
			r.found(name, cause.Warn(cause.UnusedFile, "the node reads the first of its %d blocks alone; give each a file of its own", len(loaded)))
			loaded = loaded[:1]
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
