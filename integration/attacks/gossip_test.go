// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gossip"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/integration/network"
)

// gossiper speaks the gossip protocol to one peer, as the program of a member would that is not a peer.
type gossiper struct {
	t      *testing.T
	member *member
	stream gossip.Gossip_GossipStreamClient
	// binding is the hash of the certificate that the connection shows, to which gossip binds an identity.
	binding []byte
}

// openGossip connects to a peer with the TLS material of org's User1, and speaks as by.
func openGossip(ctx context.Context, t *testing.T, n *network.Network, node network.Node, org network.Org, by *member) *gossiper {
	t.Helper()
	file := "client.crt"
	if n.ClientMode == network.ModeGM {
		file = "client-sign.crt"
	}
	raw, err := os.ReadFile(filepath.Join(orgDir(n, org), "users", "User1@"+org.Domain, "tls", file))
	require.NoError(t, err)
	block, _ := pem.Decode(raw)
	require.NotNil(t, block)
	binding := sha256.Sum256(block.Bytes)
	stream, err := gossip.NewGossipClient(dial(t, n, node, org, "User1")).GossipStream(ctx)
	require.NoError(t, err)
	return &gossiper{t: t, member: by, stream: stream, binding: binding[:]}
}

// send signs a message and sends it. What the peer thinks of it shows later.
func (g *gossiper) send(m *gossip.GossipMessage) {
	g.t.Helper()
	payload := encode(g.t, m)
	_ = g.stream.Send(&gossip.Envelope{Payload: payload, Signature: g.member.sign(g.t, payload)})
}

// id is by what gossip names the member.
func (g *gossiper) id() []byte {
	g.t.Helper()
	var parts msp.SerializedIdentity
	require.NoError(g.t, proto.Unmarshal(g.member.serialize(g.t), &parts))
	id := sha256.Sum256(append([]byte(parts.Mspid), parts.IdBytes...))
	return id[:]
}

// introduce sends the message by which a peer names itself. change makes it false.
func (g *gossiper) introduce(change func(*gossip.ConnEstablish)) {
	g.t.Helper()
	hello := &gossip.ConnEstablish{PkiId: g.id(), Identity: g.member.serialize(g.t), TlsCertHash: g.binding}
	if change != nil {
		change(hello)
	}
	g.send(&gossip.GossipMessage{Tag: gossip.GossipMessage_EMPTY, Content: &gossip.GossipMessage_Conn{Conn: hello}})
}

// accepted reports whether the peer takes part in the conversation after its own introduction: it asks whom it took for members, and
// ends the stream of everybody else.
func (g *gossiper) accepted() bool {
	g.t.Helper()
	first, err := g.stream.Recv() // the peer's own introduction
	require.NoError(g.t, err)
	require.NotNil(g.t, first)
	g.send(&gossip.GossipMessage{
		Tag: gossip.GossipMessage_EMPTY, Nonce: 7,
		Content: &gossip.GossipMessage_MemReq{MemReq: &gossip.MembershipRequest{SelfInformation: g.alive(1)}},
	})
	answers := make(chan error, 1)
	go func() {
		_, err := g.stream.Recv()
		answers <- err
	}()
	select {
	case err := <-answers:
		return err == nil
	case <-time.After(time.Minute):
		require.Fail(g.t, "the peer neither answers nor ends the stream")
	}
	return false
}

// alive is a signed message that the member is there.
func (g *gossiper) alive(sequence uint64) *gossip.Envelope {
	g.t.Helper()
	payload := encode(g.t, &gossip.GossipMessage{
		Tag: gossip.GossipMessage_EMPTY,
		Content: &gossip.GossipMessage_AliveMsg{AliveMsg: &gossip.AliveMessage{
			Membership: &gossip.Member{Endpoint: "127.0.0.1:1", PkiId: g.id()},
			Timestamp:  &gossip.PeerTime{IncNum: uint64(time.Now().UnixNano()), SeqNum: sequence}, Identity: g.member.serialize(g.t),
		}},
	})
	return &gossip.Envelope{Payload: payload, Signature: g.member.sign(g.t, payload)}
}

// checkGossip: a member cannot speak for another, under another certificate of TLS, or in a second form of its identity; and a block
// that he makes up is not a block.
func checkGossip(ctx context.Context, t *testing.T, n *network.Network) {
	org, other := n.Peers[0], n.Peers[1]
	target := other.PeersOf()[0]
	own := authorityOf(t, n, org).issue(t, "peer", time.Now().Add(time.Hour))
	ask := func(by *member, change func(*gossip.ConnEstablish)) bool {
		g := openGossip(ctx, t, n, target, org, by)
		g.introduce(change)
		return g.accepted()
	}
	require.False(t, ask(own, func(c *gossip.ConnEstablish) { c.TlsCertHash[0] ^= 1 }), "an identity bound to another connection")
	require.False(t, ask(own, func(c *gossip.ConnEstablish) { c.TlsCertHash = nil }), "an identity bound to none")
	require.False(t, ask(own, func(c *gossip.ConnEstablish) { c.PkiId[0] ^= 1 }), "an identity under another identifier")
	victim := peerOf(t, n, other, target)
	impostor := *own
	impostor.mspID, impostor.cert = victim.mspID, victim.cert
	require.False(t, ask(&impostor, nil), "an identity without its key")
	for _, org := range n.Peers { // one SM2, one ECDSA
		one := authorityOf(t, n, org).issue(t, "peer", time.Now().Add(time.Hour))
		require.True(t, ask(one, nil), "%s: another peer", org.Name)
		for _, kind := range []string{"NULL behind", "octets behind"} {
			require.False(t, ask(one.dress(t, kind), nil), "%s: a second form, %s", org.Name, kind)
		}
	}

	height, err := n.Height(ctx, target)
	require.NoError(t, err)
	g := openGossip(ctx, t, n, target, org, own)
	g.introduce(nil)
	require.True(t, g.accepted())
	for sequence := height; sequence < height+3; sequence++ {
		g.send(&gossip.GossipMessage{
			Channel: []byte(n.Channel), Tag: gossip.GossipMessage_CHAN_AND_ORG, Nonce: sequence,
			Content: &gossip.GossipMessage_DataMsg{DataMsg: &gossip.DataMessage{Payload: &gossip.Payload{SeqNum: sequence, Data: madeUpBlock(t, sequence)}}},
		})
	}
	p := propose(t, n, userOf(t, n, org, "User1"), network.ChaincodeName, createAsset("after gossip")...)
	agreed, endorsements := outcome(ctx, t, n, p)
	require.Equal(t, common.Status_SUCCESS, broadcast(ctx, t, n, p.transaction(t, agreed, endorsements...)).Status)
	requireVerdict(ctx, t, n, peer.TxValidationCode_VALID, p.txID)
	_, err = n.AwaitSameBlocks(ctx)
	require.NoError(t, err)
}

// madeUpBlock has a sound header over its data and metadata that nobody signed.
func madeUpBlock(t *testing.T, number uint64) []byte {
	t.Helper()
	junk := make([]byte, 64)
	_, _ = rand.Read(junk)
	hash := sha256.Sum256(junk)
	return encode(t, &common.Block{
		Header:   &common.BlockHeader{Number: number, PreviousHash: make([]byte, 32), DataHash: hash[:]},
		Data:     &common.BlockData{Data: [][]byte{junk}},
		Metadata: &common.BlockMetadata{Metadata: make([][]byte, 5)},
	})
}
