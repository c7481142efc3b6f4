// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/output"
)

// input are the flags that the commands share.
type input struct {
	nodes, block string
	format       output.Format
	elsewhere    []string
	validFor     time.Duration
}

func (in *input) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&in.nodes, "nodes", "nodes.yaml", "the inventory: organisations, nodes and how to reach their operations services")
	f.StringVar(&in.block, "block", "", "the channel's latest config block, from peer channel fetch config")
	in.format.Flag(f)
}

// addCheckFlags adds the flags of commands that refuse.
func (in *input) addCheckFlags(c *cobra.Command) {
	c.Flags().StringSliceVar(&in.elsewhere, "elsewhere", nil, "MSP ids of organisations whose operators have checked their nodes; may be repeated")
	c.Flags().DurationVar(&in.validFor, "valid-for", 30*24*time.Hour, "how long certificates must still be valid")
}

// load reads the files and asks the nodes.
func (in *input) load(ctx context.Context) (*inventory, *network, error) {
	if err := in.format.Check(); err != nil {
		return nil, nil, err
	}
	inv, err := loadInventory(in.nodes)
	if err != nil {
		return nil, nil, err
	}
	var ch *channel
	if in.block != "" {
		if ch, err = loadChannel(in.block); err != nil {
			return nil, nil, err
		}
	}
	n, err := newNetwork(gather(ctx, inv), ch)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", in.block, err)
	}
	return inv, n, nil
}

// Command returns gmtls migrate.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "migrate",
		Short: "take a network from TLS and ECDSA to TLCP and SM2 in stages, and from TLCP to TLS 1.3 and back",
		Long: `Reads an inventory of nodes (docs/migration.md describes nodes.yaml), asks their operations services, and
reads the channel's config block. It changes nothing in any node or channel.`,
	}
	c.AddCommand(planCommand(), checkCommand(), updateCommand(), protocolCommand())
	return c
}

func planCommand() *cobra.Command {
	var in input
	c := &cobra.Command{
		Use:   "plan",
		Short: "say in which stage each node and organisation is, and what comes next",
		Long: `Without --block nothing is known of the stages that are done in the channel.

Exit codes: 0 all nodes answered; 1 wrong usage or unreadable file; 2 a node could not be asked.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, n, err := in.load(c.Context())
			if err != nil {
				return err
			}
			p := n.plan()
			if err := in.format.Write(c.OutOrStdout(), p, p.write); err != nil {
				return err
			}
			if len(p.Unknown) > 0 {
				return exit.Silently(exit.Connect)
			}
			return nil
		},
	}
	in.flags(c)
	return c
}

func checkCommand() *cobra.Command {
	var in input
	var q question
	c := &cobra.Command{
		Use:   "check --stage N",
		Short: "say whether a stage can be entered, and what prevents it",
		Long: `Names each node and organisation that holds the stage back, with the reason and the remedy. A node that does
not answer holds it back. From stage 2 on --block is needed, and every organisation of the channel must be in
the inventory or under --elsewhere.

Exit codes: 0 the stage can be entered; 1 wrong usage or unreadable file; 5 it cannot.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if q.stage < stageBinaries || q.stage > stageIdentities {
				return fmt.Errorf("--stage must be from %d to %d", stageBinaries, stageIdentities)
			}
			inv, n, err := in.load(c.Context())
			if err != nil {
				return err
			}
			if q.node != "" && n.find(q.node) == nil {
				return fmt.Errorf("the inventory has no node %s", q.node)
			}
			q.elsewhere, q.validFor, q.now = in.elsewhere, in.validFor, time.Now()
			v := n.verdict(q, inv)
			if err := in.format.Write(c.OutOrStdout(), v, v.write); err != nil {
				return err
			}
			return code(v.Refusals)
		},
	}
	in.flags(c)
	in.addCheckFlags(c)
	c.Flags().IntVar(&q.stage, "stage", -1, "the stage, 0 to 5")
	c.Flags().StringVar(&q.node, "node", "", "the node that is about to enter it (default: any)")
	return c
}

func updateCommand() *cobra.Command {
	var in input
	var u updater
	var recent []string
	c := &cobra.Command{
		Use:   "update KIND",
		Short: "write channel configuration updates, unsigned",
		Long: `Checks as "check" does, then writes into --out what peer channel signconfigtx and peer channel update take.
KIND is one of

  add-gm-tls-roots             stage 2: SM2 TLS roots join the organisations' MSPs
  consenters-both              stage 3: the next consenter gets its SM2 certificate in addition to the TLS one
  add-gm-identity-roots        from stage 2 on: SM2 roots for identities join the MSPs
  consenters-gm                stage 5: the next consenter keeps only the SM2 certificate
  remove-ecdsa-identity-roots  stage 5: with --recent, blocks that show that they are out of use
  remove-ecdsa-tls-roots       stage 5
  consenters-tls, remove-gm-tls-roots, remove-gm-identity-roots (with --recent)   the way back

Consenters are changed one in each block, the leader last. Run it again with the new config block until nothing is left.

Exit codes: 0 files were written, or nothing is left to do; 1 wrong usage or unreadable file; 5 something prevents
it, and nothing was written.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if u.kind = args[0]; !slices.Contains(kinds, u.kind) {
				return fmt.Errorf("there is no update %q; use one of %s", u.kind, strings.Join(kinds, ", "))
			}
			if in.block == "" {
				return errors.New("--block is missing: an update is made from the channel's latest config block")
			}
			var err error
			if u.inv, u.net, err = in.load(c.Context()); err != nil {
				return err
			}
			if u.signers, u.passed, err = signersOf(recent, u.net.channel); err != nil {
				return err
			}
			u.q = question{elsewhere: in.elsewhere, validFor: in.validFor, now: time.Now()}
			o, err := u.run(c.Context())
			if err != nil {
				return err
			}
			if err := in.format.Write(c.OutOrStdout(), o, o.write); err != nil {
				return err
			}
			return code(o.Refusals)
		},
	}
	in.flags(c)
	in.addCheckFlags(c)
	c.Flags().StringSliceVar(&u.orgs, "org", nil, "MSP ids of organisations to write for (default: all of the inventory); may be repeated")
	c.Flags().StringVar(&u.out, "out", ".", "folder for the files, created if missing")
	c.Flags().StringSliceVar(&recent, "recent", nil, "recent blocks, from peer channel fetch NUMBER, without --orderer; may be repeated")
	return c
}
