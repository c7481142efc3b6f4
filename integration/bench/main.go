// SPDX-License-Identifier: Apache-2.0

// Command bench measures this repository from the algorithms up to whole networks, compared with standard algorithms, TLS and
// unmodified Fabric, and writes a report: each single measurement as JSON, and tables as Markdown.
//
//	bench run [flags]       algorithms, provider, TLCP, gRPC, and networks against unmodified Fabric
//	bench scale [flags]     how a network's numbers grow with clients, channels, organisations and sizes
//
// What is compared takes turns within one session, on networks that are new each time; results are medians of ratios of
// measurements that belong together. See docs/performance.md, and -h of each.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := dispatch(ctx, os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string, progress io.Writer) error {
	verbs := map[string]func(context.Context, []string, io.Writer) error{
		"run": runCommand, "scale": scaleCommand,
	}
	if len(args) == 0 || verbs[args[0]] == nil {
		return errors.New("say what to do: run or scale")
	}
	return verbs[args[0]](ctx, args[1:], progress)
}

func newFlags(verb string, progress io.Writer) *flag.FlagSet {
	set := flag.NewFlagSet("bench "+verb, flag.ContinueOnError)
	set.SetOutput(progress)
	return set
}

func parse(set *flag.FlagSet, args []string) error {
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() > 0 {
		return fmt.Errorf("%s takes no argument %q", set.Name(), set.Arg(0))
	}
	return nil
}

// runCommand makes the report of make bench.
func runCommand(ctx context.Context, args []string, progress io.Writer) error {
	set := newFlags("run", progress)
	dir := set.String("dir", filepath.Join("build", "bench"), "folder for the report and, while it runs, for networks")
	short := set.Bool("short", false, "everything once and in small, to see that it works: its numbers mean nothing")
	rounds := set.Int("rounds", 0, "measurements of each (default 5, in the short form 1)")
	only := set.String("only", "", "sections to make, name,... (default: all)")
	port := set.Int("base-port", 0, "first port of the networks (default: a block of free ones for each)")
	if err := parse(set, args); err != nil {
		return err
	}
	p := full
	if *short {
		p = small
	}
	if *rounds < 0 {
		return errors.New("want a positive number of rounds")
	}
	if *rounds > 0 {
		p.Rounds = *rounds
	}
	b := &bench{plan: p, dir: *dir, port: *port, progress: progress}
	makers := []maker{
		b.micro(primitives), b.micro(provider), b.micro(tlcp), b.micro(grpcOver), {"network", b.network},
	}
	return b.report(ctx, "Benchmarks", "report", makers, *only)
}

// plan says how long and how often to measure.
type plan struct {
	Form        string        `json:"form"`
	Rounds      int           `json:"rounds"`
	BenchTime   time.Duration `json:"benchTimeNanos"` // of each Go benchmark
	Submitters  int           `json:"submitters"`
	Evaluators  int           `json:"evaluators"`
	WarmUp      time.Duration `json:"warmUpNanos"`
	Duration    time.Duration `json:"durationNanos"`
	EvaluateFor time.Duration `json:"evaluateNanos"`
}

var (
	full = plan{
		Form: "full", Rounds: 5, BenchTime: time.Second, Submitters: 64, Evaluators: 64,
		WarmUp: 5 * time.Second, Duration: 20 * time.Second, EvaluateFor: 10 * time.Second,
	}
	small = plan{
		Form: "short", Rounds: 1, BenchTime: 5 * time.Millisecond, Submitters: 16, Evaluators: 16,
		WarmUp: time.Second, Duration: 5 * time.Second, EvaluateFor: 2 * time.Second,
	}
)

// bench is what makes sections.
type bench struct {
	plan
	dir      string
	port     int
	progress io.Writer
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// maker makes the section of that name; together with an error, what there is of it.
type maker struct {
	name string
	make func(context.Context) (*Section, error)
}

// report makes the sections, checks that none lacks a number, and writes name.json and name.md. A section that
// fails, or is complete only in part, does not keep the others from being made and written.
func (b *bench) report(ctx context.Context, title, name string, makers []maker, only string) error {
	chosen, err := choose(makers, only)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return fmt.Errorf("create the folder of the report: %w", err)
	}
	machine, err := describe(ctx)
	if err != nil {
		return err
	}
	r := &Report{Title: title, Plan: b.plan, Machine: *machine, Began: time.Now().UTC()}
	var failure error
	for _, m := range chosen {
		b.say("section %s", m.name)
		s, err := m.make(ctx)
		if err != nil {
			failure = errors.Join(failure, fmt.Errorf("section %s: %w", m.name, err))
		}
		if s != nil {
			s.Name = m.name
			r.Sections = append(r.Sections, s)
		}
		if ctx.Err() != nil {
			break
		}
	}
	r.Ended = time.Now().UTC()
	r.Machine.LoadAfter = loadAverage()
	if failure == nil {
		failure = r.check(chosen)
	}
	if err := r.write(b.dir, name); err != nil {
		return errors.Join(failure, err)
	}
	b.say("report in %s", filepath.Join(b.dir, name+".md"))
	return failure
}

func choose(makers []maker, only string) ([]maker, error) {
	if only == "" {
		return makers, nil
	}
	names := splitList(only)
	var chosen []maker
	for _, m := range makers {
		if i := slices.Index(names, m.name); i >= 0 {
			names = slices.Delete(names, i, i+1)
			chosen = append(chosen, m)
		}
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("there is no section %q", names[0])
	}
	return chosen, nil
}
