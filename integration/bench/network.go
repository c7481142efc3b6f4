// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/hyperledger/fabric/integration/load"
	"github.com/hyperledger/fabric/integration/network"
)

// variant is one kind of network.
type variant struct {
	name, short string
	stock       bool // unmodified Fabric, whose metrics know nothing of verifications
	options     network.Options
}

var (
	stockTLS = variant{"stock, TLS, ECDSA", "stock", true,
		network.Options{Mode: network.ModeTLS, Algorithm: network.AlgorithmECDSA, Bin: filepath.Join("build", "stock")}}
	forkNoMemo = variant{"fork, TLS, ECDSA, no memo", "no-memo", false,
		network.Options{Mode: network.ModeTLS, Algorithm: network.AlgorithmECDSA, NoMemo: true}}
	forkTLS = variant{"fork, TLS, ECDSA", "tls", false, network.Options{Mode: network.ModeTLS, Algorithm: network.AlgorithmECDSA}}
	forkGM  = variant{"fork, TLCP, SM2", "gm", false, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmGM}}
)

// variants are compared with the first of them.
var variants = []variant{stockTLS, forkNoMemo, forkTLS, forkGM}

// Run is one measurement of one variant on a new network.
type Run struct {
	Variant string `json:"variant"`
	Round   int    `json:"round"`
	// BringUp is from nothing to a first transaction read back on every peer, in seconds.
	BringUp float64 `json:"bringUpSeconds"`
	// Steady is a load of the same rate for all variants, which comes first; SteadyMiB is as PeakMiB, after it.
	Steady    *load.Result `json:"steady"`
	SteadyMiB float64      `json:"steadyMiB"`
	Submit    *load.Result `json:"submit"`
	Evaluate  *load.Result `json:"evaluate"`
	// PeakMiB is the sum over all nodes of the greatest resident size that each ever had.
	PeakMiB float64 `json:"peakMiB"`
	// Verifications of signatures that all nodes computed for a committed transaction; absent where no metric tells.
	Verifications *float64 `json:"verificationsPerTransaction,omitempty"`
}

// metric is a row of the comparison of networks.
type metric struct {
	name string
	of   func(*Run) *float64
}

func given(of func(*Run) float64) func(*Run) *float64 {
	return func(r *Run) *float64 { v := of(r); return &v }
}

var metrics = []metric{
	{"committed TPS", given(func(r *Run) float64 { return r.Submit.CommittedTPS })},
	{"submit p50, ms", given(func(r *Run) float64 { return r.Submit.Submit.P50 })},
	{"submit p95, ms", given(func(r *Run) float64 { return r.Submit.Submit.P95 })},
	{"submit p99, ms", given(func(r *Run) float64 { return r.Submit.Submit.P99 })},
	{"evaluations/s", given(func(r *Run) float64 { return r.Evaluate.EvaluationsPerSecond })},
	{"CPU ms/transaction", given(func(r *Run) float64 { return r.Submit.CPUMsPerTransaction })},
	{"peak memory, MiB", given(func(r *Run) float64 { return r.PeakMiB })},
	{"steady p95, ms", given(func(r *Run) float64 { return r.Steady.Submit.P95 })},
	{"steady CPU ms/transaction", given(func(r *Run) float64 { return r.Steady.CPUMsPerTransaction })},
	{"steady peak memory, MiB", given(func(r *Run) float64 { return r.SteadyMiB })},
	{"bring-up, s", given(func(r *Run) float64 { return r.BringUp })},
	{"verifications/transaction", func(r *Run) *float64 { return r.Verifications }},
}

// network compares networks of all variants, which take turns, each time on a fresh network. A round in which one of them fails
// counts for none, and fails the section in the end.
func (b *bench) network(ctx context.Context) (*Section, error) {
	runs := make([][]*Run, len(variants))
	var failures []error
	for round := 0; round < b.Rounds && ctx.Err() == nil; round++ {
		made, err := b.round(ctx, round)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		for i, r := range made {
			runs[i] = append(runs[i], r)
		}
	}
	if len(runs[0]) == 0 {
		return nil, errors.Join(failures...)
	}
	return b.networkSection(runs), errors.Join(failures...)
}

// round measures every variant once.
func (b *bench) round(ctx context.Context, round int) ([]*Run, error) {
	made := make([]*Run, len(variants))
	for _, i := range load.Order(round, len(variants)) {
		b.say("network, round %d of %d: %s", round+1, b.Rounds, variants[i].name)
		r, err := b.measure(ctx, variants[i])
		if err != nil {
			return nil, fmt.Errorf("round %d, %s: %w", round+1, variants[i].name, err)
		}
		r.Round = round + 1
		made[i] = r
	}
	return made, nil
}

func (b *bench) networkSection(runs [][]*Run) *Section {
	s := compareRuns(runs)
	s.Text = fmt.Sprintf("%d rounds, in each of which every variant is measured once, on a fresh network of 3 orderers and 2 organisations with 2 peers "+
		"each, default policies (MAJORITY), batches of at most 500 and 500 ms, one gateway peer, nodes, chaincode and load generator on the same machine. First a steady load of %d transactions a second for %s, then capacity: %d submitters that do not wait for commits, at most 1,000 "+
		"uncommitted, for %s after %s of warm-up; then %d evaluators for %s. Transactions are counted in blocks. CPU time is that of all processes but the "+
		"generator's. Stock is unmodified Fabric of the version that the fork is based on; no memo is the fork with `BCCSP.VerificationMemo: false`. A ratio is the median of the quotients within rounds.",
		len(runs[0]), steadyRate, seconds(b.steadyFor()), b.Submitters, seconds(b.Duration), seconds(b.WarmUp), b.Evaluators, seconds(b.EvaluateFor))
	return s
}

// onNewNetwork lets measure use a new network. It removes one that failed to come up, or that an interrupted run left behind.
func (b *bench) onNewNetwork(ctx context.Context, o network.Options, measure func(*network.Network, time.Duration) error) error {
	o.Dir, o.BasePort = filepath.Join(b.dir, "network"), b.port
	if err := network.Down(ctx, o.Dir, io.Discard); err != nil {
		return err
	}
	if o.BasePort == 0 {
		var err error
		if o.BasePort, err = network.FreeBlock(); err != nil {
			return err
		}
	}
	return load.Fresh(ctx, o, b.progress, measure)
}

// measure makes one run.
func (b *bench) measure(ctx context.Context, v variant) (run *Run, err error) {
	err = b.onNewNetwork(ctx, v.options, func(n *network.Network, took time.Duration) error {
		run = &Run{Variant: v.name, BringUp: took.Seconds()}
		before, err := count(ctx, n, v)
		if err != nil {
			return err
		}
		target := load.TargetOf(n)
		if run.Steady, err = target.Measure(ctx, b.steady(), b.progress); err != nil {
			return err
		}
		run.SteadyMiB = run.Steady.PeakMiB()
		if run.Submit, err = target.Measure(ctx, load.Capacity(b.Submitters, 0, b.WarmUp, b.Duration), b.progress); err != nil {
			return err
		}
		after, err := count(ctx, n, v)
		if err != nil {
			return err
		}
		if run.Verifications, err = after.since(before); err != nil {
			return err
		}
		if run.Evaluate, err = target.Measure(ctx, load.Capacity(0, b.Evaluators, b.WarmUp, b.EvaluateFor), b.progress); err != nil {
			return err
		}
		run.PeakMiB = run.Evaluate.PeakMiB() // since the processes began
		return run.check()
	})
	return run, err
}

// steadyRate is a load, in transactions per second, that every variant can bear on two cores. How much memory a node takes depends on
// how much it has to do, so a comparison at capacity is one of unequal work.
const steadyRate = 100

// steadyFor is long enough for some blocks on a slow machine, too.
func (b *bench) steadyFor() time.Duration { return max(b.Duration/2, 5*time.Second) }

func (b *bench) steady() load.Settings {
	s := load.Capacity(b.Submitters, 0, b.WarmUp, b.steadyFor())
	s.Rate = steadyRate
	return s
}

// check refuses a run in which the network did not do its work.
func (r *Run) check() error {
	switch {
	case r.Steady.Committed == 0 || r.Submit.Committed == 0 || r.Evaluate.Evaluate.Count == 0:
		return errors.New("nothing was committed or evaluated within the window")
	case len(r.Steady.Errors)+len(r.Submit.Errors)+len(r.Evaluate.Errors) > 0:
		return fmt.Errorf("the load met errors, which would make its numbers too good: %v %v %v", r.Steady.Errors, r.Submit.Errors, r.Evaluate.Errors)
	case r.Submit.CPUMsPerTransaction == 0 || r.Steady.CPUMsPerTransaction == 0 || r.PeakMiB == 0:
		return errors.New("the use of CPU and memory is not known")
	}
	for _, p := range r.Submit.Processes {
		if p.Ended {
			return fmt.Errorf("%s ended under load", p.Name)
		}
	}
	return nil
}

// counts are sums since the nodes began.
type counts struct {
	verifications float64 // by all nodes
	transactions  float64 // valid ones, on one peer
}

// count waits until all peers have all blocks, and reads the metrics of all nodes. It returns nil for stock nodes.
func count(ctx context.Context, n *network.Network, v variant) (*counts, error) {
	if v.stock {
		return nil, nil
	}
	if _, err := n.AwaitSameHeight(ctx, 1); err != nil {
		return nil, err
	}
	c := &counts{}
	for _, kind := range []network.Kind{network.Orderer, network.Peer} {
		for _, node := range n.Nodes(kind) {
			for _, algorithm := range []string{"ECDSA", "SM2"} {
				value, _, err := n.Metric(ctx, node, "bccsp_signature_verifications", `algorithm="`+algorithm+`"`, `source="computed"`)
				if err != nil {
					return nil, err
				}
				c.verifications += value // a counter that does not exist yet has counted nothing
			}
		}
	}
	var err error
	c.transactions, err = transactionsOf(ctx, n, n.Nodes(network.Peer)[0])
	return c, err
}

// since is the number of verifications for a transaction since before; nil for stock nodes.
func (c *counts) since(before *counts) (*float64, error) {
	if c == nil {
		return nil, nil
	}
	if c.verifications == before.verifications || c.transactions == before.transactions {
		return nil, errors.New("the nodes' metrics count no verifications or no transactions under load")
	}
	each := (c.verifications - before.verifications) / (c.transactions - before.transactions)
	return &each, nil
}

// compareRuns makes the section of the runs of all variants, the first of which the others are compared with.
func compareRuns(runs [][]*Run) *Section {
	s := &Section{Title: "Networks", Raw: runs}
	values := Table{Title: "Values", Columns: []string{"median"}}
	quotients := Table{Title: "Ratios to " + runs[0][0].Variant, Columns: []string{"median of paired ratios"}}
	for i, of := range runs {
		values.Columns = append(values.Columns, of[0].Variant)
		if i > 0 {
			quotients.Columns = append(quotients.Columns, of[0].Variant)
			quotients.Ranged = append(quotients.Ranged, of[0].Variant)
		}
	}
	for _, m := range metrics {
		value, quotient := Row{Name: m.name}, Row{Name: m.name}
		base := m.values(runs[0])
		known := false
		for i, of := range runs {
			own := m.values(of)
			known = known || len(own) > 0
			value.Cells = append(value.Cells, cell(own...))
			if i > 0 && len(base) > 0 {
				quotient.Cells = append(quotient.Cells, ratios(own, base))
			}
		}
		if known {
			values.Rows = append(values.Rows, value)
		}
		if len(base) > 0 {
			quotients.Rows = append(quotients.Rows, quotient)
		}
	}
	s.Tables = []Table{quotients, values}
	return s
}

// values are those of all rounds, or none if one lacks it.
func (m metric) values(runs []*Run) (values []float64) {
	for _, r := range runs {
		v := m.of(r)
		if v == nil {
			return nil
		}
		values = append(values, *v)
	}
	return values
}
