// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// maxSkew is how far a node's clock may be from this machine's. Certificates
// just issued and Fabric's time windows bear it.
const maxSkew = 30 * time.Second

// question is what check asks.
type question struct {
	stage int
	node  string // of which alone the stage is to be entered; empty: of all
	// elsewhere are organisations whose own operators have checked their nodes.
	elsewhere []string
	validFor  time.Duration // how long certificates must still be valid
	now       time.Time
}

// entry lists why a stage cannot be entered.
func (n *network) entry(q question, inv *inventory) []gap {
	all := n.healthGaps(q)
	if q.stage >= stageRoots {
		all = append(all, n.coverage(q)...)
	}
	for stage := stageBinaries; stage < q.stage; stage++ {
		if stage == stageBinaries && q.stage == stagePairs {
			continue // stock nodes take part through stage 1
		}
		all = append(all, n.missing(stage)...)
	}
	switch q.stage {
	case stagePairs:
		all = append(all, n.chosen(q, stock)...)
	case stageRoots:
		all = append(all, n.roots(q, inv)...)
	case stageDialing:
		all = append(all, n.each(func(f *facts) []gap { return n.pairVerifies(f, n.held[f.Organization].gmTLS, "the channel's", q.now) })...)
	case stageListening:
		all = append(all, n.leftOver(q)...)
	}
	return distinct(all)
}

// dialable lists consenters whom others would refuse once they dial in mode gm. Updates of stage 3 mend that, so that only check
// asks for it.
func (n *network) dialable(q question) (all []gap) {
	f := n.find(q.node)
	if f != nil && n.channel != nil && n.channel.unknown == "" && !f.isConsenterOf(n.channel) {
		return nil // it dials no consenter as one of them
	}
	// No update of this tool mends what is not Raft, so that nobody would look at it again.
	if f != nil || n.channel != nil && n.channel.metadata == nil {
		all = n.consentersWithoutGM()
	}
	return slices.Concat(all, n.strangers(), n.unverified(q.now))
}

// distinct drops repetitions: a stock node also lacks its pair, for one reason.
func distinct(all []gap) []gap {
	var out []gap
	for _, g := range all {
		if !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}

func (n *network) find(name string) *facts {
	for _, f := range n.nodes {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// chosen applies a test to the node in question, if there is one.
func (n *network) chosen(q question, test func(*facts) []gap) []gap {
	if f := n.find(q.node); f != nil && f.Problem == "" {
		return test(f)
	}
	return nil
}

func (f *facts) isConsenterOf(ch *channel) bool {
	return ch != nil && slices.ContainsFunc(ch.consenters, func(s *seat) bool { return s.address == f.node.Address })
}

// healthGaps is what every stage wants: nodes that answer, are healthy, agree on
// the time, and have certificates that last.
func (n *network) healthGaps(q question) (all []gap) {
	for _, f := range n.nodes {
		if f.Problem != "" {
			all = append(all, f.gap("see that it runs and that the inventory names its operations service, roots and client certificate", "could not be asked: %s", f.Problem))
			continue
		}
		if f.Unhealthy != "" {
			all = append(all, f.gap("see its log", "is not healthy: %s", f.Unhealthy))
		}
		if f.Skew.Abs() > maxSkew {
			all = append(all, f.gap("set the clocks, of this machine too", "its clock is %v off this machine's", f.Skew.Round(time.Second)))
		}
		for _, r := range f.Roles {
			for _, c := range r.Certificates {
				if left := c.NotAfter.Sub(q.now); left < q.validFor {
					all = append(all, f.gap("renew it, see docs/operations.md", "%s: the certificate %q (%s) is valid until %s only",
						r.Name, loglimit.Printable(c.Subject), loglimit.Printable(c.Use), c.NotAfter.UTC().Format(time.DateTime)))
				}
			}
		}
	}
	return all
}

// coverage demands that the inventory knows all organisations and consenters of
// the channel: a node that nobody looked at must not be broken by what follows.
func (n *network) coverage(q question) (all []gap) {
	if n.channel == nil {
		return n.members(nil)
	}
	for _, m := range n.channel.members {
		listed := slices.ContainsFunc(n.nodes, func(f *facts) bool { return f.Organization == m.ID })
		if !listed && !slices.Contains(q.elsewhere, m.ID) {
			all = append(all, gap{Organization: m.ID, Reason: "is in the channel, and none of its nodes is in the inventory",
				Remedy: "add its nodes, or have its operators check them and give --elsewhere " + m.ID})
		}
	}
	for _, f := range n.nodes {
		if n.channel.member(f.Organization) == nil {
			all = append(all, f.gap("name organisations by their MSP id", "its organisation is not in channel %s", n.channel.Name))
		}
	}
	for _, s := range n.channel.consenters {
		if s.known(n.nodes) == nil && !n.ordersElsewhere(q) {
			all = append(all, n.seatGap(s, "no node of the inventory has this address", "list it, with the address by which the channel names it"))
		}
	}
	return all
}

// ordersElsewhere reports whether an ordering organisation looks after its nodes
// itself: which consenter is whose the channel does not say.
func (n *network) ordersElsewhere(q question) bool {
	return slices.ContainsFunc(n.channel.members, func(m *member) bool { return m.isOrdering() && slices.Contains(q.elsewhere, m.ID) })
}

// roots looks at the SM2 TLS roots that are about to join the channel, and at the
// pairs that they have to verify.
func (n *network) roots(q question, inv *inventory) (all []gap) {
	for _, id := range sortedKeys(inv.Organizations) {
		org := inv.Organizations[id]
		if len(org.tlsRoots) == 0 {
			all = append(all, gap{Organization: id, Reason: "gmTLSRoots of the inventory names no SM2 TLS root of it", Remedy: "name the file of its SM2 TLS CA"})
			continue
		}
		for _, c := range org.tlsRoots {
			if reason := unfitAsRoot(c, q.now, q.validFor); reason != "" {
				all = append(all, gap{Organization: id, Reason: reason, Remedy: "name an SM2 TLS CA that lasts under gmTLSRoots"})
			}
		}
		all = append(all, n.each(func(f *facts) []gap {
			if f.Organization != id {
				return nil
			}
			return n.pairVerifies(f, org.tlsRoots, "the inventory's", q.now)
		})...)
	}
	return all
}

// unfitAsRoot says why a certificate cannot be an SM2 root of an MSP; empty if it can.
func unfitAsRoot(c *x509.Certificate, now time.Time, validFor time.Duration) string {
	name := fmt.Sprintf("the certificate %q", loglimit.Printable(c.Subject.String()))
	switch {
	case !x509.IsSM2(c.PublicKey):
		return name + " has a key of " + material.KeyName(c.PublicKey) + ", not of SM2"
	case !c.IsCA:
		return name + " is not of a CA"
	case !bytes.Equal(c.RawSubject, c.RawIssuer) || x509.CheckSignatureFrom(c, c) != nil:
		return name + " is not self-signed: it is not a root"
	case now.Before(c.NotBefore) || c.NotAfter.Sub(now) < validFor:
		return fmt.Sprintf("%s is valid from %s to %s only", name, c.NotBefore.UTC().Format(time.DateTime), c.NotAfter.UTC().Format(time.DateTime))
	}
	return ""
}

// pairVerifies checks the pair that a node presented by what others will verify it by.
func (n *network) pairVerifies(f *facts, roots []*x509.Certificate, whose string, now time.Time) (all []gap) {
	version := f.gmVersion()
	if version == 0 || len(roots) == 0 {
		return nil // told elsewhere
	}
	const remedy = "gmtls probe shows its pair; issue it from the organisation's SM2 TLS CA, for this name"
	if f.pairProblem != nil {
		return []gap{f.gap(remedy, "%s", loglimit.Printable(f.pairProblem.Error()))}
	}
	host, _, _ := net.SplitHostPort(f.node.Address)
	leaves, chain := f.pair[:1], f.pair[1:]
	var findings []cause.Finding
	if version == gmtls.VersionTLCP {
		leaves, chain = f.pair[:2], f.pair[2:]
		findings = material.CheckPair(leaves[0], leaves[1])
	}
	for _, c := range leaves {
		findings = append(findings, material.CheckServer(c, chain, &material.Roots{Certs: roots}, host, now)...)
	}
	for _, found := range findings {
		if !found.Warning {
			all = append(all, f.gap(remedy, "its pair at %s does not hold by %s SM2 TLS roots: %s: %s", f.node.Address, whose, found.Cause, found.Detail))
		}
	}
	return all
}

// leftOver lists connections that turning listeners to gm would cut.
func (n *network) leftOver(q question) []gap {
	test := func(f *facts) (all []gap) {
		for _, r := range f.Roles {
			listening, dialed := r.Over(tlsstatus.OverTLS)
			if listening > 0 && r.InNetwork() {
				all = append(all, f.gap("find the clients that still dial TLS, see the log, and switch them", "%s has %d connections over TLS", r.Name, listening))
			}
			if dialed > 0 && r.ClientMode != "" {
				all = append(all, f.gap("wait for the grace to end", "%s has %d connections open over TLS that it dialed", r.Name, dialed))
			}
		}
		return all
	}
	if q.node != "" {
		return n.chosen(q, test)
	}
	return n.each(test)
}

func subjects(certs []*x509.Certificate) string {
	var names []string
	for _, c := range certs {
		if name := loglimit.Printable(c.Subject.String()); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return join(names)
}
