// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/integration/network"
)

// verdict waits until a peer has the transaction, and returns how the peer judged it.
func verdict(ctx context.Context, t *testing.T, n *network.Network, node network.Node, txID string) peer.TxValidationCode {
	t.Helper()
	connection, err := n.Gateway(node)
	require.NoError(t, err)
	defer connection.Close()
	query := connection.GetNetwork(n.Channel).GetContract("qscc")
	var processed peer.ProcessedTransaction
	require.Eventually(t, func() bool {
		out, err := query.EvaluateWithContext(ctx, "GetTransactionByID", client.WithArguments(n.Channel, txID))
		return err == nil && proto.Unmarshal(out, &processed) == nil
	}, time.Minute, 200*time.Millisecond, "transaction %s at %s", txID, node.Name)
	return peer.TxValidationCode(processed.ValidationCode)
}

// requireVerdict demands one verdict of every peer.
func requireVerdict(ctx context.Context, t *testing.T, n *network.Network, want peer.TxValidationCode, txID string) {
	t.Helper()
	for _, node := range n.Nodes(network.Peer) {
		require.Equal(t, want.String(), verdict(ctx, t, n, node, txID).String(), node.Name)
	}
}

// outcome has a peer of every organisation execute the proposal and returns what they agree on, with their endorsements.
func outcome(ctx context.Context, t *testing.T, n *network.Network, p *proposal) ([]byte, []*peer.Endorsement) {
	t.Helper()
	var agreed []byte
	var endorsements []*peer.Endorsement
	for _, org := range n.Peers {
		answer, err := p.endorse(ctx, t, n, org.PeersOf()[0])
		require.NoError(t, err)
		require.EqualValues(t, 200, answer.GetResponse().GetStatus(), answer.GetResponse().GetMessage())
		if agreed != nil {
			require.Equal(t, agreed, answer.Payload)
		}
		agreed, endorsements = answer.Payload, append(endorsements, answer.Endorsement)
	}
	return agreed, endorsements
}

// refused reports what a peer said against a proposal; it fails the test if the peer endorsed.
func refused(t *testing.T, answer *peer.ProposalResponse, err error) string {
	t.Helper()
	if err != nil {
		return err.Error()
	}
	require.Nil(t, answer.GetEndorsement(), "endorsed: %v", answer)
	return answer.GetResponse().GetMessage()
}

// createAsset are the arguments of a chaincode call that writes.
func createAsset(id string) []string {
	return []string{"CreateAsset", id, "red", "1", "berta", "1"}
}

// checkRoles: a client's signature is not a peer's, a stranger's is nobody's, and a signature counts for its message alone.
func checkRoles(ctx context.Context, t *testing.T, n *network.Network) {
	org := n.Peers[0]
	user := userOf(t, n, org, "User1")
	submit := func(id string, endorse func(agreed []byte, real []*peer.Endorsement) []*peer.Endorsement) string {
		p := propose(t, n, user, network.ChaincodeName, createAsset(id)...)
		agreed, real := outcome(ctx, t, n, p)
		answer := broadcast(ctx, t, n, p.transaction(t, agreed, endorse(agreed, real)...))
		require.Equal(t, common.Status_SUCCESS, answer.Status, answer.Info)
		return p.txID
	}

	id := submit("as it should be", func(_ []byte, real []*peer.Endorsement) []*peer.Endorsement { return real })
	requireVerdict(ctx, t, n, peer.TxValidationCode_VALID, id)
	id = submit("client in place of peers", func(agreed []byte, _ []*peer.Endorsement) []*peer.Endorsement {
		var all []*peer.Endorsement
		for _, org := range n.Peers {
			all = append(all, endorsement(t, userOf(t, n, org, "User1"), agreed), endorsement(t, userOf(t, n, org, "Admin"), agreed))
		}
		return all
	})
	requireVerdict(ctx, t, n, peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, id)
	id = submit("signature of another outcome", func(agreed []byte, real []*peer.Endorsement) []*peer.Endorsement {
		other := endorsement(t, peerOf(t, n, org, org.PeersOf()[0]), append(append([]byte{}, agreed...), 0))
		return append([]*peer.Endorsement{other}, real[1:]...)
	})
	requireVerdict(ctx, t, n, peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, id)

	foreign := userOf(t, n, org, "User1")
	foreign.mspID = "StrangerMSP"
	answer, err := propose(t, n, foreign, network.ChaincodeName, createAsset("msp")...).endorse(ctx, t, n, org.PeersOf()[0])
	require.NotEmpty(t, refused(t, answer, err))
	unsigned := propose(t, n, user, network.ChaincodeName, createAsset("signature")...)
	unsigned.by = userOf(t, n, org, "Admin") // signs what User1 is said to have proposed
	answer, err = unsigned.endorse(ctx, t, n, org.PeersOf()[0])
	require.NotEmpty(t, refused(t, answer, err))
}

// TestMembers is the short form: one network, small, and what members may not do to it.
func TestMembers(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmMixed, Orderers: 1, Peers: 1})
	t.Run("roles", func(t *testing.T) { checkRoles(ctx, t, n) })
	t.Run("forms", func(t *testing.T) { checkForms(ctx, t, n) })
	t.Run("gossip", func(t *testing.T) { checkGossip(ctx, t, n) })
	t.Run("gossip without parts", func(t *testing.T) { checkGossipParts(ctx, t, n) })
	t.Run("malformed", func(t *testing.T) { checkMalformed(ctx, t, n) })
	t.Run("orderer", func(t *testing.T) { checkOrderer(ctx, t, n) })
	t.Run("peer", func(t *testing.T) { checkPeer(ctx, t, n) })
	requireAlive(ctx, t, n)
}

// requireAlive demands that honest members are served as before.
func requireAlive(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	connection, err := n.Gateway(n.Nodes(network.Peer)[0])
	require.NoError(t, err)
	defer connection.Close()
	_, err = n.Contract(connection).SubmitWithContext(ctx, "CreateAsset", client.WithArguments(createAsset("alive " + t.Name())[1:]...))
	var failed *client.CommitError
	require.False(t, errors.As(err, &failed), "%v", failed)
	require.NoError(t, err)
	out, err := n.Contract(connection).EvaluateWithContext(ctx, "ReadAsset", client.WithArguments("alive "+t.Name()))
	require.NoError(t, err)
	require.True(t, json.Valid(out))
}
