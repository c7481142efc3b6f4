// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestLatencyByNearestRank(t *testing.T) {
	values := func(n int) (out []time.Duration) {
		for i := n; i >= 1; i-- {
			out = append(out, time.Duration(i)*time.Millisecond)
		}
		return out
	}
	require.Equal(t, Latency{}, latencyOf(nil))
	require.Equal(t, Latency{Count: 1, Mean: 1, P50: 1, P95: 1, P99: 1, Max: 1}, latencyOf(values(1)))
	require.Equal(t, Latency{Count: 100, Mean: 50.5, P50: 50, P95: 95, P99: 99, Max: 100}, latencyOf(values(100)))
	require.Equal(t, Latency{Count: 101, Mean: 51, P50: 51, P95: 96, P99: 100, Max: 101}, latencyOf(values(101)))
}

func TestOnlyTheWindowCounts(t *testing.T) {
	from := time.Now()
	r := newRecorder(from, from.Add(time.Second))
	for _, at := range []time.Duration{-time.Nanosecond, 0, time.Second - 1, time.Second} {
		when := from.Add(at)
		r.submitted(from, when)
		r.evaluated(from, when)
		r.block(when, 3)
		r.failed(when, "cause")
	}
	r.block(from, 0)
	require.Len(t, r.submits, 2)
	require.Len(t, r.evaluations, 2)
	require.Equal(t, 6, r.committed)
	require.Equal(t, 2, r.blocks)
	require.Equal(t, map[string]int{"cause": 2}, r.errors)
}

func TestCausesAreAlike(t *testing.T) {
	one := cause("submit", status.Error(codes.Aborted, "transaction 0a1b2c3d4e5f0a1b at 127.0.0.1:7051: asset load-x-17 exists, height 12"))
	other := cause("submit", status.Error(codes.Aborted, "transaction ffffffffffffffff at 10.0.0.2:8051: asset load-y-4 exists, height 9"))
	require.Equal(t, one, other)
	require.Equal(t, "submit: Aborted, transaction _ at _: asset _ exists, height _", one)
	require.Equal(t, "evaluate: Unknown, plain", cause("evaluate", errors.New("plain")))
	require.Less(t, len(cause("x", errors.New(string(make([]byte, 10000))))), 300)
}

func TestParseStat(t *testing.T) {
	line := "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 8 0 777 1000000 256 18446744073709551615"
	s, err := parseStat(line)
	require.NoError(t, err)
	require.Equal(t, "777", s.started)
	require.InDelta(t, 2, s.cpu, 1e-9)
	require.InDelta(t, 256*float64(os.Getpagesize())/(1<<20), s.rss, 1e-9)
	for _, bad := range []string{"", "42", "42 (a) S 1", strings.Replace(line, ") S", ") Z", 1), "42 (a) S 1 42 42 0 -1 4194560 100 0 0 0 x 50 0 0 20 0 8 0 777 1000000 256 1"} {
		_, err := parseStat(bad)
		require.Error(t, err, bad)
	}
}

func TestWatch(t *testing.T) {
	ended := exec.Command(os.Args[0], "-test.run=^$")
	require.NoError(t, ended.Run())
	from := time.Now()
	stop := make(chan struct{})
	go func() { // so that there is something to measure
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	uses := watch(context.Background(), []Process{{"self", os.Getpid()}, {"ended", ended.Process.Pid}}, from, from.Add(time.Second))
	close(stop)
	require.Len(t, uses, 2)
	require.False(t, uses[0].Ended)
	require.Positive(t, uses[0].CPUSeconds)
	require.Positive(t, uses[0].RSSMiB)
	require.True(t, uses[1].Ended)
	require.Zero(t, uses[1].CPUSeconds)
}

func TestPeak(t *testing.T) {
	require.InDelta(t, 2.5, parsePeak("VmPeak:\t 9999 kB\nVmHWM:\t    2560 kB\nVmRSS:\t 100 kB\n"), 1e-9)
	require.Zero(t, parsePeak("VmRSS:\t 100 kB\n"))
	require.Positive(t, peak(os.Getpid()))
}

func TestOrder(t *testing.T) {
	require.Equal(t, []int{0, 1, 2}, Order(0, 3))
	require.Equal(t, []int{2, 1, 0}, Order(1, 3))
	require.Equal(t, []int{0, 1}, Order(2, 2))
}

func TestParseProcesses(t *testing.T) {
	got, err := parseProcesses("peer0.org1=12,orderer=7")
	require.NoError(t, err)
	require.Equal(t, []Process{{"peer0.org1", 12}, {"orderer", 7}}, got)
	for _, bad := range []string{"x", "x=", "=1", "x=0", "x=-1", "x=1=2"} {
		_, err := parseProcesses(bad)
		require.ErrorContains(t, err, "name=pid")
	}
}

func TestParseOptions(t *testing.T) {
	got, err := ParseOptions("mode=gm,algorithm=mixed,suite=ECC_SM4_CBC_SM3,hash=SM3,mutual-tls=true,orderers=1,batch-timeout=2s,max-messages=10,no-memo=true,bin=x")
	require.NoError(t, err)
	require.Equal(t, network.Options{
		Mode: "gm", Algorithm: "mixed", Suite: "ECC_SM4_CBC_SM3", Hash: "SM3", MutualTLS: true, Orderers: 1,
		BatchTimeout: 2 * time.Second, MaxMessages: 10, NoMemo: true, Bin: "x",
	}, got)
	for _, bad := range []string{"modus=gm", "orderers=many", "mutual-tls=often", "batch-timeout=2"} {
		_, err := ParseOptions(bad)
		require.ErrorContains(t, err, bad)
	}
}

func resultOf(label string, tps float64, p99 float64) *Result {
	return &Result{
		Label: label, Settings: short(), CommittedTPS: tps, Submit: Latency{P50: 1, P95: 2, P99: p99},
		Processes: []ProcessUse{{Name: Self, RSSMiB: 1000}, {Name: "peer", RSSMiB: 100}, {Name: "orderer", RSSMiB: 50}},
	}
}

func TestCompare(t *testing.T) {
	c, err := compare(
		[]*Result{resultOf("tls", 400, 10), resultOf("tls", 440, 12), resultOf("tls", 420, 11)},
		[]*Result{resultOf("gm", 210, 33), resultOf("gm", 190, 11)},
	)
	require.NoError(t, err)
	require.Equal(t, Side{"tls", 3}, c.A)
	require.Equal(t, Side{"gm", 2}, c.B)
	rows := map[string]Row{}
	for _, row := range c.Rows {
		rows[row.Metric] = row
	}
	require.Equal(t, Spread{420, 400, 440}, rows["committed TPS"].A)
	require.Equal(t, Spread{200, 190, 210}, rows["committed TPS"].B)
	require.InDelta(t, 200.0/420, *rows["committed TPS"].Ratio, 1e-9)
	require.InDelta(t, 2, *rows["submit p99 ms"].Ratio, 1e-9)
	require.InDelta(t, 150, rows["resident MiB, all nodes"].A.Median, 1e-9, "without the generator")
	require.NotContains(t, rows, "evaluations/s", "nothing was measured there")

	_, err = compare(nil, nil)
	require.Error(t, err)
	other := resultOf("gm", 1, 1)
	other.Settings.Submitters++
	_, err = compare([]*Result{resultOf("tls", 1, 1)}, []*Result{other})
	require.ErrorContains(t, err, "different ways")

	errorsInB := resultOf("gm", 1, 1)
	errorsInB.Errors = map[string]int{"submit: x": 3, "endorse: y": 1}
	c, err = compare([]*Result{resultOf("tls", 1, 1)}, []*Result{errorsInB})
	require.NoError(t, err)
	last := c.Rows[len(c.Rows)-1]
	require.Equal(t, "errors", last.Metric)
	require.InDelta(t, 4, last.B.Median, 1e-9)
	require.Nil(t, last.Ratio, "nothing can be said of a ratio to zero")
}
