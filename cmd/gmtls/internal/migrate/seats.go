// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// side is one of the two fields by which a channel knows a consenter: the one by which others verify whom they dial, and the one
// by which they verify who dials them. A node may use two pairs for these.
type side string

const (
	asServer side = "server"
	asClient side = "client"
)

var sides = []side{asServer, asClient}

// field is the side's field of a consenter.
func (s *seat) field(of side) []byte {
	if of == asServer {
		return s.consenter.ServerTlsCert
	}
	return s.consenter.ClientTlsCert
}

// stranger says why others would refuse a consenter in mode gm although the channel has an SM2 certificate of it: it is not that of
// the node. It is empty if there is no such reason, or nothing to compare, which others tell.
func (n *network) stranger(s *seat, of side) string {
	f := s.known(n.nodes)
	if f == nil || f.Problem != "" || len(f.pair) == 0 {
		return ""
	}
	_, text := identities(s.field(of))
	if text == nil {
		return ""
	}
	cert, err := x509.ParseCertificatePEM(text)
	if err != nil {
		return "the SM2 certificate in its " + string(of) + " field cannot be read"
	}
	if why := f.notPresenting(cert, of); why != "" {
		return "the SM2 certificate in its " + string(of) + " field is not the node's: " + why
	}
	return ""
}

func (n *network) isStranger(s *seat) bool {
	return slices.ContainsFunc(sides, func(of side) bool { return n.stranger(s, of) != "" })
}

// strangers are the consenters of Raft whom others would refuse in mode gm. Those of SmartBFT are not recognised by their fields.
func (n *network) strangers() (all []gap) {
	if n.channel == nil || n.channel.metadata == nil {
		return nil
	}
	for _, s := range n.channel.consenters {
		for _, of := range sides {
			if why := n.stranger(s, of); why != "" {
				all = append(all, n.seatGap(s, why, updateRemedy(consentersBoth)+
					", with the certificates that it uses under signCert, and clientSignCert if it dials with a pair of its own, of the inventory"))
			}
		}
	}
	return all
}

// Others verify the pair of a consenter of SmartBFT by the TLS roots that the channel has of the organisation which its seat names, and
// know who dials them by the identity alone.

// rootless says why others could verify no pair of a consenter of SmartBFT.
func (n *network) rootless(s *seat) []gap {
	if len(n.held[s.mspID].gmTLS) > 0 {
		return nil
	}
	return []gap{n.seatGap(s, "its seat names the organisation "+loglimit.Printable(s.mspID)+", of which the channel has no SM2 TLS root",
		updateRemedy(addGMTLS)+" of that organisation; if it is not the consenter's: "+"consortium update remove-orderer, then add-orderer")}
}

// unverified are the consenters of SmartBFT whose seat names another organisation than the inventory, and whose pair does not hold by its
// roots. Those of the inventory's organisation were tried before.
func (n *network) unverified(now time.Time) (all []gap) {
	if n.channel == nil || n.channel.metadata != nil {
		return nil
	}
	for _, s := range n.channel.consenters {
		if f := s.known(n.nodes); f != nil && f.Problem == "" && f.Organization != s.mspID {
			all = append(all, n.pairVerifies(f, n.held[s.mspID].gmTLS, "the seat's organisation's", now)...)
		}
	}
	return all
}

// notPresenting says why the node does not present the key of a certificate on a side. Orderers compare keys, so that a renewed
// certificate of the same key holds.
func (f *facts) notPresenting(cert *x509.Certificate, of side) string {
	if of == asServer {
		if !sameKey(cert, f.pair[0]) {
			return fmt.Sprintf("it presents another key at %s", f.node.Address)
		}
		return ""
	}
	i := slices.IndexFunc(f.Roles, func(r tlsstatus.Role) bool { return r.Name == tlsstatus.OrdererClusterClient })
	if i < 0 {
		return "its /tls shows no role " + tlsstatus.OrdererClusterClient
	}
	j := slices.IndexFunc(f.Roles[i].Certificates, func(c tlsstatus.Certificate) bool { return c.Use == tlsstatus.UseGMSigning })
	if j < 0 {
		return tlsstatus.OrdererClusterClient + " shows no SM2 signing certificate"
	}
	dials := f.Roles[i].Certificates[j]
	// The page has no keys. They are known of the certificates that are at hand.
	for _, known := range slices.Concat([]*x509.Certificate{cert, f.pair[0]}, f.node.sign, f.node.clientSign) {
		if isShown(known, dials) && sameKey(known, cert) {
			return ""
		}
	}
	return fmt.Sprintf("%s dials with that of serial number %s", tlsstatus.OrdererClusterClient, loglimit.Printable(dials.Serial))
}

func sameKey(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

// isShown reports whether the page /tls describes the certificate. Serial numbers alone are unique only for one CA.
func isShown(c *x509.Certificate, shown tlsstatus.Certificate) bool {
	return c.SerialNumber.Text(16) == shown.Serial && c.Subject.String() == shown.Subject && c.NotAfter.Equal(shown.NotAfter)
}
