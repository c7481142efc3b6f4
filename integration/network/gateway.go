// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric/pkg/gmgateway"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// gossipLimit is how long peers may take to tell each other what chaincode they have.
const gossipLimit = 30 * time.Second

// Profile is the connection profile of an organisation's User1, as a file.
func (n *Network) Profile(org Org) string {
	return n.path("profiles", strings.ToLower(org.Name)+".yaml")
}

// Gateway connects to a peer of the network as User1 of the peer's organisation. The caller closes it.
func (n *Network) Gateway(peer Node, options ...client.ConnectOption) (*gmgateway.Connection, error) {
	profile, err := gmgateway.LoadProfile(n.Profile(n.OrgOf(peer)))
	if err != nil {
		return nil, err
	}
	return profile.Connect(peer.Name, options...)
}

// Contract is the asset chaincode on the network's channel, through a gateway.
func (n *Network) Contract(connection *gmgateway.Connection) *client.Contract {
	return connection.GetNetwork(n.Channel).GetContract(ChaincodeName)
}

// firstTransaction waits until every peer's gateway can have transactions endorsed, creates an asset through the first, waits until
// all peers have its block, and reads it through every peer.
func (n *Network) firstTransaction(ctx context.Context) (height uint64, err error) {
	id := "first-" + time.Now().UTC().Format("20060102T150405.000")
	create := client.WithArguments(id, "blue", "5", "amelia", "300")
	if _, err := n.AwaitSameHeight(ctx, 2); err != nil { // only then has every peer the definition
		return 0, err
	}
	if err := parallel(n.Nodes(Peer), func(peer Node) error { return n.awaitEndorsers(ctx, peer, create) }); err != nil {
		return 0, err
	}
	first := n.Nodes(Peer)[0]
	connection, err := n.Gateway(first)
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	if _, err := n.Contract(connection).SubmitWithContext(ctx, "CreateAsset", create); err != nil {
		return 0, n.explain(fmt.Errorf("submit CreateAsset through %s: %w", first.Name, err), append(n.Nodes(Peer), n.Nodes(Orderer)...)...)
	}
	if height, err = n.AwaitSameHeight(ctx, 2); err != nil {
		return 0, err
	}
	return height, parallel(n.Nodes(Peer), func(peer Node) error { return n.readAsset(ctx, peer, id) })
}

// awaitEndorsers waits until a peer's gateway has heard by gossip which peers of other organisations have the chaincode: until then
// it refuses to have a transaction endorsed. Nothing is sent to an orderer.
func (n *Network) awaitEndorsers(ctx context.Context, peer Node, create client.ProposalOption) error {
	connection, err := n.Gateway(peer)
	if err != nil {
		return err
	}
	defer connection.Close()
	proposal, err := n.Contract(connection).NewProposal("CreateAsset", create)
	if err != nil {
		return err
	}
	err = poll(ctx, gossipLimit, "endorsers of every organisation at "+peer.Name, func(ctx context.Context) error {
		_, err := proposal.EndorseWithContext(ctx)
		if err != nil && status.Code(err) != codes.FailedPrecondition {
			return fmt.Errorf("%w%w", err, errFinal)
		}
		return err
	})
	if err != nil {
		return n.explain(fmt.Errorf("endorse CreateAsset through %s: %w", peer.Name, err), n.Nodes(Peer)...)
	}
	return nil
}

// readAsset evaluates ReadAsset at one peer and checks the answer.
func (n *Network) readAsset(ctx context.Context, peer Node, id string) error {
	connection, err := n.Gateway(peer)
	if err != nil {
		return err
	}
	defer connection.Close()
	answer, err := n.Contract(connection).EvaluateWithContext(ctx, "ReadAsset", client.WithArguments(id))
	if err != nil {
		return n.explain(fmt.Errorf("evaluate ReadAsset through %s: %w", peer.Name, err), peer)
	}
	var asset struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(answer, &asset); err != nil || asset.ID != id {
		return fmt.Errorf("ReadAsset through %s answered %q, not asset %s", peer.Name, answer, id)
	}
	return nil
}
