// SPDX-License-Identifier: Apache-2.0

//go:build integration

package attacks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/hyperledger/fabric/integration/load"
	"github.com/hyperledger/fabric/integration/network"
)

// siege is one measurement: an attack on so many connections from so many addresses.
type siege struct {
	attack      string
	connections int
	addresses   int
}

// sieges are the attacks that are measured: those that stall in all sizes, those of a client whose handshake is complete, and those that cost the node work.
func sieges() (all []siege) {
	for _, connections := range []int{64, 512, 4096} {
		for _, addresses := range []int{1, 24, 256} {
			all = append(all, siege{"three bytes, then nothing", connections, addresses})
		}
	}
	for _, a := range floods {
		all = append(all, siege{a.name, 16, 4})
	}
	return append(all,
		siege{"ClientHello, then nothing", 4096, 256},
		siege{"full handshakes", 64, 1}, siege{"full handshakes", 512, 24}, siege{"full handshakes", 1024, 256},
		siege{"huge certificates", 64, 24}, siege{"a certificate of the node, with junk", 64, 24},
		siege{"churn", 64, 24},
	)
}

// measured is what honest clients and the node saw of a siege.
type measured struct {
	Node        string  `json:"node"`
	Attack      string  `json:"attack"`
	Connections int     `json:"connections"`
	Addresses   int     `json:"addresses"`
	Opened      int64   `json:"opened"` // connections of the attacker
	Honest      int     `json:"honest"` // handshakes of honest clients that were tried
	Failed      int     `json:"failed"`
	P50         float64 `json:"p50Ms"`
	P99         float64 `json:"p99Ms"`
	CallP99     float64 `json:"callP99Ms"` // of calls on a connection that was open before
	CallsFailed int     `json:"callsFailed"`
	CPU         float64 `json:"cpuSecondsPerSecond"`
	MiB         int     `json:"peakMiBMore"` // of memory than before
}

const (
	honestClients = 4
	honestTime    = 2 * time.Second // for which each makes one handshake after the other
	siegeWarmUp   = time.Second
)

// percentile of sorted durations, in milliseconds.
func percentile(d []time.Duration, p int) float64 {
	if len(d) == 0 {
		return 0
	}
	return float64(d[(len(d)*p+99)/100-1].Microseconds()) / 1000
}

// attackOf finds an attack by its name. A full handshake is one without a certificate.
func attackOf(name string) attack {
	if name == "full handshakes" {
		return attack{name, func(s *stranger, conn net.Conn) { s.anonymous().handshake(conn) }}
	}
	all := append(slices.Clone(attacks), floods...)
	return all[slices.IndexFunc(all, func(a attack) bool { return a.name == name })]
}

// lay lays siege to a peer and measures what honest clients see.
func lay(t *testing.T, b *besieged, g siege) measured {
	t.Helper()
	node := b.n.Nodes(network.Peer)[0]
	m := measured{Node: b.name, Attack: g.attack, Connections: g.connections, Addresses: g.addresses}
	h := newHonest(t, b.n, node, b.options.Mode)
	known := recovered(t, b, node, g.attack)
	pid := b.n.PID(node.Name)
	before, _ := memory(t, pid)
	forgetPeak(t, pid)
	end := startAttacker(t, order{node.Local(), b.options.Mode, g.attack, g.connections, g.addresses})
	time.Sleep(siegeWarmUp) // for as long, it is there before the others come
	cpu, err := load.CPUTime(pid)
	require.NoError(t, err)
	began := time.Now()
	var mu sync.Mutex
	var took, calls []time.Duration
	var wg sync.WaitGroup
	for i := range honestClients {
		wg.Go(func() {
			for time.Since(began) < honestTime {
				d, err := h.connect(net.IPv4(127, 2, 0, byte(i+1)))
				mu.Lock()
				m.Honest++
				if err != nil {
					m.Failed++
				} else {
					took = append(took, d)
				}
				mu.Unlock()
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for running := true; running; {
		start := time.Now()
		if call(t, known) != nil {
			m.CallsFailed++
		} else {
			calls = append(calls, time.Since(start))
		}
		select {
		case <-done:
			running = false
		case <-time.After(5 * time.Millisecond): // a call now and then
		}
	}
	after, err := load.CPUTime(pid)
	require.NoError(t, err)
	m.CPU = (after - cpu) / time.Since(began).Seconds()
	m.Opened = end()
	_, peak := memory(t, pid)
	m.MiB = peak - before
	slices.Sort(took)
	slices.Sort(calls)
	m.P50, m.P99, m.CallP99 = percentile(took, 50), percentile(took, 99), percentile(calls, 99)
	return m
}

// order is what an attacker is to do. He is a process of his own, and lower in priority, as he would not share the machine with
// the node and its honest clients.
type order struct {
	Target, Mode, Attack   string
	Connections, Addresses int
}

const orderVariable = "ATTACKS_ORDER"

// TestAttacker is that process.
func TestAttacker(t *testing.T) {
	text := os.Getenv(orderVariable)
	if text == "" {
		t.Skip("it is run by TestBesideStock")
	}
	var o order
	require.NoError(t, json.Unmarshal([]byte(text), &o))
	end := newStranger(t, o.Target, o.Mode, o.Addresses).besiege(attackOf(o.Attack), o.Connections, false)
	_, err := io.Copy(io.Discard, os.Stdin) // until it is closed
	require.NoError(t, err)
	fmt.Println("opened", end())
}

// startAttacker runs an attacker until the returned function is called, which tells how many connections he opened.
func startAttacker(t *testing.T, o order) (end func() int64) {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	cmd := exec.Command("nice", "-n", "10", os.Args[0], "-test.run=^TestAttacker$")
	cmd.Env = append(os.Environ(), orderVariable+"="+string(text))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { in.Close() })
	return func() (opened int64) {
		require.NoError(t, in.Close())
		require.NoError(t, cmd.Wait(), out.String())
		_, err := fmt.Sscanf(out.String(), "opened %d", &opened)
		require.NoError(t, err, out.String())
		return opened
	}
}

// call makes a call that no node knows, which the server answers all the same.
func call(t *testing.T, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(t.Context(), honestPatience)
	defer cancel()
	err := conn.Invoke(ctx, "/attacks.None/None", &emptypb.Empty{}, &emptypb.Empty{})
	if status.Code(err) != codes.Unimplemented {
		return fmt.Errorf("a call that no node knows: %w", err)
	}
	return nil
}

// besieged is a kind of node, and the network that it runs in.
type besieged struct {
	name    string
	options network.Options
	n       *network.Network
}

// TestBesideStock lays the same sieges to peers of unmodified Fabric and of this fork, by turns, and writes what honest clients
// see into build/attacks/report.md. The stock binaries are those of make stock. It fails where honest clients fail here.
func TestBesideStock(t *testing.T) {
	stock, err := filepath.Abs("../../build/stock")
	require.NoError(t, err)
	kinds := []*besieged{
		{name: "stock TLS", options: network.Options{Mode: network.ModeTLS, Algorithm: network.AlgorithmECDSA, Bin: stock}},
		{name: "fork TLS", options: network.Options{Mode: network.ModeTLS, Algorithm: network.AlgorithmECDSA}},
		{name: "fork TLCP", options: network.Options{Mode: network.ModeGM}},
	}
	besideEachOther(t, kinds, kinds)
}

// besideEachOther starts the networks one within the other's test, and measures when all run.
func besideEachOther(t *testing.T, all, left []*besieged) {
	if len(left) > 0 {
		t.Run(left[0].name, func(t *testing.T) {
			b := left[0]
			b.options.Orderers, b.options.Orgs, b.options.Peers, b.options.LogSpec = 1, 1, 1, "fatal"
			b.n, _ = start(t, b.options)
			besideEachOther(t, all, left[1:])
		})
		return
	}
	var found []measured
	for _, g := range sieges() {
		for _, b := range all {
			m := lay(t, b, g)
			found = append(found, m)
			if b.options.Bin == "" && m.Failed+m.CallsFailed > 0 {
				t.Errorf("honest clients failed: %+v", m)
			}
		}
	}
	writeReport(t, found)
}

// recoverLimit is how long a node may take to recover from the siege before.
const recoverLimit = time.Minute

// recovered returns a connection to a node that answers. A peer of unmodified Fabric that does not answer in time is started anew,
// as often as it has to be, up to restarts times. The fork's has to recover by itself.
func recovered(t *testing.T, b *besieged, node network.Node, attack string) *grpc.ClientConn {
	t.Helper()
	const restarts = 3
	for left := restarts; ; left-- {
		known := dial(t, b.n, node, b.n.Peers[0], "User1")
		var err error
		for began := time.Now(); time.Since(began) < recoverLimit; time.Sleep(time.Second) {
			if err = call(t, known); err == nil {
				return known
			}
		}
		if b.options.Bin == "" || left == 0 {
			require.NoError(t, err, "%s does not answer before %s", b.name, attack)
		}
		t.Logf("%s does not answer within %s before %s, and is started anew: %v", b.name, recoverLimit, attack, err)
		require.NoError(t, b.n.Restart(t.Context(), node.Name))
	}
}

func writeReport(t *testing.T, all []measured) {
	t.Helper()
	dir, err := filepath.Abs("../../build/attacks")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	raw, err := json.MarshalIndent(all, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "report.json"), raw, 0o644))
	var b strings.Builder
	fmt.Fprintf(&b, "Each row: honest clients, %d at a time, make handshakes from other addresses for %s of the attack.\n\n", honestClients, honestTime)
	b.WriteString("| attack | connections | addresses | node | handshakes | failed | p50, ms | p99, ms | call p99, ms | calls failed | cores | MiB more |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, g := range sieges() {
		for _, m := range all {
			if (siege{m.Attack, m.Connections, m.Addresses}) == g {
				fmt.Fprintf(&b, "| %s | %d | %d | %s | %d | %d | %.1f | %.1f | %.1f | %d | %.2f | %d |\n",
					m.Attack, m.Connections, m.Addresses, m.Node, m.Honest, m.Failed, m.P50, m.P99, m.CallP99, m.CallsFailed, m.CPU, m.MiB)
			}
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "report.md"), []byte(b.String()), 0o644))
	t.Log("\n" + b.String())
}
