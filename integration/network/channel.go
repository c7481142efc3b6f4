// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// commitLimit is how long blocks may take to reach every peer.
const commitLimit = 30 * time.Second

// joinOrderers creates the channel on every orderer, from its first block, by channel participation.
func (n *Network) joinOrderers(ctx context.Context) error {
	return parallel(n.Nodes(Orderer), func(orderer Node) error {
		_, err := n.Osnadmin(ctx, orderer, "join", "--channelID", n.Channel, "--config-block", n.genesis())
		return err
	})
}

// joinPeers lets every peer join the channel. Anchor peers are in its first block.
func (n *Network) joinPeers(ctx context.Context) error {
	return parallel(n.Nodes(Peer), func(peer Node) error { return n.JoinPeer(ctx, peer) })
}

// JoinPeer lets a peer join the channel from its first block. The peer fetches all others afterwards.
func (n *Network) JoinPeer(ctx context.Context, peer Node) error {
	_, err := n.PeerCommand(ctx, peer, "channel", "join", "--blockpath", n.genesis())
	return err
}

// explain adds to a failed command the end of the log of a node that it spoke to, if that has ended.
func (n *Network) explain(err error, nodes ...Node) error {
	if err == nil {
		return nil
	}
	for _, node := range nodes {
		err = errors.Join(err, n.checkRunning(node.Name))
	}
	return err
}

// packageChaincode makes the packages of all organisations and learns their ids, to which the chaincode servers
// answer.
func (n *Network) packageChaincode(ctx context.Context, version string) (map[string]string, error) {
	files := map[string]string{}
	for _, org := range n.Peers {
		file, label, err := n.makePackage(org, org.ChaincodeServer(), ChaincodeName, version)
		if err != nil {
			return nil, err
		}
		id, err := n.packageID(ctx, org, file, label)
		if err != nil {
			return nil, err
		}
		n.packages[org.Name] = id
		files[org.Name] = file
	}
	return files, n.save()
}

func (n *Network) installChaincode(ctx context.Context, files map[string]string) error {
	return parallel(n.Nodes(Peer), func(peer Node) error {
		_, err := n.PeerCommand(ctx, peer, "lifecycle", "chaincode", "install", files[n.OrgOf(peer).Name])
		return err
	})
}

// approveChaincode records every organisation's approval on the channel. All ask at once, through different orderers.
func (n *Network) approveChaincode(ctx context.Context, version string, sequence int) error {
	orderers := n.Nodes(Orderer)
	indexes := make([]int, len(n.Peers))
	for i := range indexes {
		indexes[i] = i
	}
	return parallel(indexes, func(i int) error {
		org := n.Peers[i]
		orderer, peer := orderers[i%len(orderers)], org.PeersOf()[0]
		args := append(n.definition("approveformyorg", version, sequence), "--package-id", n.packages[org.Name])
		_, err := n.PeerCommand(ctx, peer, append(args, n.OrdererFlags(orderer, org, "Admin")...)...)
		return n.explain(err, orderer)
	})
}

// commitChaincode makes the approved definition that of the channel, endorsed by a peer of every organisation, and waits
// until these have it.
func (n *Network) commitChaincode(ctx context.Context, version string, sequence int) error {
	org, orderer := n.Peers[0], n.Nodes(Orderer)[0]
	args := append(n.definition("commit", version, sequence), n.endorserFlags()...)
	_, err := n.PeerCommand(ctx, org.PeersOf()[0], append(args, n.OrdererFlags(orderer, org, "Admin")...)...)
	return n.explain(err, append(n.Nodes(Peer)[1:], orderer)...) // PeerCommand tells of the first
}

// UpgradeChaincode installs the asset chaincode as another version under a new package id, lets the servers answer to that id
// instead, and makes it the channel's by all organisations' approval. sequence is one more than the last.
func (n *Network) UpgradeChaincode(ctx context.Context, version string, sequence int) error {
	files, err := n.packageChaincode(ctx, version)
	if err != nil {
		return err
	}
	if err := n.installChaincode(ctx, files); err != nil {
		return err
	}
	for _, server := range n.Nodes(Chaincode) {
		if err := n.Stop(ctx, server.Name); err != nil {
			return err
		}
		if err := n.Start(server.Name); err != nil {
			return err
		}
	}
	if err := n.awaitListening(ctx, n.Nodes(Chaincode)...); err != nil {
		return err
	}
	if err := n.approveChaincode(ctx, version, sequence); err != nil {
		return err
	}
	return n.commitChaincode(ctx, version, sequence)
}

// MoveChaincode lets the peers reach the chaincode by the network's present protocol, without a break: every organisation gets a
// second server that speaks it, a package that says so, and approves the definition that the channel has with this package. When
// all peers have that, the first server ends. version and sequence are those of the definition.
func (n *Network) MoveChaincode(ctx context.Context, version string, sequence int) error {
	var old []Node
	spoken := n.ClientMode
	if n.GMProtocol != "" {
		spoken = strings.ToLower(n.GMProtocol)
	}
	for i := range n.Peers {
		org := &n.Peers[i]
		before := org.ChaincodeServer()
		old = append(old, before)
		next := before
		next.Name, next.Port = "chaincode-"+spoken+"."+org.Domain, before.Port+1
		if next.Behind != 0 {
			next.Behind = next.Port + relayOffset
		}
		org.Nodes = append(slices.DeleteFunc(slices.Clone(org.Nodes), func(node Node) bool { return node.Kind == Chaincode }), next)
	}
	if err := n.Cryptogen(ctx, "extend", n.Topology, cryptoFolder); err != nil {
		return err
	}
	if err := n.relay(n.Nodes(Chaincode)); err != nil {
		return err
	}
	files, err := n.packageChaincode(ctx, version+"-"+spoken)
	if err != nil {
		return err
	}
	if err := n.startNodes(Chaincode); err != nil {
		return err
	}
	if err := n.awaitListening(ctx, n.Nodes(Chaincode)...); err != nil {
		return err
	}
	if err := n.installChaincode(ctx, files); err != nil {
		return err
	}
	if err := n.approveChaincode(ctx, version, sequence); err != nil {
		return err
	}
	if _, err := n.AwaitSameHeight(ctx, 1); err != nil {
		return err
	}
	var failed []error
	for _, server := range old {
		failed = append(failed, n.Stop(ctx, server.Name))
		if r := n.Relays[server.Name]; r != nil {
			failed = append(failed, r.Close())
			delete(n.Relays, server.Name)
		}
	}
	return errors.Join(failed...)
}

// endorserFlags name one peer of every organisation.
func (n *Network) endorserFlags() []string {
	var flags []string
	for _, org := range n.Peers {
		peer := org.PeersOf()[0]
		flags = append(flags, "--peerAddresses", peer.Local(), "--tlsRootCertFiles", n.path(n.nodeCrypto(peer), "tls", n.rootFile()))
	}
	return flags
}

func (n *Network) definition(verb, version string, sequence int) []string {
	return []string{
		"lifecycle", "chaincode", verb, "--channelID", n.Channel, "--name", ChaincodeName, "--version", version,
		"--sequence", strconv.Itoa(sequence), "--collections-config", n.collectionsFile(),
		"--waitForEventTimeout", "2m", // an emulated processor takes more than the 30 s of the default
	}
}

// BlockchainInfo is the state of the channel on one peer.
type BlockchainInfo struct {
	Height       uint64 `json:"height"`
	CurrentHash  string `json:"currentBlockHash"`
	PreviousHash string `json:"previousBlockHash"`
}

// Info asks a peer for the height and the last block hash of its copy of the channel.
func (n *Network) Info(ctx context.Context, peer Node) (BlockchainInfo, error) {
	var info BlockchainInfo
	out, err := n.PeerCommand(ctx, peer, "channel", "getinfo", "--channelID", n.Channel)
	if err != nil {
		return info, err
	}
	start := strings.IndexByte(out, '{')
	if start < 0 {
		return info, fmt.Errorf("peer channel getinfo at %s printed no information: %q", peer.Name, out)
	}
	if err := json.Unmarshal([]byte(out[start:]), &info); err != nil {
		return info, fmt.Errorf("peer channel getinfo at %s: %w", peer.Name, err)
	}
	return info, nil
}

// AwaitSameHeight waits until all peers have the same number of blocks, at least the given one, and returns it.
func (n *Network) AwaitSameHeight(ctx context.Context, atLeast uint64) (uint64, error) {
	peers := n.Nodes(Peer)
	var height uint64
	err := poll(ctx, commitLimit, "all peers to be at one height", func(ctx context.Context) error {
		heights := make([]uint64, len(peers))
		index := make([]int, len(peers))
		for i := range index {
			index[i] = i
		}
		err := parallel(index, func(i int) (err error) {
			if err = n.checkRunning(peers[i].Name); err == nil {
				heights[i], err = n.Height(ctx, peers[i])
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, h := range heights {
			if h != heights[0] || h < atLeast {
				return fmt.Errorf("heights are %v, wanted %d or more", heights, atLeast)
			}
		}
		height = heights[0]
		return nil
	})
	return height, err
}

// AwaitSameBlocks waits until all peers are at one height and checks that the last block is the same everywhere: since
// each block holds the hash of the one before, so is the whole chain.
func (n *Network) AwaitSameBlocks(ctx context.Context) (BlockchainInfo, error) {
	if _, err := n.AwaitSameHeight(ctx, 1); err != nil {
		return BlockchainInfo{}, err
	}
	var first BlockchainInfo
	for i, peer := range n.Nodes(Peer) {
		info, err := n.Info(ctx, peer)
		if err != nil {
			return BlockchainInfo{}, err
		}
		if i == 0 {
			first = info
		}
		if info != first {
			return BlockchainInfo{}, fmt.Errorf("the chains differ: %s is at %+v and %s at %+v", n.Nodes(Peer)[0].Name, first, peer.Name, info)
		}
	}
	return first, nil
}
