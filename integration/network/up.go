// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// FirstVersion is the asset chaincode's version that a new network runs.
const FirstVersion = "1.0"

// Up makes and starts the network that the options describe, from certificates to a transaction read back, and reports
// each step to report with the time since the beginning. When it fails or ctx ends, the nodes that it started are
// stopped again; the state directory stays for its logs, until Down or the next Up.
func Up(ctx context.Context, o Options, report io.Writer) (*Network, error) {
	n, err := newNetwork(o, report)
	if err != nil {
		return nil, err
	}
	if err := n.clearUnfinished(ctx); err != nil {
		return nil, err
	}
	if err := n.preflight(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(n.Dir, 0o755); err != nil {
		return nil, err
	}
	release, err := lockStateDir(n.Dir)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := n.save(); err != nil {
		return nil, err
	}
	if err = n.isolate(ctx); err == nil {
		err = n.relay(n.AllNodes())
	}
	if err == nil {
		err = n.bringUp(ctx)
	}
	if err == nil {
		n.ready = true
		err = n.save()
	}
	if err != nil {
		// ctx may be what ended: stopping has its own time.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*stopGrace)
		defer cancel()
		if errors.Is(ctx.Err(), context.Canceled) {
			err = errors.New("interrupted")
		}
		return nil, errors.Join(fmt.Errorf("the network did not come up (logs in %s): %w", n.path("logs"), err), n.Close(clean))
	}
	return n, nil
}

func (n *Network) bringUp(ctx context.Context) error {
	if err := n.makeCrypto(ctx); err != nil {
		return err
	}
	n.say("certificates for %d organisations (%s)", len(n.Peers)+1, n.Algorithm)
	if n.keys != "" {
		if err := n.moveKeys(ctx); err != nil {
			return err
		}
	}
	if err := n.makeNodeFiles(n.placement()); err != nil {
		return err
	}
	if err := n.makeCollections(); err != nil {
		return err
	}
	orderers, peers := n.Nodes(Orderer), n.Nodes(Peer)
	startup := n.startProcesses
	if n.docker {
		startup = n.startContainers
	}
	packages, err := startup(ctx)
	if err != nil {
		return err
	}
	err = runAll(
		func() error { return n.channelOnOrderers(ctx, orderers) },
		func() error { return n.channelOnPeers(ctx, peers, packages) })
	if err != nil {
		return err
	}
	return n.defineChaincode(ctx)
}

// startProcesses starts the nodes natively. While orderers and peers start it makes the channel's first block and the
// chaincode packages, then starts the chaincode servers. It returns the packages' files by organisation.
func (n *Network) startProcesses(ctx context.Context) (packages map[string]string, err error) {
	if err := n.startNodes(Orderer, Peer); err != nil {
		return nil, err
	}
	n.say("started %d orderers and %d peers", len(n.Nodes(Orderer)), len(n.Nodes(Peer)))
	if packages, err = n.prepareChannel(ctx); err != nil {
		return nil, err
	}
	if err := n.startNodes(Chaincode); err != nil {
		return nil, err
	}
	n.say("first block of channel %s, chaincode packages, chaincode servers", n.Channel)
	return packages, nil
}

func (n *Network) startNodes(kinds ...Kind) error {
	for _, kind := range kinds {
		for _, node := range n.Nodes(kind) {
			if err := n.Start(node.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepareChannel makes the channel's first block and the chaincode packages.
func (n *Network) prepareChannel(ctx context.Context) (packages map[string]string, err error) {
	err = runAll(
		func() error { return n.makeGenesis(ctx) },
		func() error {
			var err error
			packages, err = n.packageChaincode(ctx, FirstVersion)
			return err
		})
	return packages, err
}

func (n *Network) channelOnOrderers(ctx context.Context, orderers []Node) error {
	if err := n.AwaitHealthy(ctx, orderers...); err != nil {
		return err
	}
	if err := n.joinOrderers(ctx); err != nil {
		return err
	}
	n.say("orderers joined the channel")
	leader, err := n.AwaitLeader(ctx)
	if err != nil {
		return err
	}
	n.say("leader of the orderers is %s", leader.Name)
	return nil
}

func (n *Network) channelOnPeers(ctx context.Context, peers []Node, packages map[string]string) error {
	if err := n.AwaitHealthy(ctx, peers...); err != nil {
		return err
	}
	if err := n.joinPeers(ctx); err != nil {
		return err
	}
	n.say("peers joined the channel, anchor peers set")
	if err := n.awaitListening(ctx, n.Nodes(Chaincode)...); err != nil {
		return err
	}
	if err := n.installChaincode(ctx, packages); err != nil {
		return err
	}
	n.say("chaincode installed on %d peers", len(peers))
	return nil
}

// defineChaincode agrees on the chaincode over the channel and uses it once.
func (n *Network) defineChaincode(ctx context.Context) error {
	if err := n.approveChaincode(ctx, FirstVersion, 1); err != nil {
		return err
	}
	n.say("chaincode approved by %s", orgNames(n.Peers))
	if err := n.commitChaincode(ctx, FirstVersion, 1); err != nil {
		return err
	}
	n.say("chaincode committed")
	height, err := n.firstTransaction(ctx)
	if err != nil {
		return err
	}
	n.say("first transaction committed and read on every peer, height %d", height)
	return nil
}
