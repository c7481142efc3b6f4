// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"
)

// healthLimit is how long a node may take to report healthy after its start. Replaying a long log is slower than this, but
// the networks here are young.
const healthLimit = 30 * time.Second

// logFormat is Fabric's usual one without the colours, which make a file hard to read.
const logFormat = "%{time:2006-01-02 15:04:05.000 MST} %{id:04x} %{level:.4s} [%{module}] %{shortfunc} -> %{message}"

// Start starts a node of the network, or starts it again after Stop or Kill. It does not wait until the node is ready:
// see AwaitHealthy.
func (n *Network) Start(name string) error { return n.StartFrom(name, n.Bin) }

// StartFrom is Start with the binary from another folder than Options.Bin, say another version's. Natively only.
func (n *Network) StartFrom(name, bin string) error {
	node, err := n.Node(name)
	if err != nil {
		return err
	}
	if u := n.unit(name); u != nil && u.alive() {
		return fmt.Errorf("%s already runs as %s", name, u.describe())
	}
	if c, ok := n.unit(name).(*container); ok {
		return c.restart()
	}
	p, err := n.prepare(node, bin)
	if err != nil {
		return err
	}
	if err := p.start(n.path("run", name+".json")); err != nil {
		return err
	}
	n.mu.Lock()
	n.units[name] = p
	n.mu.Unlock()
	return nil
}

// prepare describes the process that runs node with a binary from bin.
func (n *Network) prepare(node Node, bin string) (*process, error) {
	p := &process{Name: node.Name, Dir: n.path("data", node.Name), Log: n.LogFile(node.Name), Env: bareEnv()}
	switch node.Kind {
	case Orderer:
		p.Command = []string{filepath.Join(bin, "orderer")}
	case Peer:
		p.Command = []string{filepath.Join(bin, "peer"), "node", "start"}
	case Chaincode:
		p.Command = []string{filepath.Join(bin, "asset")}
		if node.Program != "" {
			p.Command = []string{node.Program}
		}
		env, err := n.chaincodeEnv(node)
		if err != nil {
			return nil, err
		}
		for _, v := range env {
			p.Env = append(p.Env, v.Name+"="+v.Value)
		}
	}
	if n.isolated {
		p.Command = append([]string{"nsenter", "--net=" + namespaceFile(node)}, p.Command...) // which becomes the program: one process
	}
	if node.Kind != Chaincode {
		p.Env = append(p.Env, "FABRIC_CFG_PATH="+n.path("nodes", node.Name), "FABRIC_LOGGING_SPEC="+n.logSpec, "FABRIC_LOGGING_FORMAT="+logFormat)
	}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create data directory of %s: %w", node.Name, err)
	}
	return p, nil
}

// chaincodeEnv is the environment of an organisation's chaincode server, see pkg/gmshim. The chaincode's package must have
// been made: the server answers to its id.
func (n *Network) chaincodeEnv(node Node) ([]Variable, error) {
	org := n.OrgOf(node)
	id := node.Package
	if id == "" {
		id = n.packages[org.Name]
	}
	if id == "" {
		return nil, fmt.Errorf("the chaincode package of %s has no id yet", org.Name)
	}
	place := n.placement()
	tls := path.Join(place.Root, n.nodeCrypto(node), "tls")
	env := []Variable{{"CHAINCODE_SERVER_ADDRESS", place.bind(node) + ":" + fmt.Sprint(node.ListenPort())}, {"CHAINCODE_ID", id}}
	if n.MutualTLS {
		env = append(env, Variable{"CHAINCODE_CLIENT_CA_CERT", path.Join(tls, n.rootFile())})
	}
	if n.gmDialers() {
		return append(env,
			Variable{"CHAINCODE_TLS_MODE", ModeGM},
			Variable{"CHAINCODE_GM_PROTOCOLS", n.GMProtocol},
			Variable{"CHAINCODE_TLCP_SIGN_CERT", path.Join(tls, "server-sign.crt")},
			Variable{"CHAINCODE_TLCP_SIGN_KEY", path.Join(tls, "server-sign.key")},
			Variable{"CHAINCODE_TLCP_ENC_CERT", path.Join(tls, "server-enc.crt")},
			Variable{"CHAINCODE_TLCP_ENC_KEY", path.Join(tls, "server-enc.key")}), nil
	}
	return append(env,
		Variable{"CHAINCODE_TLS_MODE", ModeTLS},
		Variable{"CHAINCODE_TLS_CERT", path.Join(tls, "server.crt")},
		Variable{"CHAINCODE_TLS_KEY", path.Join(tls, "server.key")}), nil
}

// Stop ends a node politely, and by force if it does not follow.
func (n *Network) Stop(ctx context.Context, name string) error {
	u := n.unit(name)
	if u == nil {
		return fmt.Errorf("%s was never started", name)
	}
	return u.stop(ctx, stopGrace)
}

// Kill ends a node as a crash would, and waits until it is gone.
func (n *Network) Kill(ctx context.Context, name string) error {
	u := n.unit(name)
	if u == nil {
		return fmt.Errorf("%s was never started", name)
	}
	if err := u.signal(syscall.SIGKILL); err != nil {
		return err
	}
	return u.awaitEnd(ctx, stopGrace)
}

// AwaitHealthy waits until the nodes' operations services call them healthy and their own services, which open later, accept
// a handshake. It fails at once when one of them ends.
func (n *Network) AwaitHealthy(ctx context.Context, nodes ...Node) error {
	return n.awaitAll(ctx, "healthy", nodes, func(ctx context.Context, node Node) error {
		if _, err := n.operations(ctx, node, "/healthz"); err != nil {
			return err
		}
		_, err := n.probe(ctx, n.ClientMode, node)
		return err
	})
}

// awaitListening waits until chaincode servers accept a handshake.
func (n *Network) awaitListening(ctx context.Context, nodes ...Node) error {
	return n.awaitAll(ctx, "listening", nodes, func(ctx context.Context, node Node) error {
		_, err := n.probe(ctx, n.ClientMode, node)
		return err
	})
}

// awaitAll waits until ready returns nil for every node. What fails one node often fails others too, so that only the first
// failure is told in full.
func (n *Network) awaitAll(ctx context.Context, state string, nodes []Node, ready func(context.Context, Node) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	_ = parallel(nodes, func(node Node) error {
		err := poll(ctx, healthLimit, node.Name+" to be "+state, func(ctx context.Context) error {
			if err := n.checkRunning(node.Name); err != nil {
				return err
			}
			return ready(ctx, node)
		})
		if err != nil {
			cancel(err) // the first one counts
		}
		return err
	})
	return context.Cause(ctx)
}

// WipeData removes all that a stopped peer has stored.
func (n *Network) WipeData(peer Node) error {
	if u := n.unit(peer.Name); u != nil && u.alive() {
		return fmt.Errorf("stop %s before its data is removed", peer.Name)
	}
	if err := os.RemoveAll(n.path("data", peer.Name)); err != nil {
		return fmt.Errorf("remove the data of %s: %w", peer.Name, err)
	}
	return nil
}
