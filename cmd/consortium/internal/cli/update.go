// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hyperledger/fabric/cmd/consortium/internal/channel"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/safefile"
)

// updateCommand has a command for each kind of update. They share --block, --out and --json.
func updateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "update",
		Short: "write a change of a channel's configuration, unsigned",
		Long: `Reads the channel's latest config block, from "peer channel fetch config", and writes the transaction that changes it. It
first loads the new configuration as a node does, and refuses it with the reason if a node would refuse it. Then run
"peer channel signconfigtx -f FILE" as an administrator of each organisation that it names, and "peer channel update" as the last one.`,
	}
	for _, kind := range kinds() {
		c.AddCommand(kind.command())
	}
	c.AddCommand(showCommand())
	return c
}

func showCommand() *cobra.Command {
	var block, file string
	var asJSON bool
	c := &cobra.Command{
		Use: "show", Short: "say what an update changes and who signed it, before you sign or send it", Args: cobra.NoArgs,
		Long: `Reads an update that somebody else made, and the channel's latest config block, which you fetched yourself. It computes the new
configuration as an orderer does, and prints every difference, who signed the update so far, and whose signatures are missing. It fails
if nodes would refuse the new configuration.`,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := channel.Read(block)
			if err != nil {
				return err
			}
			u, err := config.Show(file)
			if u != nil {
				err = errors.Join(err, report(c.OutOrStdout(), u, file, asJSON))
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&block, "block", "", "the channel's latest config block")
	f.StringVar(&file, "file", "", "the update, signed or not")
	f.BoolVar(&asJSON, "json", false, "report in JSON")
	_ = c.MarkFlagRequired("block") // fails for unknown names only
	_ = c.MarkFlagRequired("file")
	return c
}

// kind is one kind of update.
type kind struct {
	name, short string
	required    []string
	flags       func(*pflag.FlagSet)
	change      func() channel.Change
}

func kinds() []kind {
	return []kind{
		addOrganization(), removeOrganization(), setMSP(), setRevocationLists(), setAnchors(), addOrderer(), replaceOrderer(), removeOrderer(), setBatch(), setPolicy(), setCapability(),
	}
}

func (k kind) command() *cobra.Command {
	var block, out string
	var asJSON bool
	c := &cobra.Command{
		Use: k.name, Short: k.short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := channel.Read(block)
			if err != nil {
				return err
			}
			u, err := config.Update(k.change())
			if err != nil {
				return err
			}
			if err := writeNew(out, u.Envelope, 0o644); err != nil {
				return err
			}
			return report(c.OutOrStdout(), u, out, asJSON)
		},
	}
	f := c.Flags()
	f.StringVar(&block, "block", "", "the channel's latest config block")
	f.StringVar(&out, "out", "", "file to write, which must not exist")
	f.BoolVar(&asJSON, "json", false, "report in JSON what was written")
	k.flags(f)
	for _, name := range append([]string{"block", "out"}, k.required...) {
		_ = c.MarkFlagRequired(name) // fails for unknown names only, which TestKinds would show
	}
	return c
}

// report says what an update changes and who has to sign it.
func report(w io.Writer, u *channel.Update, file string, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			File string `json:"file"`
			*channel.Update
		}{file, u})
	}
	lines := []string{fmt.Sprintf("%s: for channel %s, on its config block %d", file, u.Channel, u.Block)}
	for _, did := range u.Did {
		lines = append(lines, "  changes  "+did)
	}
	for _, a := range u.Sign {
		line := fmt.Sprintf("  to sign  %s: %s of %s", a.Policy, a.Rule, strings.Join(a.Of, ", "))
		if a.Need > 0 {
			line += fmt.Sprintf(" (%d of %d)", a.Need, len(a.Of))
		}
		lines = append(lines, line)
	}
	for _, signature := range u.Signatures {
		lines = append(lines, "  signed   "+signature)
	}
	for _, policy := range u.Missing {
		lines = append(lines, "  missing  signatures for "+policy)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, loglimit.Printable(line)); err != nil {
			return err
		}
	}
	return nil
}

// writeNew writes a file that is not there yet.
func writeNew(file string, data []byte, mode os.FileMode) error {
	err := safefile.Create(safefile.File{Name: file, Data: data, Mode: mode})
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: remove it, or name another", file)
	}
	return err
}

func addOrganization() kind {
	var o channel.Organization
	return kind{
		name: "add-organization", short: "let an organisation join", required: []string{"name", "msp-id", "msp"},
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&o.Name, "name", "", "its name in the configuration")
			f.StringVar(&o.MSPID, "msp-id", "", "the id of its MSP")
			f.StringVar(&o.MSPDir, "msp", "", "folder of its public MSP: cacerts, tlscacerts, config.yaml")
			f.BoolVar(&o.Ordering, "ordering", false, "it joins the ordering organisations; one that also has peers needs both updates")
			f.StringSliceVar(&o.Anchors, "anchor", nil, "HOST:PORT of its anchor peer; may be repeated")
			f.StringSliceVar(&o.Endpoints, "endpoint", nil, "with --ordering: HOST:PORT of its orderer; may be repeated")
		},
		change: func() channel.Change { return channel.AddOrganization(o) },
	}
}

func removeOrganization() kind {
	var name string
	var ordering bool
	return kind{
		name: "remove-organization", short: "take an organisation out", required: []string{"name"},
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&name, "name", "", "its name in the configuration")
			f.BoolVar(&ordering, "ordering", false, "remove it from the ordering organisations")
		},
		change: func() channel.Change { return channel.RemoveOrganization(name, ordering) },
	}
}

func setMSP() kind {
	var id, dir string
	return kind{
		name: "set-msp", short: "replace an organisation's MSP, for renewed or additional CAs", required: []string{"msp-id", "msp"},
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&id, "msp-id", "", "the id of its MSP")
			f.StringVar(&dir, "msp", "", "folder of its public MSP: cacerts, tlscacerts, config.yaml")
		},
		change: func() channel.Change { return channel.SetMSP(id, dir) },
	}
}

func setRevocationLists() kind {
	var id string
	var files []string
	return kind{
		name: "set-revocation-list", short: "give an organisation's MSP the latest revocation list of a CA", required: []string{"msp-id", "crl"},
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&id, "msp-id", "", "the id of its MSP")
			f.StringSliceVar(&files, "crl", nil, "file with a list, in PEM or DER; may be repeated. It replaces the same CA's earlier one")
		},
		change: func() channel.Change { return channel.SetRevocationLists(id, files) },
	}
}

func setAnchors() kind {
	var name string
	var anchors []string
	return kind{
		name: "set-anchors", short: "name an organisation's anchor peers", required: []string{"name", "anchor"},
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&name, "name", "", "the organisation's name in the configuration")
			f.StringSliceVar(&anchors, "anchor", nil, "HOST:PORT of its anchor peer; may be repeated")
		},
		change: func() channel.Change { return channel.SetAnchors(name, anchors) },
	}
}

func addOrderer() kind {
	var c channel.Consenter
	return kind{
		name: "add-orderer", short: "add a consenter and its address; one at a time", required: []string{"organization", "address", "certificate"},
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&c.Organization, "organization", "", "the ordering organisation that it belongs to")
			f.StringVar(&c.Endpoint, "endpoint", "", "HOST:PORT for peers and applications (default: --address)")
			f.Uint32Var(&c.ID, "id", 0, "of SmartBFT: a number that no consenter has had (default: one more than the highest)")
			consenterFlags(f, &c)
		},
		change: func() channel.Change { return channel.AddOrderer(c) },
	}
}

// consenterFlags name a consenter and what it is recognised by.
func consenterFlags(f *pflag.FlagSet, c *channel.Consenter) {
	f.StringVar(&c.Address, "address", "", "HOST:PORT by which other orderers reach it")
	f.StringVar(&c.Certificate, "certificate", "", "its TLS certificate: server-sign.crt for TLCP, or a file with both")
	f.StringVar(&c.Identity, "identity", "", "of SmartBFT: its enrolment certificate, that of msp/signcerts")
}

func replaceOrderer() kind {
	var c channel.Consenter
	return kind{
		name: "replace-orderer", short: "give a consenter its new certificates", required: []string{"address"},
		flags:  func(f *pflag.FlagSet) { consenterFlags(f, &c) },
		change: func() channel.Change { return channel.ReplaceOrderer(c) },
	}
}

func removeOrderer() kind {
	var address string
	return kind{
		name: "remove-orderer", short: "take a consenter and its address out; one at a time", required: []string{"address"},
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&address, "address", "", "HOST:PORT by which other orderers reach it")
		},
		change: func() channel.Change { return channel.RemoveOrderer(address) },
	}
}

func setBatch() kind {
	var b channel.Batch
	return kind{
		name: "set-batch", short: "change when blocks are cut",
		flags: func(f *pflag.FlagSet) {
			f.DurationVar(&b.Timeout, "timeout", 0, "longest wait of a transaction for others, 500ms (default: as it is)")
			f.Uint32Var(&b.MaxMessages, "max-messages", 0, "most transactions in a block (default: as it is)")
			f.Uint32Var(&b.PreferredMaxBytes, "preferred-max-bytes", 0, "a block is cut before it grows larger (default: as it is)")
			f.Uint32Var(&b.AbsoluteMaxBytes, "absolute-max-bytes", 0, "no transaction may be larger (default: as it is)")
		},
		change: func() channel.Change { return channel.SetBatch(b) },
	}
}

func setPolicy() kind {
	var name, rule string
	return kind{
		name: "set-policy", short: "set a policy", required: []string{"policy", "rule"},
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&name, "policy", "", "its full name, /Channel/Application/Endorsement")
			f.StringVar(&rule, "rule", "", `as in configtx.yaml: "MAJORITY Endorsement", or "OR('BankMSP.peer', 'PortMSP.peer')"`)
		},
		change: func() channel.Change { return channel.SetPolicy(name, rule) },
	}
}

func setCapability() kind {
	var group, name string
	var off bool
	return kind{
		name: "set-capability", short: "turn a capability on, such as GM_V1", required: []string{"capability"},
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&group, "group", "/Channel", "/Channel, /Channel/Orderer or /Channel/Application")
			f.StringVar(&name, "capability", "", "its name; a node that does not know it stops at the block that names it")
			f.BoolVar(&off, "off", false, "turn it off")
		},
		change: func() channel.Change { return channel.SetCapability(group, name, !off) },
	}
}
