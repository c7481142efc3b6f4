// SPDX-License-Identifier: Apache-2.0

// Command network starts, shows and stops a Fabric network on this machine.
//
//	network [-dir DIR] up [flags]          make certificates, start all nodes, create the channel, commit the chaincode
//	network [-dir DIR] status              nodes, ports, modes and block heights
//	network [-dir DIR] env ORG             the environment of the peer command for an organisation, for a shell's eval
//	network [-dir DIR] deploy NAME FOLDER  build the Go program in a folder and make it a chaincode, or the next version of it
//	network [-dir DIR] restart NODE        stop one node and start it again
//	network [-dir DIR] add-org             a further organisation with a peer
//	network [-dir DIR] add-channel NAME    a further channel of all nodes, with the asset chaincode
//	network [-dir DIR] stop                stop all nodes; nothing is lost
//	network [-dir DIR] start               start all nodes that do not run
//	network [-dir DIR] down                stop what was started and remove it
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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/internal/settings"
)

// limit ends a command that hangs in spite of the deadlines of its steps.
const limit = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintln(os.Stderr, "network:", err)
	stop()
	os.Exit(1)
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("network", flag.ContinueOnError)
	dir := flags.String("dir", filepath.Join("build", "network"), "state directory")
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "Usage: network [-dir DIR] COMMAND\n\nCommands: %s. \"network up -h\" lists the options of a network.\n\n", verbs)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	rest := flags.Args()
	if len(rest) == 0 {
		return errors.New("a command is missing: " + verbs)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	verb, rest := rest[0], rest[1:]
	switch {
	case verb == "up":
		return up(ctx, *dir, rest, out)
	case verb == "status" && len(rest) == 0:
		return status(ctx, *dir, out)
	case verb == "env" && len(rest) == 1:
		return env(*dir, rest[0], out)
	case verb == "down" && len(rest) == 0:
		return network.Down(ctx, *dir, out)
	}
	c, known := changes[verb]
	if !known || len(rest) != c.args {
		return fmt.Errorf("cannot %s with %q: use %s", verb, rest, verbs)
	}
	n, err := network.Open(*dir)
	if err != nil {
		return err
	}
	said, err := c.do(ctx, n, rest)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, said)
	return nil
}

const verbs = "up, status, env ORG, deploy NAME FOLDER, restart NODE, add-org, add-channel NAME, stop, start or down"

// change does something to a network that is there, and says what.
type change struct {
	args int
	do   func(ctx context.Context, n *network.Network, args []string) (said string, err error)
}

var changes = map[string]change{
	"deploy": {2, func(ctx context.Context, n *network.Network, args []string) (string, error) {
		sequence, err := n.Deploy(ctx, args[0], args[1])
		return fmt.Sprintf("chaincode %s is on channel %s, version %d", args[0], n.Channel, sequence), err
	}},
	"restart": {1, func(ctx context.Context, n *network.Network, args []string) (string, error) {
		return args[0] + " runs again", n.Restart(ctx, args[0])
	}},
	"add-org": {0, func(ctx context.Context, n *network.Network, _ []string) (string, error) {
		org, err := n.AddOrg(ctx, 1, network.FirstVersion, 1)
		return fmt.Sprintf("%s joined channel %s with %s", org.Name, n.Channel, network.ChaincodeName), err
	}},
	"add-channel": {1, func(ctx context.Context, n *network.Network, args []string) (string, error) {
		return fmt.Sprintf("channel %s has all nodes, and %s", args[0], network.ChaincodeName), n.AddChannel(ctx, args[0], n.Hash)
	}},
	"stop": {0, func(ctx context.Context, n *network.Network, _ []string) (string, error) {
		return "stopped; start goes on where it was", n.Close(ctx)
	}},
	"start": {0, func(ctx context.Context, n *network.Network, _ []string) (string, error) {
		started, err := n.Resume(ctx)
		return fmt.Sprintf("started %d nodes", started), err
	}},
}

func up(ctx context.Context, dir string, args []string, out io.Writer) error {
	o := network.Options{Dir: dir}
	flags := flag.NewFlagSet("network up", flag.ContinueOnError)
	flags.StringVar(&o.Mode, "mode", "", "protocols that nodes accept: tls, dual or gm (default gm)")
	flags.StringVar(&o.ClientMode, "client-mode", "", "protocol that nodes dial with: tls or gm (default tls for mode tls, gm otherwise)")
	flags.StringVar(&o.Algorithm, "algorithm", "", "identities: gm, ecdsa or mixed (default gm)")
	flags.StringVar(&o.Hash, "hash", "", "hash of the channel's blocks: SHA256 or SM3 (default SHA256)")
	flags.StringVar(&o.GMProtocol, "gm-protocol", "", "GM protocol: TLCP, or TLS13 for TLS 1.3 with GM suites (default TLCP)")
	flags.StringVar(&o.Suite, "suite", "", "the only TLCP suite, for example ECC_SM4_GCM_SM3 (default: any)")
	flags.BoolFunc("strict", "let nodes use approved algorithms only", func(text string) (err error) {
		if o.Strict, err = strconv.ParseBool(text); err != nil {
			return fmt.Errorf("STRICT=%s: write true or false", text)
		}
		return nil
	})
	flags.BoolFunc("mutual-tls", "demand client certificates everywhere", func(text string) (err error) {
		if o.MutualTLS, err = strconv.ParseBool(text); err != nil {
			return fmt.Errorf("MUTUAL_TLS=%s: write true or false", text)
		}
		return nil
	})
	flags.StringVar(&o.Keys, "keys", "", "where SM2 keys are: in files, or in a simulated device, sdf or pkcs11 (default in files)")
	flags.StringVar(&o.Consensus, "consensus", "", "consensus of the orderers: raft, or bft with UPSTREAM=3.1.1 (default raft)")
	flags.IntVar(&o.Orderers, "orderers", 0, "orderers (default 3, for bft 4)")
	flags.IntVar(&o.Orgs, "orgs", 0, "peer organisations (default 2)")
	flags.IntVar(&o.Peers, "peers", 0, "peers of each organisation (default 2)")
	flags.IntVar(&o.BasePort, "base-port", 0, "first port (default 7050)")
	flags.DurationVar(&o.BatchTimeout, "batch-timeout", 0, "longest wait for a block to fill (default 500ms)")
	flags.IntVar(&o.MaxMessages, "max-messages", 0, "most transactions in a block (default 500)")
	flags.StringVar(&o.LogSpec, "log", "", "logging specification of orderers and peers (default info)")
	flags.StringVar(&o.Bin, "bin", "", "directory of the binaries (default build/bin)")
	flags.StringVar(&o.CA, "ca", "", "directory of fabric-ca-server and fabric-ca-client: use a CA for each organisation instead of cryptogen")
	flags.BoolVar(&o.Docker, "docker", false, "run the nodes as containers of the images that make docker builds")
	if err := parseUp(flags, args); err != nil {
		return err
	}
	if err := checkProtection(os.Environ()); err != nil {
		return err
	}
	if _, err := network.Up(ctx, o, out); err != nil {
		return err
	}
	fmt.Fprintln(out)
	return status(ctx, dir, out)
}

// checkProtection refuses variables that are misspelt ones of make network's and say how connections are protected. Others are too short
// to be told from what else is in an environment; make itself checks those on its command line.
func checkProtection(environ []string) error {
	return settings.CheckVariables(environ, []string{"MUTUAL_TLS", "CLIENT_MODE"}, "")
}

// parseUp reads the flags of up. Fields that are not set have their defaults, so a zero that somebody wrote must not get through.
func parseUp(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard) // one error is clearer than that and all flags
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(os.Stderr)
		flags.Usage()
	}
	if err != nil {
		return fmt.Errorf("%w; network up -h lists what there is", err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("up takes no argument %q", flags.Arg(0))
	}
	flags.Visit(func(f *flag.Flag) {
		if value := f.Value.String(); value == "0" || value == "0s" {
			err = fmt.Errorf("%s=%s is too small", strings.ReplaceAll(strings.ToUpper(f.Name), "-", "_"), value)
		}
	})
	return err
}

func status(ctx context.Context, dir string, out io.Writer) error {
	n, err := network.Open(dir)
	if err != nil {
		return err
	}
	return n.WriteStatus(ctx, out)
}

func env(dir, org string, out io.Writer) error {
	n, err := network.Open(dir)
	if err != nil {
		return err
	}
	return n.WriteEnv(org, out)
}
