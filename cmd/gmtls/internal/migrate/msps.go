// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
)

// edit changes an MSP of the channel and notes what people should know of it.
type edit func(f *msp.FabricMSPConfig) (notes []string, err error)

// apply makes the changes of an edit to every place of the member's MSP; none if
// all is as it should be.
func (m *member) apply(e edit) (changes []change, notes []string, err error) {
	for _, p := range m.places {
		f := proto.CloneOf(p.fabric)
		said, err := e(f)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", groupPath(p.path), err)
		}
		if proto.Equal(f, p.fabric) {
			continue
		}
		for _, note := range said {
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
		outer := proto.CloneOf(p.outer)
		if outer.Config, err = marshal(f); err != nil {
			return nil, nil, err
		}
		value, err := marshal(outer)
		if err != nil {
			return nil, nil, err
		}
		changes = append(changes, change{p.path, "MSP", value})
	}
	return changes, notes, nil
}

func addTLSRoots(certs []*x509.Certificate) edit {
	return func(f *msp.FabricMSPConfig) ([]string, error) {
		var err error
		f.TlsRootCerts, err = with(f.TlsRootCerts, certs)
		return []string{"adds the TLS root " + subjects(certs)}, err
	}
}

// addIdentityRoots also unbinds the node OUs from the one CA that they may name:
// afterwards any root of the MSP certifies them.
func addIdentityRoots(certs []*x509.Certificate) edit {
	return func(f *msp.FabricMSPConfig) ([]string, error) {
		tls, err := with(f.TlsRootCerts, nil)
		if err != nil {
			return nil, err
		}
		for _, c := range certs {
			if slices.ContainsFunc(tls, func(blob []byte) bool { return containsCertificate(blob, c) }) {
				return nil, fmt.Errorf("%q is a TLS root of it: a CA for TLS must not make identities", loglimit.Printable(c.Subject.String()))
			}
		}
		notes := []string{"adds the root " + subjects(certs)}
		if f.RootCerts, err = with(f.RootCerts, certs); err != nil {
			return nil, err
		}
		return append(notes, unbindOUs(f)...), nil
	}
}

// unbindOUs takes the CA out of the node OUs, which can name only one.
func unbindOUs(f *msp.FabricMSPConfig) (notes []string) {
	ous := f.GetFabricNodeOus()
	if !ous.GetEnable() {
		return nil
	}
	for _, ou := range []*msp.FabricOUIdentifier{ous.ClientOuIdentifier, ous.PeerOuIdentifier, ous.AdminOuIdentifier, ous.OrdererOuIdentifier} {
		if len(ou.GetCertificate()) > 0 {
			ou.Certificate = nil
			notes = []string{"node OUs are no longer bound to one CA: every root of the MSP certifies clients, peers, orderers and admins"}
		}
	}
	return notes
}

// with appends certificates that a list of PEM does not have yet.
func with(list [][]byte, certs []*x509.Certificate) ([][]byte, error) {
	if _, _, err := families(list); err != nil {
		return nil, err
	}
	list = slices.Clone(list)
	for _, c := range certs {
		if !slices.ContainsFunc(list, func(blob []byte) bool { return containsCertificate(blob, c) }) {
			list = append(list, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
		}
	}
	return list, nil
}

func containsCertificate(blob []byte, c *x509.Certificate) bool {
	for {
		var block *pem.Block
		if block, blob = pem.Decode(blob); block == nil {
			return false
		}
		if bytes.Equal(block.Bytes, c.Raw) {
			return true
		}
	}
}

// without drops the certificates of one family from a list of PEM. Elements that
// held nothing else go.
func without(list [][]byte, gm bool) (kept [][]byte, err error) {
	for _, blob := range list {
		std, sm2, err := families([][]byte{blob})
		if err != nil {
			return nil, err
		}
		gone, rest := std, sm2
		if gm {
			gone, rest = sm2, std
		}
		switch {
		case len(gone) == 0:
			kept = append(kept, blob)
		case len(rest) > 0:
			kept = append(kept, encode(rest))
		}
	}
	return kept, nil
}

func encode(certs []*x509.Certificate) (out []byte) {
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// removeTLSRoots drops one family from the TLS roots.
func removeTLSRoots(gm bool) edit {
	return func(f *msp.FabricMSPConfig) (_ []string, err error) {
		if f.TlsRootCerts, err = without(f.TlsRootCerts, gm); err != nil {
			return nil, err
		}
		if len(f.TlsRootCerts) == 0 {
			return nil, errors.New("no TLS root would be left")
		}
		f.TlsIntermediateCerts, err = without(f.TlsIntermediateCerts, gm)
		return []string{"removes the TLS roots and intermediates with keys of " + familyName(gm)}, err
	}
}

// removeIdentityRoots drops one family from the roots, with what stands on them.
func removeIdentityRoots(gm bool) edit {
	return func(f *msp.FabricMSPConfig) (_ []string, err error) {
		if f.RootCerts, err = without(f.RootCerts, gm); err != nil {
			return nil, err
		}
		if len(f.RootCerts) == 0 {
			return nil, errors.New("no root would be left")
		}
		if f.IntermediateCerts, err = without(f.IntermediateCerts, gm); err != nil {
			return nil, err
		}
		for _, ou := range f.OrganizationalUnitIdentifiers {
			if kept, err := without([][]byte{ou.Certificate}, gm); err != nil || len(kept) == 0 {
				return nil, fmt.Errorf("the organizational unit %q is bound to a CA that would go: bind it to one that stays first",
					loglimit.Printable(ou.OrganizationalUnitIdentifier))
			}
		}
		notes := append([]string{"removes the roots and intermediates with keys of " + familyName(gm)}, unbindOUs(f)...)
		before := len(f.Admins)
		if f.Admins, err = without(f.Admins, gm); err != nil {
			return nil, err
		}
		if len(f.Admins) < before {
			notes = append(notes, fmt.Sprintf("removes %d administrators' certificates of those roots", before-len(f.Admins)))
		}
		if len(f.Admins) == 0 && !f.GetFabricNodeOus().GetEnable() {
			return nil, errors.New("nobody could administer it: it has no node OUs, and no administrator's certificate would be left")
		}
		return append(notes, "peers that endorse nothing sign no block: see by discover peers that theirs are identities of the other family"), nil
	}
}

func familyName(gm bool) string {
	if gm {
		return "SM2"
	}
	return "ECDSA or RSA"
}
