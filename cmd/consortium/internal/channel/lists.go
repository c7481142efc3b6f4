// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	mb "github.com/hyperledger/fabric-protos-go/msp"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/mspfolder"
)

// SetRevocationLists puts lists from files into the MSP of an organisation, wherever it occurs. A list replaces an earlier one of the same
// CA and scope. Refused are an older list, because it would let revoked identities in again, and what [mspfolder.Effect] refuses.
func SetRevocationLists(mspID string, files []string) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		var fresh []*list
		for _, file := range files {
			read, err := material.ReadLists(file)
			if err != nil {
				return nil, err
			}
			parsed, err := parseLists(file, read)
			if err != nil {
				return nil, err
			}
			fresh = append(fresh, parsed...)
		}
		if len(fresh) == 0 {
			return nil, errors.New("name at least one file with a revocation list")
		}
		return editMSP(root, mspID, func(f *mb.FabricMSPConfig) (string, error) {
			return fmt.Sprintf("%d revocation list(s) of %s", len(fresh), mspID), putLists(f, fresh)
		})
	}
}

// list is a revocation list.
type list struct {
	*material.List
	*x509.RevocationList
	place string // for errors: the file
}

func parseLists(place string, read []*material.List) (all []*list, err error) {
	for _, r := range read {
		parsed, err := x509.ParseRevocationList(r.DER)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
		all = append(all, &list{r, parsed, place})
	}
	return all, nil
}

// listsIn decodes lists of an MSP.
func listsIn(place string, blobs [][]byte) (all []*list, err error) {
	for _, blob := range blobs {
		read, err := material.ParseLists(place, blob)
		if err != nil {
			return nil, err
		}
		parsed, err := parseLists(place, read)
		if err != nil {
			return nil, err
		}
		all = append(all, parsed...)
	}
	return all, nil
}

// inChannel is the place of lists that the channel has.
const inChannel = "a revocation list in the channel"

// authorities are the CAs of an MSP, those for TLS included.
func authorities(f *mb.FabricMSPConfig) (cas []*x509.Certificate, err error) {
	for _, blob := range slices.Concat(f.RootCerts, f.IntermediateCerts, f.TlsRootCerts, f.TlsIntermediateCerts) {
		certs, err := material.ParseCertificates("a CA of the MSP "+f.Name, blob)
		if err != nil {
			return nil, err
		}
		for _, c := range certs {
			cas = append(cas, c.Certificate)
		}
	}
	return cas, nil
}

// putLists puts each list in the place of its predecessors in an MSP.
func putLists(f *mb.FabricMSPConfig, fresh []*list) error {
	cas, err := authorities(f)
	if err != nil {
		return err
	}
	for _, l := range fresh {
		issuer, scope, err := mspfolder.Effect(l.CertificateList, cas)
		if err != nil {
			return fmt.Errorf("%s: %w", l.place, err)
		}
		known, err := listsIn(inChannel, f.RevocationList)
		if err != nil {
			return err
		}
		f.RevocationList = nil
		for _, old := range known {
			switch {
			case !old.is(issuer, scope, cas):
				f.RevocationList = append(f.RevocationList, old.PEM())
			case l.olderThan(old):
				return fmt.Errorf("%s: the channel has a later list of %q, of %s: have the CA issue one now", l.place, l.Issuer, old.ThisUpdate.Format(time.RFC3339))
			}
		}
		f.RevocationList = append(f.RevocationList, l.PEM())
	}
	return nil
}

// is tells whether that CA signed the list, and for that scope. A list of changes alone has none, so that no other takes its place.
func (l *list) is(issuer *x509.Certificate, scope string, cas []*x509.Certificate) bool {
	by, err := mspfolder.Issuer(l.CertificateList, cas)
	if err != nil || !by.Equal(issuer) {
		return false
	}
	own, err := mspfolder.Scope(l.CertificateList)
	return err == nil && own == scope
}

// olderThan compares by the CRL number, and by time where a list has none (RFC 5280, section 5.2.3).
func (l *list) olderThan(other *list) bool {
	if l.Number != nil && other.Number != nil {
		return l.Number.Cmp(other.Number) < 0
	}
	return l.ThisUpdate.Before(other.ThisUpdate)
}

// mergeLists puts the lists of an MSP from a folder in the place of those that the channel had. A list goes only with its CA. It returns
// what it did, in words.
func mergeLists(f *mb.FabricMSPConfig, before [][]byte, dir string) (did string, err error) {
	fresh, err := listsIn(dir, f.RevocationList)
	if err != nil {
		return "", err
	}
	known, err := listsIn(inChannel, before)
	if err != nil {
		return "", err
	}
	cas, err := authorities(f)
	if err != nil {
		return "", err
	}
	f.RevocationList = nil
	var gone []string
	for _, old := range known {
		if _, err := mspfolder.Issuer(old.CertificateList, cas); err == nil {
			f.RevocationList = append(f.RevocationList, old.PEM())
			continue
		}
		for _, ca := range cas {
			// Its list would find none of its certificates any more.
			if x509.CheckCRLSignature(ca, old.CertificateList) == nil {
				return "", fmt.Errorf("the CA %q keeps its key, and the channel has its revocation list, which this certificate does not serve: "+
					"give it the name, the subjectKeyIdentifier and the usage cRLSign of its predecessor", ca.Subject)
			}
		}
		gone = append(gone, fmt.Sprintf("%q", old.Issuer))
	}
	if err := putLists(f, fresh); err != nil {
		return "", err
	}
	if len(fresh) > 0 {
		did += fmt.Sprintf(", with %d revocation list(s) of the folder", len(fresh))
	}
	if len(gone) > 0 {
		did += ", without the revocation lists of CAs that go: " + strings.Join(gone, ", ")
	}
	return did, nil
}

// judgeLists refuses lists that are new in an MSP and by which it would revoke nobody, or refuse everybody. Nodes take them.
func judgeLists(before, after *cb.ConfigGroup) error {
	had := map[string]bool{}
	for _, p := range places(before) {
		for _, blob := range p.config.RevocationList {
			had[p.config.Name+string(blob)] = true
			known, _ := listsIn(inChannel, [][]byte{blob}) // what cannot be read here was taken as it is
			for _, l := range known {
				had[p.config.Name+string(l.DER)] = true
			}
		}
	}
	for _, p := range places(after) {
		fresh := slices.DeleteFunc(slices.Clone(p.config.RevocationList), func(blob []byte) bool { return had[p.config.Name+string(blob)] })
		all, err := listsIn("a revocation list of "+p.config.Name, fresh)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			continue
		}
		cas, err := authorities(p.config)
		if err != nil {
			return err
		}
		for _, l := range all {
			if had[p.config.Name+string(l.DER)] {
				continue
			}
			if _, _, err := mspfolder.Effect(l.CertificateList, cas); err != nil {
				return fmt.Errorf("%s: %w", l.place, err)
			}
		}
	}
	return nil
}
