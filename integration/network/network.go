// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hyperledger/fabric/integration/relay"
)

// stateFile marks a state directory and says what runs from it.
const stateFile = "network.json"

// ChaincodeName is the name of the asset chaincode on the channel.
const ChaincodeName = "asset"

// Network is a topology that runs, or is being brought up, from one state directory.
type Network struct {
	*Topology
	Dir string // state directory, absolute
	Bin string // binaries, absolute

	docker   bool
	isolated bool
	keys     string // as in Options
	caBin    string // Options.CA
	secrets  *secrets
	logSpec  string
	packages map[string]string // organisation name to chaincode package id
	report   io.Writer
	began    time.Time
	ready    bool // it was up once

	// Relays are in front of the services, by node name, when Options.Relayed asked for them.
	Relays map[string]*relay.Relay

	mu    sync.Mutex
	units map[string]unit // what runs the nodes, by node name; guarded by mu
}

// state is what stateFile holds.
type state struct {
	Topology *Topology         `json:"topology"`
	Bin      string            `json:"bin"`
	CA       string            `json:"ca,omitempty"`
	Docker   bool              `json:"docker,omitempty"`
	LogSpec  string            `json:"logSpec"`
	Packages map[string]string `json:"packages,omitempty"`
	Started  time.Time         `json:"started"`
	Ready    bool              `json:"ready,omitempty"` // it was up once
}

func newNetwork(o Options, report io.Writer) (*Network, error) {
	t, err := Plan(o)
	if err != nil {
		return nil, err
	}
	o, err = o.withDefaults()
	if err != nil {
		return nil, err
	}
	if report == nil {
		report = io.Discard
	}
	return &Network{
		Topology: t, Dir: o.Dir, Bin: o.Bin, docker: o.Docker, isolated: o.Isolated, keys: o.Keys, logSpec: o.LogSpec,
		caBin: o.CA, secrets: newSecrets(),
		packages: map[string]string{}, report: report, began: time.Now(), units: map[string]unit{},
		Relays: map[string]*relay.Relay{},
	}, nil
}

// Open finds the network that runs from dir. The error says so when there is none.
func Open(dir string) (*Network, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", dir, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no network in %s: start one with make network", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of the network: %w", err)
	}
	s, err := parseState(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; stop what it started with make network-down", filepath.Join(dir, stateFile), err)
	}
	n := &Network{
		Topology: s.Topology, Dir: dir, Bin: s.Bin, caBin: s.CA, secrets: newSecrets(), docker: s.Docker, logSpec: s.LogSpec, packages: s.Packages,
		report: io.Discard, began: s.Started, ready: s.Ready, units: map[string]unit{}, Relays: map[string]*relay.Relay{},
	}
	return n, n.loadUnits()
}

// unit is what runs one node: a process or a container.
type unit interface {
	name() string
	// alive reports whether it runs.
	alive() bool
	// describe names it for people: "process 4711".
	describe() string
	// lastLog returns the last lines that it printed, and where there are more.
	lastLog(lines int) (text, where string)
	signal(sig syscall.Signal) error
	// stop ends it politely, and by force after grace.
	stop(ctx context.Context, grace time.Duration) error
	awaitEnd(ctx context.Context, limit time.Duration) error
}

// loadUnits reads the records of what was started from the state directory.
func (n *Network) loadUnits() error {
	records, err := filepath.Glob(filepath.Join(n.Dir, "run", "*.json"))
	if err != nil {
		return fmt.Errorf("list what runs: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, record := range records {
		u, err := loadUnit(record)
		if err != nil {
			return err
		}
		n.units[u.name()] = u
	}
	return nil
}

// loadUnit reads one record; a container's names its id.
func loadUnit(record string) (unit, error) {
	c, err := loadContainer(record)
	if c != nil || err != nil {
		return c, err
	}
	return loadProcess(record)
}

func parseState(data []byte) (*state, error) {
	s := &state{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("damaged state: %w", err)
	}
	if s.Topology == nil || len(s.Topology.Ordering.Nodes) == 0 || len(s.Topology.Peers) == 0 {
		return nil, errors.New("damaged state: no topology")
	}
	return s, nil
}

func (n *Network) save() error {
	data, err := json.MarshalIndent(state{
		Topology: n.Topology, Bin: n.Bin, CA: n.caBin, Docker: n.docker, LogSpec: n.logSpec, Packages: n.packages, Started: n.began, Ready: n.ready,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the state of the network: %w", err)
	}
	return n.write(stateFile, data)
}

// path is a file of the state directory, given with forward slashes.
func (n *Network) path(rel ...string) string {
	return filepath.Join(append([]string{n.Dir}, rel...)...)
}

// write creates a file of the state directory, readable by its owner alone.
func (n *Network) write(rel string, data []byte) error {
	return replaceFile(n.path(filepath.FromSlash(rel)), data)
}

// partial is the end of the name of a file that is being written.
const partial = ".partial"

// replaceFile writes a file, readable by its owner alone, and its folder. Under its name there is the whole of it or what was there before,
// whenever the writer ends.
func replaceFile(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	if err := os.WriteFile(file+partial, data, 0o600); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return os.Rename(file+partial, file)
}

// NodeFolder is the folder of a node's msp and tls.
func (n *Network) NodeFolder(node Node) string { return n.path(filepath.FromSlash(n.nodeCrypto(node))) }

// UserFolder is the folder of the msp and tls of an organisation's user: Admin, User1 or one of EnrolUser.
func (n *Network) UserFolder(org Org, user string) string {
	return n.path(filepath.FromSlash(n.userCrypto(org, user)))
}

// LogFile is where a node's output goes.
func (n *Network) LogFile(node string) string { return n.path("logs", node+".log") }

// say reports progress with the time since the beginning.
func (n *Network) say(format string, args ...any) {
	fmt.Fprintf(n.report, "%6.2f s  %s\n", time.Since(n.began).Seconds(), fmt.Sprintf(format, args...))
}

func (n *Network) unit(name string) unit {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.units[name]
}

// checkRunning returns an error with the end of the right log when a node that should run does not.
func (n *Network) checkRunning(names ...string) error {
	for _, name := range names {
		if u := n.unit(name); u != nil && !u.alive() {
			text, where := u.lastLog(15)
			return fmt.Errorf("%s has ended; the end of %s:\n%s%w", name, where, indent(text), errFinal)
		}
	}
	return nil
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(text, "\n", "\n    ")
}

// Down stops every node that the state directory dir records, and no other, and removes the directory. It works
// on whatever an interrupted Up left behind. It reports what it did to report.
func Down(ctx context.Context, dir string, report io.Writer) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("resolve %s: %w", dir, err)
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(report, "no network in %s\n", dir)
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, stateFile)); err != nil {
		return fmt.Errorf("%s does not look like the state of a network (no %s): not removing it", dir, stateFile)
	}
	n := &Network{Dir: dir, units: map[string]unit{}}
	if err := n.loadUnits(); err != nil {
		return fmt.Errorf("%w: end that process by hand and remove %s", err, dir)
	}
	stopped, err := n.stopAll(ctx)
	if err != nil {
		return err
	}
	if err := n.composeDown(ctx); err != nil {
		return err
	}
	if err := removeState(dir); err != nil {
		return fmt.Errorf("remove the state of the network: %w", err)
	}
	fmt.Fprintf(report, "stopped %d nodes, removed %s\n", stopped, dir)
	return nil
}

// removeState removes a state directory, the state file last: what is interrupted here is still known for what it is.
func removeState(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == stateFile {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}

// Close stops all nodes and relays and keeps the state directory with its logs.
func (n *Network) Close(ctx context.Context) error {
	for _, r := range n.Relays {
		_ = r.Close()
	}
	_, err := n.stopAll(ctx)
	return err
}

// relay puts relays in front of those nodes that are planned to be behind one.
func (n *Network) relay(nodes []Node) error {
	for _, node := range nodes {
		if node.Behind == 0 {
			continue
		}
		r, err := relay.Start(node.Local(), node.addressAt(node.Behind))
		if err != nil {
			return err
		}
		n.Relays[node.Name] = r
	}
	return nil
}

// stopAll ends everything recorded at once and counts what was running.
func (n *Network) stopAll(ctx context.Context) (int, error) {
	n.mu.Lock()
	var running []unit
	for _, u := range n.units {
		if u.alive() {
			running = append(running, u)
		}
	}
	n.mu.Unlock()
	return len(running), parallel(running, func(u unit) error { return u.stop(ctx, stopGrace) })
}
