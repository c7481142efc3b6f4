// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/hyperledger/fabric/integration/load"
	"github.com/hyperledger/fabric/integration/network"
)

const (
	// catchUpLimit ends a new peer that does not come to the end of the chain.
	catchUpLimit = 15 * time.Minute
	// lookEvery is how often its height is looked at.
	lookEvery = 200 * time.Millisecond
)

// joinRun is one peer that joined.
type joinRun struct {
	Variant string  `json:"variant"`
	Blocks  uint64  `json:"blocks"`
	MiB     float64 `json:"mib"` // of the blocks in the peer's files
	Seconds float64 `json:"seconds"`
	PeerCPU float64 `json:"peerCPUSeconds"`
	// At and Heights are the course of it.
	At      []float64 `json:"atSeconds"`
	Heights []float64 `json:"heights"`
}

// join measures how long a peer that has nothing takes to fetch and commit a long chain.
func (s *scale) join(ctx context.Context) (*Section, error) {
	section := &Section{
		Title: "A new peer",
		Text: fmt.Sprintf("A peer without data joins a channel of %s blocks of one transaction with %d bytes of filling each, fetches them from an orderer, "+
			"validates and commits them, while the network has nothing else to do. KiB/block is what its files hold.", number(float64(s.height)), s.joinPayload),
	}
	table := Table{Title: section.Title, Columns: []string{"variant", "blocks", "KiB/block", "seconds", "blocks/s", "MiB/s", "CPU ms/block of the peer"}}
	var raw []*joinRun
	for _, v := range s.variants {
		s.say("new peer: %s", v.name)
		runs, err := s.joinOf(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		raw = append(raw, runs...)
		table.Rows = append(table.Rows, Row{v.name, joinCells(runs)})
	}
	section.Tables, section.Raw = []Table{table}, raw
	return section, nil
}

// joinCells are the numbers of one row, as the columns of the table name them.
func joinCells(runs []*joinRun) (cells []Cell) {
	for _, of := range []func(*joinRun) float64{
		func(r *joinRun) float64 { return float64(r.Blocks) },
		func(r *joinRun) float64 { return r.MiB * 1024 / float64(r.Blocks) },
		func(r *joinRun) float64 { return r.Seconds },
		func(r *joinRun) float64 { return float64(r.Blocks) / r.Seconds },
		func(r *joinRun) float64 { return r.MiB / r.Seconds },
		func(r *joinRun) float64 { return r.PeerCPU * 1000 / float64(r.Blocks) },
	} {
		var values []float64
		for _, r := range runs {
			values = append(values, of(r))
		}
		cells = append(cells, cell(values...))
	}
	return cells
}

// joinOf makes one long chain and lets a peer join it once a round.
func (s *scale) joinOf(ctx context.Context, v variant) (runs []*joinRun, err error) {
	o := v.options
	o.MaxMessages = 1
	err = s.onNewNetwork(ctx, o, func(n *network.Network, _ time.Duration) error {
		if err := s.grow(ctx, n); err != nil {
			return err
		}
		peers := n.Nodes(network.Peer)
		for range s.Rounds {
			run, err := catchUp(ctx, n, peers[len(peers)-1])
			if err != nil {
				return err
			}
			run.Variant = v.name
			runs = append(runs, run)
		}
		return nil
	})
	return runs, err
}

// grow puts load on the network until it has the wanted number of blocks, or the time for it is over.
func (s *scale) grow(ctx context.Context, n *network.Network) error {
	settings := load.Capacity(s.Submitters, 0, 0, s.Duration)
	settings.Payload = s.joinPayload
	first := n.Nodes(network.Peer)[0]
	for end := time.Now().Add(s.joinLimit); time.Now().Before(end); {
		height, err := n.Height(ctx, first)
		if err != nil || height >= uint64(s.height) {
			return err
		}
		s.say("the chain has %d blocks of %d", height, s.height)
		if _, err := load.TargetOf(n).Measure(ctx, settings, s.progress); err != nil {
			return err
		}
	}
	return nil
}

// catchUp empties a peer, lets it join again and watches it until it has all blocks.
func catchUp(ctx context.Context, n *network.Network, peer network.Node) (*joinRun, error) {
	ctx, cancel := context.WithTimeout(ctx, catchUpLimit)
	defer cancel()
	height, err := n.AwaitSameHeight(ctx, 1)
	if err != nil {
		return nil, err
	}
	if err := n.Stop(ctx, peer.Name); err != nil {
		return nil, err
	}
	if err := n.WipeData(peer); err != nil {
		return nil, err
	}
	if err := n.Start(peer.Name); err != nil {
		return nil, err
	}
	if err := n.AwaitHealthy(ctx, peer); err != nil {
		return nil, err
	}
	before, err := load.CPUTime(n.PID(peer.Name))
	if err != nil {
		return nil, err
	}
	run := &joinRun{Blocks: height}
	began := time.Now()
	if err := n.JoinPeer(ctx, peer); err != nil {
		return nil, err
	}
	if err := run.watch(ctx, n, peer, began); err != nil {
		return nil, err
	}
	after, err := load.CPUTime(n.PID(peer.Name))
	if err != nil {
		return nil, err
	}
	run.PeerCPU = after - before
	size, err := chainSize(n, peer)
	run.MiB = float64(size) / (1 << 20)
	return run, err
}

// watch notes the peer's height until it has all blocks.
func (r *joinRun) watch(ctx context.Context, n *network.Network, peer network.Node, began time.Time) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		height, err := n.Height(ctx, peer)
		if err != nil {
			return err
		}
		r.Seconds = time.Since(began).Seconds()
		r.At, r.Heights = append(r.At, r.Seconds), append(r.Heights, float64(height))
		if height >= r.Blocks {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s has %d blocks of %d: %w", peer.Name, height, r.Blocks, ctx.Err())
		}
	}
}

// chainSize is the size of the files in which a peer keeps the blocks of the channel, in bytes.
func chainSize(n *network.Network, peer network.Node) (size int64, err error) {
	root := filepath.Join(n.Dir, "data", peer.Name, "ledgersData", "chains", "chains", n.Channel)
	err = filepath.WalkDir(root, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("size of the chain of %s: %w", peer.Name, err)
	}
	return size, nil
}
