// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// Stages. docs/migration.md describes them. A network has completed a stage when
// nothing of this stage and of earlier ones is missing.
const (
	stageStock      = -1 // a node without the fork; only nodes and organisations can be in it
	stageBinaries   = 0
	stagePairs      = 1
	stageRoots      = 2
	stageDialing    = 3
	stageListening  = 4
	stageIdentities = 5
)

var titles = map[int]string{
	stageBinaries:   "every node runs the fork",
	stagePairs:      "nodes have TLCP pairs and listen in dual",
	stageRoots:      "the SM2 TLS roots are in the channel",
	stageDialing:    "consenters have their SM2 certificate, dialers are in gm",
	stageListening:  "listeners are in gm",
	stageIdentities: "SM2 identities, ECDSA roots retired",
}

// gap is something that is missing, and how it is mended.
type gap struct {
	Node         string `json:"node,omitempty"`
	Organization string `json:"organization,omitempty"`
	Reason       string `json:"reason"`
	Remedy       string `json:"remedy"`
}

func (g gap) String() string {
	who := g.Node
	switch {
	case who == "":
		who = g.Organization
	case g.Organization != "":
		who += " (" + g.Organization + ")"
	}
	if who != "" {
		who += ": "
	}
	return loglimit.Printable(who+g.Reason) + "\n    remedy: " + loglimit.Printable(g.Remedy)
}

// network is what is known of the network at one time.
type network struct {
	nodes   []*facts
	channel *channel // nil if no block was given
	held    map[string]held
}

func newNetwork(nodes []*facts, ch *channel) (*network, error) {
	n := &network{nodes: nodes, channel: ch, held: map[string]held{}}
	if ch == nil {
		return n, nil
	}
	for _, m := range ch.members {
		h, err := m.held()
		if err != nil {
			return nil, err
		}
		n.held[m.ID] = h
	}
	return n, nil
}

// stageOf is the last stage that a node has done: stock, 0, 1, 3 or 4. Stages 2
// and 5 are done in the channel.
func stageOf(f *facts) int {
	switch {
	case !f.Fork:
		return stageStock
	case len(unpaired(f)) > 0:
		return stageBinaries
	case len(dialingTLS(f)) > 0:
		return stagePairs
	case len(listeningTLS(f)) > 0:
		return stageDialing
	}
	return stageListening
}

// nodeStage is the last stage that nothing in the node itself prevents.
func (f *facts) nodeStage() int {
	if f.Stage == stagePairs || f.Stage == stageListening {
		return f.Stage + 1
	}
	return f.Stage
}

// missing lists what is missing for a stage to be done, regardless of others.
// Nodes that could not be asked are told by entry.
func (n *network) missing(stage int) []gap {
	switch stage {
	case stageBinaries:
		return n.each(stock)
	case stagePairs:
		return n.each(unpaired)
	case stageRoots:
		return n.members(func(id string, h held) []gap {
			if h.allGMTLS {
				return nil
			}
			return []gap{{Organization: id, Reason: "its MSP in the channel has no SM2 TLS root", Remedy: updateRemedy(addGMTLS)}}
		})
	case stageDialing:
		return append(n.consentersWithoutGM(), n.each(dialingTLS)...)
	case stageListening:
		return n.each(listeningTLS)
	}
	return n.members(oldIdentities)
}

func updateRemedy(kind string) string { return "gmtls migrate update " + kind }

// each applies a test to every node that could be asked.
func (n *network) each(test func(*facts) []gap) []gap {
	var all []gap
	for _, f := range n.nodes {
		if f.Problem == "" {
			all = append(all, test(f)...)
		}
	}
	return all
}

// members applies a test to every organisation of the channel.
func (n *network) members(test func(id string, h held) []gap) []gap {
	if n.channel == nil {
		return []gap{{Reason: "nothing is known of the channel", Remedy: "peer channel fetch config, and give the block by --block"}}
	}
	var all []gap
	for _, m := range n.channel.members {
		all = append(all, test(m.ID, n.held[m.ID])...)
	}
	return all
}

func (f *facts) gap(remedy, format string, args ...any) gap {
	return gap{Node: f.Name, Organization: f.Organization, Reason: fmt.Sprintf(format, args...), Remedy: remedy}
}

func stock(f *facts) []gap {
	if f.Fork {
		return nil
	}
	return []gap{f.gap("replace its binary by the fork's, with its configuration as it is",
		"runs version %s, whose operations service has no /tls: it is not this fork", f.Version)}
}

// isService reports whether a role is the listener of a node for others. A listener without TLS has no role at /tls.
func isService(role, mode string) bool {
	return mode != "" && slices.Contains([]string{tlsstatus.PeerServer, tlsstatus.OrdererGeneral, tlsstatus.CAServer}, role)
}

// plain tests that the node shows a protected listener, so that one without TLS does not count as one in mode gm.
func plain(f *facts) []gap {
	if slices.ContainsFunc(f.Roles, func(r tlsstatus.Role) bool { return isService(r.Name, string(r.ServerMode)) }) {
		return nil
	}
	return []gap{f.gap("enable TLS of its listener (peer.tls.enabled, General.TLS.Enabled), and restart",
		"its /tls shows no listener for nodes and clients: it listens without protection")}
}

// unpaired tests stage 1: a pair, local roots, listeners that speak TLCP too.
func unpaired(f *facts) (all []gap) {
	if !f.Fork {
		return stock(f)
	}
	all = plain(f)
	for _, r := range f.Roles {
		dials, listens := r.ClientMode != "", r.ServerMode != "" && r.InNetwork()
		if (dials && r.Has(tlsstatus.UseTLS) || listens) && !(r.Has(tlsstatus.UseGMSigning) && r.Has(tlsstatus.UseGMEncryption)) {
			all = append(all, f.gap("configure the SM2 signing and encryption pair, and restart", "%s has no TLCP pair", r.Name))
			continue
		}
		if listens && r.ServerMode == tlsstatus.ModeTLS {
			all = append(all, f.gap(fmt.Sprintf(`PUT {"role":%q,"serverMode":"dual"} to its /tls as one of its operators, and write it into its configuration`, r.Name),
				"%s listens for TLS alone", r.Name))
		}
		for _, list := range []struct {
			name  string
			roots []tlsstatus.Root
			asked bool
		}{{"servers", r.ServerRoots, dials}, {"clients", r.ClientRoots, listens}} {
			if list.asked && hasRoot(list.roots, tlsstatus.FamilyTLS) && !hasRoot(list.roots, tlsstatus.FamilyGM) {
				all = append(all, f.gap("add the SM2 TLS root to the files of its roots, and reload", "%s has no SM2 root in its files to verify %s by", r.Name, list.name))
			}
		}
	}
	return all
}

func hasRoot(roots []tlsstatus.Root, family string) bool {
	return slices.ContainsFunc(roots, func(r tlsstatus.Root) bool { return r.Family == family })
}

func dialingTLS(f *facts) (all []gap) {
	for _, r := range f.Roles {
		if r.ClientMode == tlsstatus.ClientTLS {
			all = append(all, f.gap(fmt.Sprintf(`PUT {"role":%q,"clientMode":"gm"} to its /tls as one of its operators, and write it into its configuration`, r.Name),
				"%s dials TLS", r.Name))
		}
	}
	return all
}

func listeningTLS(f *facts) (all []gap) {
	for _, r := range f.Roles {
		if r.ServerMode != "" && r.ServerMode != tlsstatus.ModeGM && r.InNetwork() {
			all = append(all, f.gap(fmt.Sprintf(`PUT {"role":%q,"serverMode":"gm"} to its /tls as one of its operators, and write it into its configuration`, r.Name),
				"%s still listens for TLS (mode %s)", r.Name, r.ServerMode))
		}
	}
	return all
}

// consentersWithoutGM are the consenters whom others could not recognise, whatever pairs are in use.
func (n *network) consentersWithoutGM() (all []gap) {
	if n.channel == nil {
		return n.members(nil)
	}
	if n.channel.unknown != "" {
		return []gap{{Reason: "channel " + n.channel.Name + " " + n.channel.unknown, Remedy: "see gmtls inspect of the config block, and whether a newer gmtls knows it"}}
	}
	for _, s := range n.channel.consenters {
		switch {
		case n.channel.metadata == nil:
			all = append(all, n.rootless(s)...)
		case !s.gm:
			all = append(all, n.seatGap(s, "the channel does not have its SM2 certificate", updateRemedy(consentersBoth)))
		}
	}
	return all
}

// seatGap names a consenter's node and organisation where they are known.
func (n *network) seatGap(s *seat, reason, remedy string) gap {
	g := gap{Node: "consenter " + s.address, Reason: reason, Remedy: remedy}
	if f := s.known(n.nodes); f != nil {
		g.Node, g.Organization = f.Name, f.Organization
		g.Reason = "consenter " + s.address + ": " + reason
	}
	return g
}

func oldIdentities(id string, h held) (all []gap) {
	if !h.allGMIdentity {
		all = append(all, gap{Organization: id, Reason: "its MSP in the channel has no SM2 root for identities", Remedy: updateRemedy(addGMIdentity)})
	}
	if len(h.stdIdentity) > 0 {
		all = append(all, gap{Organization: id, Reason: "its MSP in the channel still has the root " + subjects(h.stdIdentity),
			Remedy: "issue SM2 identities, then " + updateRemedy(removeECDSAIdentity)})
	}
	if len(h.stdTLS) > 0 {
		all = append(all, gap{Organization: id, Reason: "its MSP in the channel still has the TLS root " + subjects(h.stdTLS),
			Remedy: updateRemedy(consentersGM) + " (ordering organisations), then " + updateRemedy(removeECDSATLS)})
	}
	return all
}

// done is the last stage such that it and all before it are done; stageStock if
// there is none.
func (n *network) done() int {
	unknown := slices.ContainsFunc(n.nodes, func(f *facts) bool { return f.Problem != "" })
	for stage := stageBinaries; stage <= stageIdentities; stage++ {
		if unknown && stage != stageRoots && stage != stageIdentities || len(n.missing(stage)) > 0 {
			return stage - 1
		}
	}
	return stageIdentities
}

// organizationStage is the last stage that an organisation has done: its nodes
// and its part of the channel. known is false if a node of it could not be asked
// or none is listed.
func (n *network) organizationStage(id string) (stage int, known bool) {
	stage = stageIdentities
	listed := 0
	for _, f := range n.nodes {
		if f.Organization == id {
			if f.Problem != "" {
				return 0, false
			}
			listed++
			stage = min(stage, f.nodeStage())
		}
	}
	if listed == 0 {
		return 0, false
	}
	if n.channel == nil {
		return min(stage, stagePairs), true
	}
	h, member := n.held[id]
	switch {
	case !member || !h.allGMTLS:
		stage = min(stage, stagePairs)
	case slices.ContainsFunc(n.consentersWithoutGM(), func(g gap) bool { return g.Organization == id }):
		stage = min(stage, stageRoots)
	case len(oldIdentities(id, h)) > 0:
		stage = min(stage, stageListening)
	}
	return stage, true
}

func stageName(stage int) string {
	if stage == stageStock {
		return "stock"
	}
	return fmt.Sprint(stage)
}

// join lists things for people.
func join(items []string) string { return strings.Join(items, ", ") }
