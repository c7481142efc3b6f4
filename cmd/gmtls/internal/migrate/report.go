// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// plan is the result of gmtls migrate plan.
type plan struct {
	Channel       string        `json:"channel,omitempty"`
	Block         uint64        `json:"config_block,omitempty"`
	Stage         int           `json:"stage"` // done by the network; -1: none
	Organizations []organizedIn `json:"organizations"`
	Nodes         []*facts      `json:"nodes"`
	Next          int           `json:"next"` // the stage to be done now
	Missing       []gap         `json:"missing,omitempty"`
	Unknown       []gap         `json:"unknown,omitempty"` // nodes that could not be asked
	Notes         []string      `json:"notes,omitempty"`
}

// organizedIn is an organisation's line of the plan.
type organizedIn struct {
	ID            string   `json:"id"`
	Stage         int      `json:"stage"`
	Known         bool     `json:"known"` // false: a node was not reached, or none is listed; Stage means nothing
	TLSRoots      []string `json:"tls_roots,omitempty"`
	IdentityRoots []string `json:"identity_roots,omitempty"`
}

func (n *network) plan() *plan {
	p := &plan{Stage: n.done(), Nodes: n.nodes, Notes: n.notes()}
	if n.channel != nil {
		p.Channel, p.Block = n.channel.Name, n.channel.Number
	}
	p.Next = min(p.Stage+1, stageIdentities)
	p.Missing = n.missing(p.Next)
	if p.Next == stageDialing {
		p.Missing = append(p.Missing, n.strangers()...)
	}
	p.Unknown = n.unknown()
	for _, id := range n.organizations() {
		o := organizedIn{ID: id}
		o.Stage, o.Known = n.organizationStage(id)
		h := n.held[id]
		o.TLSRoots, o.IdentityRoots = kindsOf(len(h.stdTLS), len(h.gmTLS)), kindsOf(len(h.stdIdentity), len(h.gmIdentity))
		p.Organizations = append(p.Organizations, o)
	}
	return p
}

// unknown lists the nodes that could not be asked.
func (n *network) unknown() (all []gap) {
	for _, f := range n.nodes {
		if f.Problem != "" {
			all = append(all, f.gap("see that it runs, and what the inventory says of it", "could not be asked: %s", f.Problem))
		}
	}
	return all
}

// kindsOf names the families of which there are roots.
func kindsOf(std, gm int) (names []string) {
	if std > 0 {
		names = append(names, "ECDSA")
	}
	if gm > 0 {
		names = append(names, "SM2")
	}
	return names
}

// organizations are those of the channel and of the inventory.
func (n *network) organizations() []string {
	all := map[string]bool{}
	for _, f := range n.nodes {
		all[f.Organization] = true
	}
	for id := range n.held {
		all[id] = true
	}
	return sortedKeys(all)
}

// notes are things to know that hold no stage up.
func (n *network) notes() (all []string) {
	for _, f := range n.nodes {
		for _, r := range f.Roles {
			for _, m := range []struct{ does, now, started string }{
				{"listens in mode", string(r.ServerMode), string(r.ConfiguredServerMode)}, {"dials in mode", string(r.ClientMode), string(r.ConfiguredClientMode)},
				{"listens for", strings.Join(r.GMProtocols, ", "), strings.Join(r.ConfiguredGMProtocols, ", ")},
				{"dials by", r.GMClientProtocol, r.ConfiguredGMClientProtocol},
			} {
				if m.now != m.started && m.started != "" {
					all = append(all, fmt.Sprintf("%s: %s %s %s and was started with %s, which a restart brings back unless its configuration says %s by now",
						f.Name, r.Name, m.does, m.now, m.started, m.now))
				}
			}
			if !r.InNetwork() && r.ServerMode != "" && r.ServerMode != tlsstatus.ModeGM && f.Stage == stageListening {
				all = append(all, fmt.Sprintf("%s: %s is in mode %s; no stage demands gm of it, since operators' tools may not speak TLCP", f.Name, r.Name, r.ServerMode))
			}
		}
	}
	return all
}

func (p *plan) write(w io.Writer) {
	if p.Channel != "" {
		fmt.Fprintf(w, "channel %s, config block %d\n", p.Channel, p.Block)
	}
	switch {
	case p.Stage == stageIdentities && len(p.Missing) == 0:
		fmt.Fprintln(w, "all stages are done")
	case p.Stage == stageStock:
		fmt.Fprintln(w, "no stage is done")
	default:
		fmt.Fprintf(w, "stage %d is done: %s\n", p.Stage, titles[p.Stage])
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nORGANISATION\tSTAGE\tTLS ROOTS\tIDENTITY ROOTS")
	for _, o := range p.Organizations {
		stage := "unknown"
		if o.Known {
			stage = stageName(o.Stage)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", loglimit.Printable(o.ID), stage, orDash(o.TLSRoots), orDash(o.IdentityRoots))
	}
	fmt.Fprintln(table, "\nNODE\tORGANISATION\tSTAGE\tVERSION\tROLE\tLISTENS\tDIALS\tOVER TLS\tOVER TLCP\tOVER TLS13-GM\tCERTIFICATES UNTIL")
	for _, f := range p.Nodes {
		f.rows(table)
	}
	_ = table.Flush() // like any line that cannot be printed
	if len(p.Unknown) > 0 {
		fmt.Fprintln(w, "\nunknown:")
		writeGaps(w, p.Unknown)
	}
	if len(p.Missing) > 0 {
		fmt.Fprintf(w, "\nnext, stage %d (%s):\n", p.Next, titles[p.Next])
		writeGaps(w, p.Missing)
		fmt.Fprintf(w, "before it: gmtls migrate check --stage %d\n", p.Next)
	}
	for _, note := range p.Notes {
		fmt.Fprintln(w, "note: "+loglimit.Printable(note))
	}
}

// rows are a node's lines of the table, one for each role.
func (f *facts) rows(w io.Writer) {
	stage, version := stageName(f.Stage), f.Version
	if f.Problem != "" {
		stage, version = "unknown", "-"
	}
	if len(f.Roles) == 0 {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t-\t-\t-\t-\t-\t-\t-\n", f.Name, f.Organization, stage, version)
	}
	for _, r := range f.Roles {
		over := func(protocol string) string {
			listening, dialed := r.Over(protocol)
			return fmt.Sprintf("%d in, %d out", listening, dialed)
		}
		until := "-"
		var first time.Time
		for _, c := range r.Certificates {
			if first.IsZero() || c.NotAfter.Before(first) {
				first = c.NotAfter
				until = first.UTC().Format(time.DateOnly)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, f.Organization, stage, version,
			loglimit.Printable(r.Name), dash(string(r.ServerMode)), dash(string(r.ClientMode)),
			over(tlsstatus.OverTLS), over(tlsstatus.OverTLCP), over(tlsstatus.OverTLS13), until)
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return loglimit.Printable(s)
}

func orDash(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return join(list)
}

func writeGaps(w io.Writer, gaps []gap) {
	for _, g := range gaps {
		fmt.Fprintln(w, "  "+g.String())
	}
}

// verdict is the result of gmtls migrate check.
type verdict struct {
	Stage    int      `json:"stage"`
	Node     string   `json:"node,omitempty"`
	Enter    bool     `json:"enter"`
	Refusals []gap    `json:"refusals,omitempty"`
	Notes    []string `json:"notes,omitempty"`
}

func (n *network) verdict(q question, inv *inventory) *verdict {
	v := &verdict{Stage: q.stage, Node: q.node, Refusals: n.entry(q, inv), Notes: n.notes()}
	if q.stage == stageDialing {
		v.Refusals = distinct(append(v.Refusals, n.dialable(q)...))
	}
	v.Enter = len(v.Refusals) == 0
	for _, id := range q.elsewhere {
		v.Notes = append(v.Notes, id+" was not looked at, as --elsewhere says")
	}
	switch q.stage {
	case stagePairs:
		for _, g := range n.missing(stageBinaries) {
			v.Notes = append(v.Notes, fmt.Sprintf("%s: %s; it takes part through stage 1 and holds stage 2 back", g.Node, g.Reason))
		}
	case stageDialing:
		for _, g := range n.consentersWithoutGM() {
			v.Notes = append(v.Notes, fmt.Sprintf("%s: %s; before any orderer dials TLCP: %s", g.Node, g.Reason, g.Remedy))
		}
	}
	return v
}

func (v *verdict) write(w io.Writer) {
	for _, note := range v.Notes {
		fmt.Fprintln(w, "note: "+loglimit.Printable(note))
	}
	who := ""
	if v.Node != "" {
		who = " by " + v.Node
	}
	if v.Enter {
		fmt.Fprintf(w, "stage %d (%s) can be entered%s\n", v.Stage, titles[v.Stage], who)
		return
	}
	fmt.Fprintf(w, "stage %d (%s) cannot be entered%s:\n", v.Stage, titles[v.Stage], who)
	writeGaps(w, v.Refusals)
}

func (o *outcome) write(w io.Writer) {
	if o.Passed > 0 {
		fmt.Fprintf(w, "%d transactions and signatures in the blocks are invalid, unreadable or of nobody in the channel, and count for nothing\n", o.Passed)
	}
	if len(o.Refusals) > 0 {
		fmt.Fprintf(w, "%s: nothing was written:\n", o.Kind)
		writeGaps(w, o.Refusals)
		return
	}
	if len(o.Steps) == 0 {
		fmt.Fprintf(w, "%s: nothing is left to do\n", o.Kind)
		return
	}
	for _, s := range o.Steps {
		fmt.Fprintln(w, s.File)
		for _, note := range s.Notes {
			fmt.Fprintln(w, "  "+loglimit.Printable(note))
		}
		fmt.Fprintf(w, "  to be signed for %s (peer channel signconfigtx), then submitted (peer channel update)\n", join(s.Sign))
	}
	if o.Left > 0 {
		fmt.Fprintf(w, "when it is committed: fetch the config block again and repeat, %d consenters are left\n", o.Left)
	}
}

// code is the exit code for refusals.
func code(refusals []gap) error {
	if len(refusals) > 0 {
		return exit.Silently(exit.Findings)
	}
	return nil
}
