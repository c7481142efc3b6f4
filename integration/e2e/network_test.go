// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/relay"
)

// TestGMNetwork runs the standard network with SM2 identities and TLCP alone, a relay in front of every service.
func TestGMNetwork(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmGM, Relayed: true})
	checkTransactions(ctx, t, n)
	checkPrivateData(ctx, t, n)
	checkEvents(ctx, t, n)
	checkOperator(ctx, t, n)
	checkDiscovery(ctx, t, n)
	requireSameChain(ctx, t, n)
	requireOnly(t, n, network.ModeGM)
	requireTLSRefused(t, n)
}

// checkTransactions writes through one organisation and reads through the other.
func checkTransactions(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	org1, org2 := n.Peers[0], n.Peers[1]
	first := contract(t, n, org1.PeersOf()[0])
	second := contract(t, n, org2.PeersOf()[0])
	submit(ctx, t, first, "CreateAsset", "lot-1", "red", "7", "berta", "120")
	awaitHeights(ctx, t, n)
	require.Equal(t, asset{ID: "lot-1", Color: "red", Size: 7, Owner: "berta", OwnerMSP: org1.MSPID, Value: 120}, read(ctx, t, second, "lot-1"))

	_, err := second.SubmitWithContext(ctx, "UpdateAsset", client.WithArguments("lot-1", "red", "7", "999"))
	require.Error(t, err, "an organisation changed what another owns")

	submit(ctx, t, first, "TransferAsset", "lot-1", "carlo", org2.MSPID)
	awaitHeights(ctx, t, n)
	submit(ctx, t, second, "UpdateAsset", "lot-1", "red", "7", "130")
	awaitHeights(ctx, t, n)
	require.Equal(t, 130, read(ctx, t, first, "lot-1").Value)

	var history []json.RawMessage
	out, err := first.EvaluateWithContext(ctx, "GetAssetHistory", client.WithArguments("lot-1"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(out, &history))
	require.Len(t, history, 3)

	submit(ctx, t, second, "DeleteAsset", "lot-1")
	awaitHeights(ctx, t, n)
	_, err = first.EvaluateWithContext(ctx, "ReadAsset", client.WithArguments("lot-1"))
	require.Error(t, err)
}

// awaitHeights waits until every peer has every block, so that endorsers agree and reads see what was written.
func awaitHeights(ctx context.Context, t *testing.T, n *network.Network) uint64 {
	t.Helper()
	height, err := n.AwaitSameHeight(ctx, 1)
	require.NoError(t, err)
	return height
}

// checkPrivateData shares details with all members of a collection and keeps others within one organisation.
func checkPrivateData(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	const details = `{"appraisal":4711,"remark":"sold as seen","salt":"0123456789abcdef0123"}`
	org1, org2 := n.Peers[0], n.Peers[1]
	first := contract(t, n, org1.PeersOf()[0])
	second := contract(t, n, org2.PeersOf()[0])
	own := "_implicit_org_" + org1.MSPID
	submit(ctx, t, first, "CreateAsset", "lot-2", "grey", "1", "berta", "1")
	awaitHeights(ctx, t, n)
	for _, c := range []struct {
		collection string
		options    []client.ProposalOption
	}{
		{network.SharedCollection, nil},
		{own, []client.ProposalOption{client.WithEndorsingOrganizations(org1.MSPID)}},
	} {
		options := append(c.options, client.WithArguments(c.collection, "lot-2"), client.WithTransient(map[string][]byte{"details": []byte(details)}))
		_, err := first.SubmitWithContext(ctx, "PutPrivateDetails", options...)
		require.NoError(t, err, c.collection)
	}
	awaitHeights(ctx, t, n)

	// The other organisation's peer gets shared details from gossip, at the commit or soon after it.
	require.Eventually(t, func() bool {
		out, err := second.EvaluateWithContext(ctx, "ReadPrivateDetails", client.WithArguments(network.SharedCollection, "lot-2"),
			client.WithEndorsingOrganizations(org2.MSPID))
		return err == nil && jsonEqual(out, details)
	}, 20*time.Second, 50*time.Millisecond, "shared private data did not reach %s", org2.Name)

	out, err := first.EvaluateWithContext(ctx, "ReadPrivateDetails", client.WithArguments(own, "lot-2"))
	require.NoError(t, err)
	require.JSONEq(t, details, string(out))
	_, err = second.EvaluateWithContext(ctx, "ReadPrivateDetails", client.WithArguments(own, "lot-2"), client.WithEndorsingOrganizations(org2.MSPID))
	require.Error(t, err, "%s read the private data of %s", org2.Name, org1.Name)
	hash, err := second.EvaluateWithContext(ctx, "GetPrivateDetailsHash", client.WithArguments(own, "lot-2"))
	require.NoError(t, err)
	require.NotEmpty(t, hash)
}

func jsonEqual(a []byte, b string) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	ax, errX := json.Marshal(x)
	by, errY := json.Marshal(y)
	return errX == nil && errY == nil && string(ax) == string(by)
}

// checkEvents listens at a peer of one organisation for what a client of another does.
func checkEvents(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	listener, err := n.Gateway(n.Peers[1].PeersOf()[0])
	require.NoError(t, err)
	defer listener.Close()
	events, err := listener.GetNetwork(n.Channel).ChaincodeEvents(ctx, network.ChaincodeName, client.WithStartBlock(awaitHeights(ctx, t, n)))
	require.NoError(t, err)
	submit(ctx, t, contract(t, n, n.Peers[0].PeersOf()[0]), "CreateAsset", "lot-3", "white", "2", "dora", "5")
	select {
	case event, ok := <-events:
		require.True(t, ok, "the stream of events ended")
		var a asset
		require.NoError(t, json.Unmarshal(event.Payload, &a), "%s", event.Payload)
		require.Equal(t, "lot-3", a.ID)
	case <-ctx.Done():
		t.Fatal("no chaincode event")
	}
}

// requireOnly checks what the relays saw between the nodes: traffic at every service, all of it of one protocol.
func requireOnly(t *testing.T, n *network.Network, mode string) {
	t.Helper()
	require.NotEmpty(t, n.Relays)
	for name, r := range n.Relays {
		seen := r.Records()
		want := relay.Records{Connections: seen.Connections, TLCP: seen.TLCP}
		carried := seen.TLCP
		// TLS 1.3 with GM suites has the records of TLS.
		if mode == network.ModeTLS || n.GMProtocol == network.GMProtocolTLS13 {
			want, carried = relay.Records{Connections: seen.Connections, TLS: seen.TLS}, seen.TLS
		}
		require.Equal(t, want, seen, "%s: records of another protocol", name)
		require.NotZero(t, carried, "%s: no traffic at all", name)
	}
}

// requireTLSRefused makes a TLS handshake with every port of a TLCP network and wants each refused at once.
func requireTLSRefused(t *testing.T, n *network.Network) {
	t.Helper()
	for _, kind := range []network.Kind{network.Orderer, network.Peer, network.Chaincode} {
		for _, node := range n.Nodes(kind) {
			for port, name := range node.PortNames() {
				conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), 5*time.Second)
				require.NoError(t, err, "%s %s", node.Name, name)
				require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
				err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).Handshake() // even a client that trusts anybody
				conn.Close()
				require.Error(t, err, "%s %s speaks TLS in mode gm", node.Name, name)
				require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "%s %s leaves a TLS client waiting", node.Name, name)
			}
		}
	}
}
