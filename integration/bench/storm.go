// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric/integration/load"
	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/pkg/gmgateway"
)

const (
	// connectLimit ends a client that gets no answer.
	connectLimit = 2 * time.Minute
	// connectPause keeps a client that is refused from spinning.
	connectPause = 50 * time.Millisecond
	// restarts of the peer in a storm.
	restarts = 3
)

// connected is how clients that began at once got their first answers.
type connected struct {
	// Milliseconds from the common beginning to each client's answer, in ascending order.
	Milliseconds []float64 `json:"milliseconds"`
	// Refused counts calls that failed and were made again.
	Refused int64 `json:"refused"`
	// PeerCPU is the CPU time that the peer took for it, in seconds.
	PeerCPU float64 `json:"peerCPUSeconds"`
}

func (c *connected) rank(percent int) float64 {
	return c.Milliseconds[(len(c.Milliseconds)*percent+99)/100-1]
}

// connectAll lets every client make a call at the same moment, for which those without a connection open one.
func connectAll(ctx context.Context, clients []*gmgateway.Connection, channel string, pid int) (*connected, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	before, err := load.CPUTime(pid)
	if err != nil {
		return nil, err
	}
	result := &connected{Milliseconds: make([]float64, len(clients))}
	failures := make(chan error, len(clients))
	var refused atomic.Int64
	var all sync.WaitGroup
	start := make(chan struct{})
	var began time.Time
	for i, c := range clients {
		contract := c.GetNetwork(channel).GetContract(network.ChaincodeName)
		all.Go(func() {
			<-start
			n, err := untilAnswered(ctx, contract)
			refused.Add(n)
			if err != nil {
				failures <- err
			}
			result.Milliseconds[i] = float64(time.Since(began)) / float64(time.Millisecond)
		})
	}
	began = time.Now()
	close(start)
	all.Wait()
	select {
	case err := <-failures:
		return nil, fmt.Errorf("a client got no answer: %w", err)
	default:
	}
	after, err := load.CPUTime(pid)
	if err != nil {
		return nil, err
	}
	slices.Sort(result.Milliseconds)
	result.Refused, result.PeerCPU = refused.Load(), after-before
	return result, nil
}

// untilAnswered evaluates until there is an answer, and counts the failures before.
func untilAnswered(ctx context.Context, contract *client.Contract) (refused int64, err error) {
	for {
		_, err := contract.EvaluateWithContext(ctx, "AssetExists", client.WithArguments("none"))
		if err == nil {
			return refused, nil
		}
		refused++
		select {
		case <-time.After(connectPause):
		case <-ctx.Done():
			return refused, err
		}
	}
}

// connectClients connects that many new clients at once and closes them again.
func connectClients(ctx context.Context, n *network.Network, t load.Target, count int, values map[string]float64) error {
	clients, err := t.Connect(count)
	if err != nil {
		return err
	}
	defer closeAll(clients)
	c, err := connectAll(ctx, clients, t.Channel, n.PID(n.Nodes(network.Peer)[0].Name))
	if err != nil {
		return err
	}
	values[colConnect] = c.rank(100)
	values[colAccept] = c.PeerCPU * 1000 / float64(count)
	return nil
}

func closeAll(clients []*gmgateway.Connection) {
	for _, c := range clients {
		_ = c.Close() // nothing of it is needed any more
	}
}

// stormRun is one restart of a peer.
type stormRun struct {
	Variant string `json:"variant"`
	connected
}

// storm restarts the gateway peer and lets all its clients come back at once.
func (s *scale) storm(ctx context.Context) (*Section, error) {
	section := &Section{
		Title: "Reconnect storm",
		Text: fmt.Sprintf("%d clients are connected when their peer is restarted, %d times. Once it serves again, all reconnect and make a call at the same moment, "+
			"with full handshakes, as a restarted peer knows no session and no certificate.", s.stormClients, restarts),
	}
	table := Table{Title: section.Title, Columns: []string{"variant", "p50, ms", "p95, ms", "all back, ms", "refused calls", "peer CPU ms/client"}}
	var raw []stormRun
	for _, v := range s.variants {
		s.say("storm: %s", v.name)
		runs, err := s.stormOf(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		of := func(value func(*connected) float64) Cell {
			var values []float64
			for _, r := range runs {
				values = append(values, value(r))
			}
			return cell(values...)
		}
		table.Rows = append(table.Rows, Row{v.name, []Cell{
			of(func(c *connected) float64 { return c.rank(50) }), of(func(c *connected) float64 { return c.rank(95) }),
			of(func(c *connected) float64 { return c.rank(100) }), of(func(c *connected) float64 { return float64(c.Refused) }),
			of(func(c *connected) float64 { return c.PeerCPU * 1000 / float64(s.stormClients) }),
		}})
		for _, r := range runs {
			raw = append(raw, stormRun{v.name, *r})
		}
	}
	section.Tables, section.Raw = []Table{table}, raw
	return section, nil
}

func (s *scale) stormOf(ctx context.Context, v variant) (runs []*connected, err error) {
	err = s.onNewNetwork(ctx, v.options, func(n *network.Network, _ time.Duration) error {
		target, peer := load.TargetOf(n), n.Nodes(network.Peer)[0]
		clients, err := target.Connect(s.stormClients)
		if err != nil {
			return err
		}
		defer closeAll(clients)
		if _, err := connectAll(ctx, clients, target.Channel, n.PID(peer.Name)); err != nil {
			return err
		}
		for i := range restarts {
			s.say("storm %d of %d: %s", i+1, restarts, v.name)
			if err := restart(ctx, n, target, peer); err != nil {
				return err
			}
			c, err := connectAll(ctx, clients, target.Channel, n.PID(peer.Name))
			if err != nil {
				return err
			}
			runs = append(runs, c)
		}
		return nil
	})
	return runs, err
}

// restart restarts a peer and waits until a client of the peer has an answer.
func restart(ctx context.Context, n *network.Network, target load.Target, peer network.Node) error {
	if err := n.Stop(ctx, peer.Name); err != nil {
		return err
	}
	if err := n.Start(peer.Name); err != nil {
		return err
	}
	if err := n.AwaitHealthy(ctx, peer); err != nil {
		return err
	}
	probe, err := target.Connect(1)
	if err != nil {
		return err
	}
	defer closeAll(probe)
	_, err = connectAll(ctx, probe, target.Channel, n.PID(peer.Name))
	return err
}

// ledger is how much a peer has stored.
type ledger struct {
	bytes        float64
	transactions float64 // valid ones of the asset chaincode
}

// sizeOf waits until all peers have all blocks, and looks at the first one's.
func sizeOf(ctx context.Context, n *network.Network) (*ledger, error) {
	if _, err := n.AwaitSameHeight(ctx, 1); err != nil {
		return nil, err
	}
	peer := n.Nodes(network.Peer)[0]
	transactions, err := transactionsOf(ctx, n, peer)
	if err != nil {
		return nil, err
	}
	size, err := chainSize(n, peer)
	return &ledger{float64(size), transactions}, err
}

// transactionsOf counts the valid transactions of the asset chaincode that a peer has committed since it began.
func transactionsOf(ctx context.Context, n *network.Network, peer network.Node) (float64, error) {
	value, found, err := n.Metric(ctx, peer, "ledger_transaction_count", `channel="`+n.Channel+`"`,
		`transaction_type="ENDORSER_TRANSACTION"`, `chaincode="`+network.ChaincodeName+`:`, `validation_code="VALID"`)
	if err == nil && !found {
		err = fmt.Errorf("%s tells no number of transactions on channel %s", peer.Name, n.Channel)
	}
	return value, err
}
