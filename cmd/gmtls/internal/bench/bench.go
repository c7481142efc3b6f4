// SPDX-License-Identifier: Apache-2.0

// Package bench measures an endpoint from outside: handshakes, and throughput
// where it returns what it gets.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/endpoint"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/output"
)

// Result is one measurement. Latencies are of handshakes with connecting, or of
// one round of a block.
type Result struct {
	What     string        `json:"what"`
	Count    int           `json:"count"`
	Resumed  int           `json:"resumed"` // of the handshakes
	Failed   int           `json:"failed"`
	Elapsed  time.Duration `json:"elapsed_ns"`
	PerSec   float64       `json:"per_second"`
	MiBs     float64       `json:"mib_per_second,omitempty"` // each way
	P50      time.Duration `json:"p50_ns"`
	P95      time.Duration `json:"p95_ns"`
	P99      time.Duration `json:"p99_ns"`
	Max      time.Duration `json:"max_ns"`
	Error    string        `json:"first_error,omitempty"`
	Workers  int           `json:"workers"`
	firstErr error
}

// blockSize is what a round of the throughput measurement sends, in bytes.
const blockSize = 256 << 10

// round is one handshake, or one exchange of a block.
type round struct {
	took    time.Duration
	resumed bool
}

// worker does one round. It belongs to one goroutine.
type worker func(ctx context.Context) (round, error)

// measure runs workers side by side for a time. What was begun is finished, and
// a worker ends at its first failure.
func measure(ctx context.Context, what string, workers int, d time.Duration, start func() (worker, func(), error)) Result {
	r := Result{What: what, Workers: workers}
	var (
		mu   sync.Mutex // protects r and took
		took []time.Duration
		wg   sync.WaitGroup
	)
	begin := time.Now()
	for range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var own []time.Duration
			resumed := 0
			work, stop, err := start()
			if err == nil {
				defer stop()
			}
			for err == nil && ctx.Err() == nil && time.Since(begin) < d {
				var done round
				if done, err = work(ctx); err != nil {
					break
				}
				own = append(own, done.took)
				if done.resumed {
					resumed++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
			r.Resumed += resumed
			if err != nil && ctx.Err() == nil {
				r.Failed++
				r.firstErr = err
			}
		}()
	}
	wg.Wait()
	r.Elapsed = time.Since(begin)
	r.Count = len(took)
	r.PerSec = float64(r.Count) / r.Elapsed.Seconds()
	slices.Sort(took)
	r.P50, r.P95, r.P99, r.Max = at(took, 0.50), at(took, 0.95), at(took, 0.99), at(took, 1)
	if r.firstErr != nil {
		r.Error = r.firstErr.Error()
	}
	return r
}

// at returns the smallest value that the share q of sorted does not exceed.
func at(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(q*float64(len(sorted))+0.999999)-1)]
}

// handshakes returns a starter of workers that connect again and again.
func handshakes(d *endpoint.Dialer) func() (worker, func(), error) {
	return func() (worker, func(), error) {
		return func(ctx context.Context) (round, error) {
			begin := time.Now()
			c, err := d.Dial(ctx)
			took := time.Since(begin)
			if err != nil {
				return round{}, err
			}
			return round{took, endpoint.Describe(c).Resumed}, c.Close()
		}, func() {}, nil
	}
}

// rounds returns a starter of workers that send a block and read it back.
func rounds(ctx context.Context, d *endpoint.Dialer) func() (worker, func(), error) {
	return func() (worker, func(), error) {
		c, err := d.Dial(ctx)
		if err != nil {
			return nil, nil, err
		}
		out, in := make([]byte, blockSize), make([]byte, blockSize)
		return func(context.Context) (round, error) {
			begin := time.Now()
			if err := c.SetDeadline(begin.Add(d.Timeout)); err != nil {
				return round{}, err
			}
			sent := make(chan error, 1)
			go func() {
				_, err := c.Write(out)
				sent <- err
			}()
			_, err := io.ReadFull(c, in)
			return round{took: time.Since(begin)}, errors.Join(err, <-sent)
		}, func() { c.Close() }, nil
	}
}

// Command returns gmtls bench.
func Command() *cobra.Command {
	var (
		d        endpoint.Dialer
		duration time.Duration
		workers  int
		echo     bool
		format   output.Format
	)
	c := &cobra.Command{
		Use:   "bench HOST:PORT",
		Short: "measure full and resumed handshakes, and throughput of a server that returns what it gets",
		Long: `Connects again and again, with --workers connections at a time: first by full handshakes, then offering sessions,
and says how many were resumed. With --echo it also sends blocks and reads them back. Latencies are of a handshake with
connecting, or of one block there and back.

Exit codes: 0 all rounds succeeded; 1 wrong usage or unreadable file; 2 not reached; 3 a handshake or connection failed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d.Target = args[0]
			if duration <= 0 || workers < 1 || workers > 1024 {
				return errors.New("--duration must be positive and --workers from 1 to 1024")
			}
			if err := format.Check(); err != nil {
				return err
			}
			if err := d.Prepare(); err != nil {
				return err
			}
			results := []Result{measure(c.Context(), "full handshakes", workers, duration, handshakes(&d))}
			if echo && results[0].Failed == 0 {
				r := measure(c.Context(), "rounds of 256 KiB", workers, duration, rounds(c.Context(), &d))
				r.MiBs = r.PerSec * blockSize / (1 << 20)
				results = append(results, r)
			}
			if results[0].Failed == 0 {
				if err := d.Resume(c.Context()); err != nil {
					return err
				}
				results = append(results, measure(c.Context(), "handshakes with resumption offered", workers, duration, handshakes(&d)))
			}
			if err := format.Write(c.OutOrStdout(), results, func(w io.Writer) { write(w, results) }); err != nil {
				return err
			}
			for _, r := range results {
				if r.firstErr != nil {
					return r.firstErr
				}
			}
			return exit.Silently(exit.OK)
		},
	}
	d.Flags(c)
	c.Flags().DurationVar(&duration, "duration", 5*time.Second, "of each measurement")
	c.Flags().IntVar(&workers, "workers", 4, "connections at a time")
	c.Flags().BoolVar(&echo, "echo", false, "the server returns what it gets (gmtls server does): measure throughput too")
	format.Flag(c.Flags())
	return c
}

func write(w io.Writer, results []Result) {
	for _, r := range results {
		line := fmt.Sprintf("%s: %.1f/s", r.What, r.PerSec)
		if r.MiBs > 0 {
			line += fmt.Sprintf(" (%.1f MiB/s each way)", r.MiBs)
		}
		ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
		fmt.Fprintf(w, "%s, p50 %.2f ms, p95 %.2f ms, p99 %.2f ms, max %.2f ms; %d (%d resumed) in %.1f s by %d workers, %d failed\n",
			line, ms(r.P50), ms(r.P95), ms(r.P99), ms(r.Max), r.Count, r.Resumed, r.Elapsed.Seconds(), r.Workers, r.Failed)
	}
}
