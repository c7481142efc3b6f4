// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hyperledger/fabric/integration/load"
	"github.com/hyperledger/fabric/integration/network"
)

// scale is what bench scale has been asked for.
type scale struct {
	bench
	variants []variant

	clients, channels, orgs, payloads, blocks []int

	stormClients int
	height       int
	joinPayload  int
	joinLimit    time.Duration
}

// scaleCommand makes the report of make bench-scale.
func scaleCommand(ctx context.Context, args []string, progress io.Writer) error {
	set := newFlags("scale", progress)
	s := &scale{bench: bench{plan: full, progress: progress}}
	s.Evaluators, s.EvaluateFor, s.BenchTime = 0, 0, 0
	set.StringVar(&s.dir, "dir", filepath.Join("build", "bench"), "folder for the report and, while it runs, for networks")
	set.IntVar(&s.port, "base-port", 0, "first port of the networks (default: a block of free ones for each)")
	set.IntVar(&s.Rounds, "rounds", 1, "measurements of each point")
	set.IntVar(&s.Submitters, "submitters", 64, "concurrent submitters, where they are not what grows")
	set.DurationVar(&s.WarmUp, "warm-up", 3*time.Second, "time before measuring starts")
	set.DurationVar(&s.Duration, "duration", 10*time.Second, "time to measure each point")
	only := set.String("only", "", "sections to make, name,... of clients, channels, orgs, size, blocks, storm and join (default: all)")
	kinds := set.String("variants", "gm,tls", "networks to measure, name,... of gm, tls, no-memo and stock")
	numbers := map[*[]int]*string{
		&s.clients:  set.String("clients", "8,32,128,512", "clients, each with a connection"),
		&s.channels: set.String("channels", "1,2,4,8", "channels that share the load"),
		&s.orgs:     set.String("orgs", "2,4,6,8", "organisations with a peer each"),
		&s.payloads: set.String("payloads", "256,4096,16384,65536", "bytes of filling in an asset; a transaction carries it four times"),
		&s.blocks:   set.String("blocks", "10,50,100,500", "most transactions in a block"),
	}
	set.IntVar(&s.stormClients, "storm-clients", 200, "clients that reconnect at once")
	set.IntVar(&s.height, "height", 10_000, "blocks that a new peer has to fetch")
	set.IntVar(&s.joinPayload, "join-payload", 4096, "bytes of filling in each asset of those blocks")
	set.DurationVar(&s.joinLimit, "join-limit", 10*time.Minute, "time to make those blocks; a new peer then joins at what there is")
	if err := parse(set, args); err != nil {
		return err
	}
	if s.Rounds < 1 || s.stormClients < 1 || s.height < 1 {
		return errors.New("want positive numbers of rounds, clients and blocks")
	}
	for list, text := range numbers {
		var err error
		if *list, err = parseNumbers(*text); err != nil {
			return err
		}
	}
	var err error
	if s.variants, err = parseVariants(*kinds); err != nil {
		return err
	}
	var makers []maker
	for _, d := range s.dimensions() {
		makers = append(makers, maker{d.name, func(ctx context.Context) (*Section, error) { return s.sweep(ctx, d) }})
	}
	makers = append(makers, maker{"storm", s.storm}, maker{"join", s.join})
	return s.report(ctx, "Scale", "scale", makers, *only)
}

func parseNumbers(text string) (list []int, err error) {
	for _, part := range splitList(text) {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a positive number", part)
		}
		list = append(list, n)
	}
	if len(list) == 0 {
		return nil, errors.New("want a number at least")
	}
	return list, nil
}

func parseVariants(text string) (list []variant, err error) {
	for _, name := range splitList(text) {
		i := slices.IndexFunc(variants, func(v variant) bool { return v.short == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no variant %q", name)
		}
		list = append(list, variants[i])
	}
	if len(list) == 0 {
		return nil, errors.New("want a variant at least")
	}
	return list, nil
}

// dimension is one thing that grows while all else stays.
type dimension struct {
	name, title, what string
	text              string
	points            []int
	// shape sets a point's value.
	shape func(p *point, value int)
	// more are columns beyond those that all dimensions have.
	more []string
}

// point is what is measured at one value of a dimension.
type point struct {
	options  network.Options
	settings load.Settings
	channels int
}

// Columns of all dimensions, and some that one has.
const (
	colTPS      = "TPS"
	colP50      = "p50, ms"
	colP95      = "p95, ms"
	colCPU      = "CPU ms/transaction"
	colMemory   = "resident, MiB"
	colConnect  = "all connected, ms"
	colAccept   = "peer CPU ms/connection"
	colSize     = "KiB/transaction"
	colPerBlock = "transactions/block"
)

var common = []string{colTPS, colP50, colP95, colCPU, colMemory}

func (s *scale) dimensions() []dimension {
	return []dimension{
		{
			"clients", "Clients", "clients", "Each client has a separate connection and submits without waiting for commits, at most 1,000 uncommitted together. " +
				"All connect at once before the load begins: the time until the last has its first answer, and what that costs the gateway peer.", s.clients,
			func(p *point, n int) { p.settings.Submitters, p.settings.Connections = n, n }, []string{colConnect, colAccept},
		},
		{
			"channels", "Channels", "channels", "The submitters and the bound of uncommitted transactions are shared out among the channels, all on the same " +
				"nodes. Latency is that of the slowest channel.", s.channels,
			func(p *point, n int) { p.channels = n }, nil,
		},
		{
			"orgs", "Organisations", "organisations", "One peer and one chaincode server each, on the same machine; the policy is MAJORITY, so half of them and one endorse.", s.orgs,
			func(p *point, n int) { p.options.Orgs, p.options.Peers = n, 1 }, nil,
		},
		{
			"size", "Transaction size", "bytes of filling", "Filling in each asset. It stands in a transaction four times: argument, write, event and response. " +
				"The size of a transaction is what the ledger of a peer grows by.", s.payloads,
			func(p *point, n int) { p.settings.Payload = n }, []string{colSize},
		},
		{
			"blocks", "Block size", "most transactions in a block", "Blocks are cut at that number or after 500 ms.", s.blocks,
			func(p *point, n int) { p.options.MaxMessages = n }, []string{colPerBlock},
		},
	}
}

// ScaleRun is one measurement.
type ScaleRun struct {
	Variant string             `json:"variant"`
	At      int                `json:"at"`
	Values  map[string]float64 `json:"values"`
	// Results are those of the channels.
	Results []*load.Result `json:"results,omitempty"`
}

// sweep measures all points of a dimension, the variants in turn.
func (s *scale) sweep(ctx context.Context, d dimension) (*Section, error) {
	var runs []*ScaleRun
	var failures []error
	for round := range s.Rounds {
		for i, value := range d.points {
			for _, j := range load.Order(round+i, len(s.variants)) {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				v := s.variants[j]
				s.say("%d %s: %s", value, d.what, v.name)
				r, err := s.measurePoint(ctx, d, v, value)
				if err != nil {
					failures = append(failures, fmt.Errorf("%d %s, %s: %w", value, d.what, v.name, err))
					continue
				}
				runs = append(runs, r)
			}
		}
	}
	section := &Section{Title: d.title, Text: d.text, Raw: runs}
	section.Tables = []Table{sweepTable(d, s.variants, runs)}
	return section, errors.Join(failures...)
}

func (s *scale) measurePoint(ctx context.Context, d dimension, v variant, value int) (*ScaleRun, error) {
	p := point{options: v.options, settings: load.Capacity(s.Submitters, 0, s.WarmUp, s.Duration), channels: 1}
	d.shape(&p, value)
	run := &ScaleRun{Variant: v.name, At: value, Values: map[string]float64{}}
	err := s.onNewNetwork(ctx, p.options, func(n *network.Network, _ time.Duration) error {
		targets, err := targetsOf(ctx, n, p.channels)
		if err != nil {
			return err
		}
		if slices.Contains(d.more, colConnect) {
			if err := connectClients(ctx, n, targets[0], value, run.Values); err != nil {
				return err
			}
		}
		before, err := sizeOf(ctx, n)
		if err != nil {
			return err
		}
		if run.Results, err = s.measureChannels(ctx, targets, p.settings); err != nil {
			return err
		}
		after, err := sizeOf(ctx, n)
		if err != nil {
			return err
		}
		run.Values[colSize] = (after.bytes - before.bytes) / (after.transactions - before.transactions) / 1024
		return run.sumUp()
	})
	return run, err
}

// targetsOf makes channels until there are as many as wanted, and returns all.
func targetsOf(ctx context.Context, n *network.Network, channels int) ([]load.Target, error) {
	targets := []load.Target{load.TargetOf(n)}
	for i := 1; i < channels; i++ {
		name := n.Channel + strconv.Itoa(i)
		if err := n.AddChannel(ctx, name, network.HashSHA256); err != nil {
			return nil, fmt.Errorf("channel %s: %w", name, err)
		}
		t := load.TargetOf(n)
		t.Channel = name
		targets = append(targets, t)
	}
	return targets, nil
}

// measureChannels shares the load out among the targets, at the same time.
func (s *scale) measureChannels(ctx context.Context, targets []load.Target, settings load.Settings) ([]*load.Result, error) {
	settings.Submitters = max(1, settings.Submitters/len(targets))
	settings.Uncommitted = max(1, settings.Uncommitted/len(targets))
	results, failures := make([]*load.Result, len(targets)), make([]error, len(targets))
	var all sync.WaitGroup
	for i, t := range targets {
		progress := io.Discard
		if i == 0 {
			progress = s.progress
		}
		all.Go(func() { results[i], failures[i] = t.Measure(ctx, settings, progress) })
	}
	all.Wait()
	return results, errors.Join(failures...)
}

// sumUp computes the common columns of the results of all channels.
func (r *ScaleRun) sumUp() error {
	committed, blocks := 0, 0
	for _, result := range r.Results {
		if len(result.Errors) > 0 {
			return fmt.Errorf("the load met errors: %v", result.Errors)
		}
		committed += result.Committed
		blocks += result.Blocks
		r.Values[colTPS] += result.CommittedTPS
		r.Values[colP50] = max(r.Values[colP50], result.Submit.P50)
		r.Values[colP95] = max(r.Values[colP95], result.Submit.P95)
	}
	if committed == 0 {
		return errors.New("nothing was committed within the window")
	}
	// The processes are the same for all channels.
	r.Values[colCPU] = r.Results[0].CPUSeconds() * 1000 / float64(committed)
	r.Values[colMemory] = r.Results[0].ResidentMiB()
	r.Values[colPerBlock] = float64(committed) / float64(blocks)
	return nil
}

func sweepTable(d dimension, variants []variant, runs []*ScaleRun) Table {
	columns := append(slices.Clone(common), d.more...)
	t := Table{Title: d.title, Columns: append([]string{d.what + ", variant"}, columns...)}
	for _, at := range d.points {
		for _, v := range variants {
			row := Row{Name: fmt.Sprintf("%d, %s", at, v.short)}
			for _, column := range columns {
				row.Cells = append(row.Cells, cell(valuesAt(runs, v, at, column)...))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

func valuesAt(runs []*ScaleRun, v variant, at int, column string) (values []float64) {
	for _, r := range runs {
		if value, found := r.Values[column]; found && r.Variant == v.name && r.At == at {
			values = append(values, value)
		}
	}
	return values
}
