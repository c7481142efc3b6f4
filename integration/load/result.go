// SPDX-License-Identifier: Apache-2.0

package load

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// Result is what one measurement found. Rates and latencies are of the window after the warm-up.
type Result struct {
	Label    string    `json:"label"`
	Time     time.Time `json:"time"` // of the end
	CPUs     int       `json:"cpus"`
	Settings Settings  `json:"settings"`

	// Committed counts valid transactions of this load in the blocks that came within the window.
	Committed    int     `json:"committed"`
	CommittedTPS float64 `json:"committedTPS"`
	Blocks       int     `json:"blocks"`
	PerBlock     float64 `json:"transactionsPerBlock"`
	// Submit is from the moment a transaction was due until its commit was known.
	Submit Latency `json:"submit"`

	Evaluate             Latency `json:"evaluate"`
	EvaluationsPerSecond float64 `json:"evaluationsPerSecond"`

	// Errors counts failures within the window by cause.
	Errors map[string]int `json:"errors"`
	// Unresolved counts transactions, of the whole run, that were accepted and not seen in a block by its end.
	Unresolved int `json:"unresolved"`

	Processes []ProcessUse `json:"processes,omitempty"`
	// CPUMsPerTransaction is the CPU time of all processes but the load generator, per committed transaction or, where
	// there are none, per evaluation.
	CPUMsPerTransaction float64 `json:"cpuMsPerTransaction,omitempty"`
}

// Self is the name under which the load generator lists itself.
const Self = "load generator"

func (l *load) result(uses []ProcessUse, unresolved int) *Result {
	l.recorder.mu.Lock()
	defer l.recorder.mu.Unlock()
	seconds := l.Duration.Seconds()
	r := &Result{
		Time: time.Now().UTC(), CPUs: runtime.NumCPU(), Settings: l.Settings,
		Committed: l.recorder.committed, CommittedTPS: float64(l.recorder.committed) / seconds,
		Blocks: l.recorder.blocks, Submit: latencyOf(l.recorder.submits),
		Evaluate: latencyOf(l.recorder.evaluations), EvaluationsPerSecond: float64(len(l.recorder.evaluations)) / seconds,
		Errors: maps.Clone(l.recorder.errors), Unresolved: unresolved, Processes: uses,
	}
	if r.Blocks > 0 {
		r.PerBlock = float64(r.Committed) / float64(r.Blocks)
	}
	operations := r.Committed
	if operations == 0 {
		operations = r.Evaluate.Count
	}
	if operations > 0 {
		r.CPUMsPerTransaction = r.CPUSeconds() * 1000 / float64(operations)
	}
	return r
}

// ResidentMiB is the sum, over the nodes, of the greatest resident size of each within the window.
func (r *Result) ResidentMiB() float64 { return r.sum(func(u ProcessUse) float64 { return u.RSSMiB }) }

// PeakMiB is the sum, over the nodes, of the greatest resident size of each since it began.
func (r *Result) PeakMiB() float64 { return r.sum(func(u ProcessUse) float64 { return u.PeakMiB }) }

// CPUSeconds is the CPU time of all nodes within the window.
func (r *Result) CPUSeconds() float64 {
	return r.sum(func(u ProcessUse) float64 { return u.CPUSeconds })
}

func (r *Result) sum(of func(ProcessUse) float64) (sum float64) {
	for _, u := range r.Processes {
		if u.Name != Self {
			sum += of(u)
		}
	}
	return sum
}

// print writes the result as tables.
func (r *Result) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if r.Label != "" {
		fmt.Fprintf(w, "%s\n", r.Label)
	}
	fmt.Fprintf(w, "window\t%s after %s, %s loop, %d submitters, %d evaluators, %d CPUs\n",
		r.Settings.Duration, r.Settings.WarmUp, r.Settings.Loop, r.Settings.Submitters, r.Settings.Evaluators, r.CPUs)
	if r.Settings.Submitters > 0 {
		fmt.Fprintf(w, "committed\t%d in %d blocks (%.1f each)\n", r.Committed, r.Blocks, r.PerBlock)
		fmt.Fprintf(w, "committed TPS\t%.1f\n", r.CommittedTPS)
		fmt.Fprintf(w, "submit\t%s\n", r.Submit)
		fmt.Fprintf(w, "unresolved\t%d\n", r.Unresolved)
	}
	if r.Settings.Evaluators > 0 {
		fmt.Fprintf(w, "evaluations/s\t%.1f\n", r.EvaluationsPerSecond)
		fmt.Fprintf(w, "evaluate\t%s\n", r.Evaluate)
	}
	if len(r.Processes) > 0 {
		fmt.Fprintf(w, "CPU\t%.2f ms for each transaction, all nodes\n\n", r.CPUMsPerTransaction)
		fmt.Fprintf(w, "process\tCPU s\tCPUs busy\tRSS MiB\n")
		for _, u := range r.Processes {
			note := ""
			if u.Ended {
				note = "\tended within the window"
			}
			fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.0f%s\n", u.Name, u.CPUSeconds, u.CPUSeconds/r.Settings.Duration.Seconds(), u.RSSMiB, note)
		}
	}
	if len(r.Errors) == 0 {
		fmt.Fprintf(w, "\nno errors\n")
	} else {
		fmt.Fprintf(w, "\nerrors\tcause\n")
		for _, name := range slices.Sorted(maps.Keys(r.Errors)) {
			fmt.Fprintf(w, "%d\t%s\n", r.Errors[name], name)
		}
	}
	return w.Flush()
}

// String writes a latency in milliseconds.
func (l Latency) String() string {
	return fmt.Sprintf("p50 %.1f  p95 %.1f  p99 %.1f  mean %.1f  max %.1f ms (%d)", l.P50, l.P95, l.P99, l.Mean, l.Max, l.Count)
}

// WriteJSON writes a value to a file.
func WriteJSON(file string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	if err := os.WriteFile(file, append(content, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

func readResult(file string) (*Result, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read a result: %w", err)
	}
	r := &Result{}
	if err := json.Unmarshal(content, r); err != nil {
		return nil, fmt.Errorf("%s is not a result of the load generator: %w", file, err)
	}
	if r.Settings.Duration <= 0 {
		return nil, fmt.Errorf("%s is not a result of the load generator: it has no duration", file)
	}
	return r, nil
}
