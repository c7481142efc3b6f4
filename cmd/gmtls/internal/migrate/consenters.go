// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/operations"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// form is what a consenter's certificate fields are to hold.
type form struct{ std, gm bool }

// forms by the kind of update.
var forms = map[string]form{
	consentersBoth: {std: true, gm: true},
	consentersTLS:  {std: true},
	consentersGM:   {gm: true},
}

// rotation is the order in which consenters get their new fields.
type rotation struct {
	left []*seat // still to be changed, the leader last
	done int
}

// rotate finds out which consenters are still to be changed. A Raft cluster bears
// the change of one consenter at a time, and only while all others are there.
func (n *network) rotate(ctx context.Context, inv *inventory, f form) (*rotation, []gap, error) {
	r := new(rotation)
	if n.channel.metadata == nil {
		return r, []gap{{Reason: "channel " + n.channel.Name + " does not run Raft: this tool changes only consenters of Raft",
			Remedy: "nothing is needed for stage 3, as consenters of SmartBFT are not recognised by these certificates; to change them all the same: " +
				replaceOrderer("HOST:PORT") + " --certificate FILE"}}, nil
	}
	for _, s := range n.channel.consenters {
		if s.std == f.std && s.gm == f.gm && !(f.gm && n.isStranger(s)) {
			r.done++
		} else {
			r.left = append(r.left, s)
		}
	}
	if len(r.left) == 0 {
		return r, nil, nil
	}
	leader, gaps := n.leader(ctx, inv)
	for i, s := range r.left {
		if s == leader {
			r.left = append(append(r.left[:i:i], r.left[i+1:]...), s)
			break
		}
	}
	return r, gaps, nil
}

// consenterRemedy is how a consenter gets other certificates.
func (n *network) consenterRemedy(s *seat, kind string) string {
	if n.channel.metadata != nil {
		return updateRemedy(kind)
	}
	return replaceOrderer(s.address) + " --certificate FILE"
}

// replaceOrderer is the remedy for consenters of SmartBFT: with their certificates a policy changes, which this tool does not do.
func replaceOrderer(address string) string {
	return "consortium update replace-orderer --address " + address
}

// leader finds the consenter that leads, and why the cluster cannot be changed now.
func (n *network) leader(ctx context.Context, inv *inventory) (leader *seat, gaps []gap) {
	label := `channel="` + n.channel.Name + `"`
	active := 0.0
	for _, s := range n.channel.consenters {
		f := s.known(n.nodes)
		if f == nil {
			return nil, []gap{n.seatGap(s, "no node of the inventory has this address", "list all consenters: which of them leads must be known")}
		}
		metrics, err := metricsOf(ctx, inv.Organizations[f.Organization], f.node)
		if err != nil {
			return nil, []gap{n.seatGap(s, err.Error(), "set Metrics.Provider to prometheus: which consenter leads must be known")}
		}
		if metrics.Value("consensus_etcdraft_is_leader", label) == 1 {
			leader, active = s, metrics.Value("consensus_etcdraft_active_nodes", label)
		}
	}
	switch all := len(n.channel.consenters); {
	case leader == nil:
		return nil, []gap{{Reason: "no consenter says that it leads", Remedy: "wait for a leader, and ask again"}}
	case int(active) != all:
		return leader, []gap{n.seatGap(leader, fmt.Sprintf("the leader counts %v of %d consenters as active", active, all),
			"wait until all are back: a change of one while another is away can cost the quorum")}
	}
	return leader, nil
}

func metricsOf(ctx context.Context, org *organization, n *node) (operations.Samples, error) {
	s, err := operations.NewService(&org.Client, n.Operations)
	if err != nil {
		return nil, fmt.Errorf("client of %s: %w", n.org, err)
	}
	defer s.Close()
	return s.Metrics(ctx)
}

// changeConsenter is the change of one consenter's fields.
func (n *network) changeConsenter(s *seat, f form, q question) (*change, *gap, error) {
	metadata := proto.CloneOf(n.channel.metadata)
	for i, c := range n.channel.metadata.Consenters {
		if c != s.consenter {
			continue
		}
		mine := metadata.Consenters[i]
		for _, of := range sides {
			text, refusal := n.newField(s, of, f, q)
			if refusal != nil {
				return nil, refusal, nil
			}
			if of == asServer {
				mine.ServerTlsCert = text
			} else {
				mine.ClientTlsCert = text
			}
		}
	}
	return n.consensusChange(metadata)
}

// newField is what a side's field of a consenter is to hold.
func (n *network) newField(s *seat, of side, f form, q question) (text []byte, refusal *gap) {
	std, gm := identities(s.field(of))
	if f.std {
		if std == nil {
			g := n.seatGap(s, "its "+string(of)+" field has no TLS certificate any more", "put it in by configtxlator: the channel does not have it")
			return nil, &g
		}
		text = append(text, std...)
	}
	if !f.gm {
		return text, nil
	}
	if gm == nil || n.stranger(s, of) != "" {
		if gm, refusal = n.signingCert(s, of, q); refusal != nil {
			return nil, refusal
		}
	}
	return append(text, gm...), nil
}

func (n *network) consensusChange(metadata *etcdraft.ConfigMetadata) (*change, *gap, error) {
	consensus := proto.CloneOf[*orderer.ConsensusType](n.channel.consensus)
	var err error
	if consensus.Metadata, err = marshal(metadata); err != nil {
		return nil, nil, err
	}
	value, err := marshal(consensus)
	return &change{[]string{"Orderer"}, "ConsensusType", value}, nil, err
}

// signingCert takes a consenter's SM2 signing certificate from the inventory and
// checks it as orderers will: they refuse an update whose certificate does not
// chain to the TLS roots of an ordering organisation. It must also be the one
// that the node presents on this side.
func (n *network) signingCert(s *seat, of side, q question) ([]byte, *gap) {
	refuse := func(format string, args ...any) ([]byte, *gap) {
		g := n.seatGap(s, fmt.Sprintf(format, args...),
			"name its SM2 signing certificate under signCert of the inventory, and under clientSignCert that by which it dials others if it is another")
		return nil, &g
	}
	f := s.known(n.nodes)
	if f == nil || len(f.node.sign) == 0 {
		return refuse("the inventory has no signCert of it")
	}
	file, certs := f.node.signingFile(of)
	cert := certs[0]
	switch {
	case !x509.IsSM2(cert.PublicKey) || cert.IsCA || !material.CanSign(cert):
		return refuse("%s holds no SM2 certificate for signing", file)
	case cert.NotAfter.Sub(q.now) < q.validFor:
		return refuse("%s is valid until %s only", file, cert.NotAfter.UTC().Format(time.DateTime))
	case len(f.pair) == 0 || of == asServer && !f.pair[0].Equal(cert):
		return refuse("%s is not the certificate that the node presents at %s", file, f.node.Address)
	}
	if why := f.notPresenting(cert, of); why != "" {
		return refuse("%s is not the certificate of its %s side: %s", file, of, why)
	}
	var roots []*x509.Certificate
	for _, m := range n.channel.members {
		if m.isOrdering() {
			roots = append(roots, n.held[m.ID].gmTLS...)
		}
	}
	if found := material.CheckChain(cert, certs[1:], roots, q.now); len(found) > 0 {
		return refuse("%s does not lead to an SM2 TLS root of an ordering organisation in the channel: %s", file, found[0].Detail)
	}
	return encode([]*x509.Certificate{cert}), nil
}
