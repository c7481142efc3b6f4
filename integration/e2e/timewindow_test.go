// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hyperledger/fabric/integration/network"
)

// TestTimeWindow sends proposals that are correctly signed and name another time than the peer's. A peer as it is takes them; one whose
// peer.handlers.authFilters has TimeWindowCheck refuses them beyond peer.authentication.timewindow, 15 minutes here.
func TestTimeWindow(t *testing.T) {
	n, ctx := start(t, network.Options{Orderers: 1, Orgs: 1, Peers: 1})
	node := n.Nodes(network.Peer)[0]
	read := func(shift time.Duration) error {
		connection, err := n.Gateway(node)
		require.NoError(t, err)
		defer connection.Close()
		proposal, err := n.Contract(connection).NewProposal("AssetExists", client.WithArguments("a0"))
		require.NoError(t, err)
		message, err := proposal.Bytes()
		require.NoError(t, err)
		late, err := connection.NewProposal(atOtherTime(t, message, shift))
		require.NoError(t, err)
		_, err = late.EvaluateWithContext(ctx)
		return err
	}
	require.NoError(t, read(-24*time.Hour), "without the filter a client may name any time")

	file := filepath.Join(n.Dir, "nodes", node.Name, "core.yaml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	set := strings.Replace(string(text), "{name: ExpirationCheck}]", "{name: ExpirationCheck}, {name: TimeWindowCheck}]", 1)
	require.NotEqual(t, string(text), set)
	require.NoError(t, os.WriteFile(file, []byte(set), 0o600))
	require.NoError(t, n.Restart(ctx, node.Name))

	for _, shift := range []time.Duration{-14 * time.Minute, 0, 14 * time.Minute} {
		require.NoError(t, read(shift), shift)
	}
	for _, shift := range []time.Duration{-16 * time.Minute, 16 * time.Minute, -24 * time.Hour} {
		err := read(shift)
		require.Error(t, err, shift)
		require.Contains(t, reasons(err), "timestamp", shift)
	}
	submit(ctx, t, contract(t, n, node), "CreateAsset", "in-time", "red", "1", "ute", "1")
}

// atOtherTime is a gateway's proposal whose timestamp is moved. Its transaction identifier does not depend on the time.
func atOtherTime(t *testing.T, message []byte, shift time.Duration) []byte {
	t.Helper()
	var request gateway.ProposedTransaction
	require.NoError(t, proto.Unmarshal(message, &request))
	var proposal peer.Proposal
	require.NoError(t, proto.Unmarshal(request.Proposal.ProposalBytes, &proposal))
	var header common.Header
	require.NoError(t, proto.Unmarshal(proposal.Header, &header))
	var channel common.ChannelHeader
	require.NoError(t, proto.Unmarshal(header.ChannelHeader, &channel))
	channel.Timestamp = timestamppb.New(channel.Timestamp.AsTime().Add(shift))
	header.ChannelHeader = marshal(t, &channel)
	proposal.Header = marshal(t, &header)
	request.Proposal = &peer.SignedProposal{ProposalBytes: marshal(t, &proposal)}
	return marshal(t, &request)
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	out, err := proto.Marshal(m)
	require.NoError(t, err)
	return out
}

// reasons is what a gateway and the peers behind it say of a failure.
func reasons(err error) string {
	text := err.Error()
	for _, detail := range status.Convert(err).Details() {
		if d, ok := detail.(*gateway.ErrorDetail); ok {
			text += "; " + d.Message
		}
	}
	return text
}
