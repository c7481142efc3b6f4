// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hyperledger/fabric/integration/network"
)

// upLimit bounds a bring-up, and a way down.
const upLimit = 3 * time.Minute

// Order is the order in which a round measures its sides: there in one round and back in the next, A B B A A B …, so that
// what drifts on the machine falls on all.
func Order(round, sides int) []int {
	order := make([]int, sides)
	for i := range order {
		if order[i] = i; round%2 == 1 {
			order[i] = sides - 1 - i
		}
	}
	return order
}

// alternateCommand measures two topologies in turn, each time on a fresh network: networks differ by some percent from one
// bring-up to the next.
func alternateCommand(ctx context.Context, args []string, out, progress io.Writer) error {
	var s Settings
	set := flag.NewFlagSet("load alternate", flag.ContinueOnError)
	set.SetOutput(progress)
	s.flags(set)
	const options = "options of make network, name=value,... of mode, client-mode, algorithm, suite, hash, keys, mutual-tls, consensus, orderers, orgs, " +
		"peers, batch-timeout, max-messages, log, no-memo and bin (folder of the binaries)"
	a := set.String("a", "", "one topology: "+options)
	b := set.String("b", "", "the other topology, likewise")
	rounds := set.Int("rounds", 3, "measurements of each")
	dir := set.String("dir", "build/load", "folder for the results and, while it runs, the network")
	port := set.Int("base-port", 17050, "first port of the networks")
	if err := parse(set, args); err != nil {
		return err
	}
	if *rounds < 1 {
		return errors.New("want at least one round")
	}
	if err := s.validate(); err != nil {
		return err
	}
	var topologies [2]network.Options
	labels := [2]string{*a, *b}
	for i, text := range labels {
		o, err := ParseOptions(text)
		if err != nil {
			return err
		}
		o.Dir, o.BasePort = filepath.Join(*dir, "network"), *port
		if _, err := network.Plan(o); err != nil {
			return err
		}
		topologies[i] = o
	}
	if *a == *b {
		labels = [2]string{"first: " + *a, "second: " + *b}
	}
	var results [2][]*Result
	for round := range *rounds {
		for _, side := range Order(round, 2) {
			fmt.Fprintf(progress, "round %d of %d: %s\n", round+1, *rounds, labels[side])
			var r *Result
			err := Fresh(ctx, topologies[side], progress, func(n *network.Network, _ time.Duration) (err error) {
				r, err = TargetOf(n).Measure(ctx, s, progress)
				return err
			})
			if err != nil {
				return err
			}
			r.Label = labels[side]
			results[side] = append(results[side], r)
			file := filepath.Join(*dir, fmt.Sprintf("%c%d.json", "ab"[side], round+1))
			if err := WriteJSON(file, r); err != nil {
				return err
			}
		}
	}
	return conclude(results[0], results[1], filepath.Join(*dir, "comparison.json"), out)
}

// Fresh brings a network up, calls measure with it and the time that this took, and takes the network down.
func Fresh(ctx context.Context, o network.Options, progress io.Writer, measure func(n *network.Network, took time.Duration) error) (err error) {
	up, cancel := context.WithTimeout(ctx, upLimit)
	defer cancel()
	began := time.Now()
	n, err := network.Up(up, o, progress)
	if err != nil {
		return err // Up has stopped what it started and keeps the logs
	}
	took := time.Since(began)
	defer func() {
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), upLimit)
		defer cancel()
		err = errors.Join(err, network.Down(down, o.Dir, progress))
	}()
	return measure(n, took)
}

// ParseOptions parses name=value,... as the flags of the network command have them.
func ParseOptions(text string) (network.Options, error) {
	var o network.Options
	fields := map[string]any{
		"mode": &o.Mode, "client-mode": &o.ClientMode, "algorithm": &o.Algorithm, "suite": &o.Suite, "hash": &o.Hash, "keys": &o.Keys, "mutual-tls": &o.MutualTLS,
		"orderers": &o.Orderers, "orgs": &o.Orgs, "peers": &o.Peers, "batch-timeout": &o.BatchTimeout,
		"consensus": &o.Consensus, "max-messages": &o.MaxMessages, "log": &o.LogSpec, "bin": &o.Bin, "no-memo": &o.NoMemo,
	}
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		var err error
		switch field := fields[name].(type) {
		case *string:
			*field = value
		case *int:
			*field, err = strconv.Atoi(value)
		case *bool:
			*field, err = strconv.ParseBool(value)
		case *time.Duration:
			*field, err = time.ParseDuration(value)
		default:
			err = errors.New("no such option")
		}
		if err != nil {
			return o, fmt.Errorf("option %q of the topology %q: %w", part, text, err)
		}
	}
	return o, nil
}
