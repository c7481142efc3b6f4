// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// lockStateDir locks the state directory for the time that the network is being brought up, so that a second command does not take it for what
// an interrupted one has left. The end of the process frees it too.
func lockStateDir(dir string) (release func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another command brings up the network in %s at this moment", dir)
	}
	return func() { f.Close() }, nil
}

// clearUnfinished takes down what a command that failed or was interrupted has left in the state directory. A network that once was up
// stays: whoever made it may want what is in it.
func (n *Network) clearUnfinished(ctx context.Context) error {
	release, err := lockStateDir(n.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer release()
	data, err := os.ReadFile(n.path(stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		// Somebody else's folder is not empty; the checks that follow tell.
		_, _ = os.Remove(n.path(stateFile+partial)), os.Remove(n.Dir)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the state of the network: %w", err)
	}
	s, err := parseState(data)
	if err != nil || s.Ready {
		return nil // the checks that follow tell
	}
	n.say("clearing what an unfinished start has left in %s", n.Dir)
	return Down(ctx, n.Dir, n.report)
}

// Resume starts every node that does not run, and waits until the network works again. Nothing is lost by Close and Resume: ledgers
// and keys stay in the state directory.
func (n *Network) Resume(ctx context.Context) (started int, err error) {
	var nodes []Node
	for _, node := range n.AllNodes() {
		if u := n.unit(node.Name); u == nil || !u.alive() {
			nodes = append(nodes, node)
		}
	}
	for _, node := range nodes {
		if n.servesUnrecorded(ctx, node) {
			return 0, fmt.Errorf("%s runs, and was not started by this: end it first", node.Name)
		}
	}
	for _, node := range nodes {
		if err := n.Start(node.Name); err != nil {
			return 0, err
		}
	}
	if err := n.await(ctx, nodes); err != nil {
		return 0, err
	}
	_, err = n.AwaitLeader(ctx)
	return len(nodes), err
}

// Restart stops a node, where it runs, and starts it again.
func (n *Network) Restart(ctx context.Context, name string) error {
	node, err := n.Node(name)
	if err != nil {
		return err
	}
	if u := n.unit(name); u != nil && u.alive() {
		if err := n.Stop(ctx, name); err != nil {
			return err
		}
	} else if n.servesUnrecorded(ctx, node) {
		return fmt.Errorf("%s runs, and was not started by this: end it first", name)
	}
	if err := n.Start(name); err != nil {
		return err
	}
	return n.await(ctx, []Node{node})
}

// await waits until nodes of any kind serve.
func (n *Network) await(ctx context.Context, nodes []Node) error {
	var servers, others []Node
	for _, node := range nodes {
		if node.Kind == Chaincode {
			servers = append(servers, node)
		} else {
			others = append(others, node)
		}
	}
	return runAll(
		func() error { return n.AwaitHealthy(ctx, others...) },
		func() error { return n.awaitListening(ctx, servers...) })
}

// servesUnrecorded reports whether something that the records do not know serves as the node: its certificate is verified by the probe.
func (n *Network) servesUnrecorded(ctx context.Context, node Node) bool {
	if u := n.unit(node.Name); u != nil && u.alive() {
		return false
	}
	_, err := n.probe(ctx, n.ClientMode, node)
	return err == nil
}
