// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/migrate"
)

// State is the result for a requirement.
type State string

// The states.
const (
	Met            State = "met"            // the evidence shows it
	NotMet         State = "not met"        // the evidence shows the contrary
	NotShown       State = "not shown"      // there is no evidence of the kind that would show it
	Open           State = "open"           // nothing in this version, or on this machine, can meet it
	Organisational State = "organisational" // people, buildings and procedures
)

// finding is the result of a check.
type finding struct {
	State  State  `json:"state"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// check judges one property.
type check func(*Evidence) finding

func met(format string, args ...any) finding { return finding{Met, fmt.Sprintf(format, args...), ""} }

func notMet(remedy, format string, args ...any) finding {
	return finding{NotMet, fmt.Sprintf(format, args...), remedy}
}

func notShown(flag string) finding {
	return finding{NotShown, "nothing was given that shows it", "give " + flag}
}

// unaskedNodes says which nodes could not be asked, and why: their clauses are not met.
func unaskedNodes(e *Evidence) (problems []string) {
	for _, n := range e.nodes {
		switch {
		case n.Problem != "":
			problems = append(problems, n.Name+": "+n.Problem)
		case !n.Fork:
			problems = append(problems, n.Name+" has no page /tls: it is not a node of this fork")
		case len(n.Roles) == 0:
			problems = append(problems, n.Name+" says nothing about its listeners at /tls")
		}
	}
	return problems
}

// transport: every listener and dialer of every node speaks GM protocols alone, no connection of TLS is left, and no server is configured
// without protection, which the page /tls does not show.
func transport(e *Evidence) finding {
	if len(e.nodes) == 0 {
		return notShown("--inventory")
	}
	if problems := unaskedNodes(e); problems != nil {
		return notMet("let the nodes answer, see docs/operations.md", "%s", list(problems))
	}
	var wrong []string
	roles, tlcp, tls13 := 0, 0, 0
	for _, n := range e.nodes {
		wrong = append(wrong, unprotected(n)...)
		for _, r := range n.Roles {
			roles++
			tlcp += r.TLCP
			tls13 += r.TLS13
		}
	}
	for _, s := range e.settings {
		for _, address := range s.Plain {
			wrong = append(wrong, fmt.Sprintf("%s listens without protection at %s", s.Kind, address))
		}
	}
	if wrong != nil {
		return notMet("enable TLS, and set the modes to gm: docs/migration.md", "%s", list(wrong))
	}
	if len(e.settings) == 0 {
		return notShown("--node for each node's folder: its configuration shows listeners without protection, which its page /tls does not")
	}
	return met("%d nodes, %d roles in mode gm, %d connections of TLCP, %d of TLS 1.3 with GM suites and none of TLS; %d configurations without a plain listener",
		len(e.nodes), roles, tlcp, tls13, len(e.settings))
}

// unprotected says what of a node's traffic is not protected by GM protocols, as far as its page /tls shows it.
func unprotected(n migrate.Node) (wrong []string) {
	if !n.Listens() {
		wrong = append(wrong, n.Name+" shows no listener for nodes and clients: it listens without protection")
	}
	for _, r := range n.Roles {
		if r.ServerMode != "" && r.ServerMode != "gm" {
			wrong = append(wrong, fmt.Sprintf("%s: %s listens in mode %s", n.Name, r.Role, r.ServerMode))
		}
		if r.ClientMode != "" && r.ClientMode != "gm" {
			wrong = append(wrong, fmt.Sprintf("%s: %s dials in mode %s", n.Name, r.Role, r.ClientMode))
		}
		if r.TLS > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %s has %d connections of TLS", n.Name, r.Role, r.TLS))
		}
	}
	return wrong
}

// identities: every CA in the channels is SM2, and an identity has one form.
func identities(e *Evidence) finding {
	if len(e.channels) == 0 {
		return notShown("--block for each channel")
	}
	members := 0
	for _, ch := range e.channels {
		if len(ch.foreign) > 0 {
			return notMet("replace the identities: docs/migration.md, stage 5", "channel %s: CAs without an SM2 key: %s", ch.name, list(ch.foreign))
		}
		if !ch.hasCapability("GM_V1", "GM_V2") {
			return notMet("enable GM_V1: docs/upgrading.md", "channel %s has no capability by which an identity has one form", ch.name)
		}
		members += ch.members
	}
	return met("%d channels, the CAs of %d MSPs have SM2 keys, identities have one form", len(e.channels), members)
}

// chain: blocks are chained by SM3.
func chain(e *Evidence) finding {
	if len(e.channels) == 0 {
		return notShown("--block for each channel")
	}
	for _, ch := range e.channels {
		if ch.hash != "SM3" {
			return notMet("make a new channel with HashingAlgorithm SM3: docs/hashes.md", "channel %s hashes blocks with %s", ch.name, ch.hash)
		}
	}
	return met("%d channels hash blocks with SM3", len(e.channels))
}

// ledgerHashes: what a channel hashes besides its blocks is SM3 too. One function hashes all of it, that of the first block.
func ledgerHashes(e *Evidence) finding {
	if f := chain(e); f.State != Met {
		return f
	}
	return met("%d channels hash private data, proposals, read sets and snapshots with SM3", len(e.channels))
}

// finality: a malicious orderer cannot undo a block.
func finality(e *Evidence) finding {
	if len(e.channels) == 0 {
		return notShown("--block for each channel")
	}
	for _, ch := range e.channels {
		if ch.consensus != "BFT" {
			return notMet("Fabric 3 with consensus BFT", "channel %s orders by %s, which tolerates crashes and no malice", ch.name, ch.consensus)
		}
	}
	return met("%d channels order by SmartBFT", len(e.channels))
}

// approved: nodes refuse every other algorithm, and have tested algorithms and random bytes at start.
func approved(e *Evidence) finding {
	if len(e.settings) == 0 {
		return notShown("--node for each node's folder")
	}
	for _, s := range e.settings {
		if !s.Strict {
			return notMet("set BCCSP.GM.Strict: true", "%s does not ask for approved algorithms only", s.Kind)
		}
	}
	return met("%d nodes have BCCSP.GM.Strict, and do not start when a power-on test of algorithms or random bytes fails", len(e.settings))
}

// keys: private keys are in a device.
func keys(e *Evidence) finding {
	if len(e.settings) == 0 {
		return notShown("--node for each node's folder")
	}
	count := 0
	for _, s := range e.settings {
		for _, k := range s.Keys {
			if !k.InDevice {
				return notMet("move the key into a device: docs/hsm.md", "%s is a key in a file (encrypted: %t)", k.Name, k.Encrypted)
			}
			count++
		}
	}
	if count == 0 {
		return notMet("configure an identity and a TLCP pair", "the nodes' configuration leads to no key")
	}
	return met("%d keys of %d nodes are references to a device", count, len(e.settings))
}

// storage: ledgers lie on an SM4 mapping.
func storage(e *Evidence) finding {
	if len(e.ledgers) == 0 {
		return notShown("--ledger for each node's ledger, on its machine")
	}
	for _, l := range e.ledgers {
		switch l.cipher {
		case "sm4-xts-plain64", "xts(sm4)-plain64": // the latter in the kernel's own spelling
		case "":
			if e.lacks != "" {
				return finding{Open, fmt.Sprintf("%s lies on no dm-crypt mapping, and %s", l.path, e.lacks), "a kernel with both: docs/data-at-rest.md"}
			}
			return notMet("docs/data-at-rest.md", "%s lies on no dm-crypt mapping", l.path)
		default:
			return notMet("docs/data-at-rest.md", "%s lies on a dm-crypt mapping of %s", l.path, l.cipher)
		}
	}
	return met("%d ledgers on dm-crypt with sm4-xts-plain64", len(e.ledgers))
}

// events: every node is this fork, whose security events nobody can turn off.
func events(e *Evidence) finding {
	if len(e.nodes) == 0 {
		return notShown("--inventory")
	}
	if problems := unaskedNodes(e); problems != nil {
		return notMet("let the nodes answer, see docs/operations.md", "%s", list(problems))
	}
	return met("%d nodes write numbered security events into their logs; who keeps the logs is for the operator to show", len(e.nodes))
}

// module: the product's certificate.
func module(*Evidence) finding {
	return finding{Open, "this software is not a certified cryptographic product", "use certified devices for keys (docs/hsm.md), and agree on the rest with the assessor"}
}

func organisational(*Evidence) finding {
	return finding{Organisational, "not for a tool to see", "docs/compliance.md says who has to show it"}
}
