// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	files "github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/mspfolder"
)

// checkAsRead reads roots and the halves of TLCP pairs as a node does, whose configuration says which file is what. Here the names say it.
func (r *Report) checkAsRead(dir string) error {
	list, err := mspfolder.Files(dir)
	if err != nil {
		return err
	}
	for _, name := range list {
		stem, _ := strings.CutSuffix(name, ".crt")
		switch base := filepath.Base(name); {
		case base == "ca.crt", base == "gm-ca.crt":
			if _, err := files.ReadCertificates(name); err != nil {
				r.unreadable(err)
			}
		case strings.HasSuffix(base, "-sign.crt"), strings.HasSuffix(base, "-enc.crt"):
			if slices.Contains(list, stem+".key") {
				r.checkHalf(name, stem+".key")
			}
		}
	}
	return nil
}

// checkHalf finds what keeps a node from using a certificate with the key beside it. That one of them cannot be parsed was found before.
func (r *Report) checkHalf(certName, keyName string) {
	certs, certErr := files.Read(certName)
	keys, keyErr := files.Read(keyName)
	if certErr != nil || keyErr != nil {
		return
	}
	key, err := keys.PrivateKey(r.password)
	if errors.Is(err, x509.ErrNoPassword) { // which is a warning
		return
	}
	if err != nil {
		r.unreadable(err)
		return
	}
	if _, err := certs.Chain(key); err != nil {
		id := cause.KeyMismatch
		if len(certs.Lists) > 0 || len(certs.Certificates) == 0 {
			id = cause.Unparsable
		}
		r.found("", cause.Find(id, "%s (key file: %s)", loglimit.Printable(err.Error()), keyName))
	}
}

// inPlace orders the items of a certificate that stands in several files: the file of its half comes first, and files of roots last.
func inPlace(a, b *Item) int {
	rank := func(i *Item) int {
		half := "-enc"
		if x509.IsPairSigning(i.cert) {
			half = "-sign"
		}
		switch {
		case strings.Contains(filepath.Base(i.file), half):
			return 0
		case isHalf(i):
			return 1
		}
		return 2
	}
	return rank(a) - rank(b)
}
