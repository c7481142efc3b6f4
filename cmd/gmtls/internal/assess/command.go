// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/output"
	"github.com/hyperledger/fabric/common/loglimit"
)

// line is a clause with its result.
type line struct {
	Clause   string    `json:"clause"`
	Asks     string    `json:"asks"`
	State    State     `json:"state"`
	Findings []finding `json:"findings"`
}

// Report is the result of an assessment.
type Report struct {
	Lines []line        `json:"clauses"`
	Count map[State]int `json:"count"`
}

// Judge checks every clause against the evidence. A clause has the worst state of its checks.
func (e *Evidence) Judge() *Report {
	r := &Report{Count: map[State]int{}}
	for _, c := range clauses {
		l := line{Clause: c.ID(), Asks: c.Asks, State: Met}
		for _, check := range c.checks {
			f := check(e)
			l.Findings = append(l.Findings, f)
			if worse(f.State, l.State) {
				l.State = f.State
			}
		}
		r.Lines = append(r.Lines, l)
		r.Count[l.State]++
	}
	return r
}

func worse(a, b State) bool {
	order := map[State]int{Met: 0, Organisational: 1, Open: 2, NotShown: 3, NotMet: 4}
	return order[a] > order[b]
}

func (r *Report) write(w io.Writer) {
	for _, l := range r.Lines {
		fmt.Fprintf(w, "%-14s  %s: %s\n", l.State, l.Clause, l.Asks)
		for _, f := range l.Findings {
			fmt.Fprintf(w, "%-16s%s\n", "", loglimit.Printable(f.Detail))
			if f.Remedy != "" {
				fmt.Fprintf(w, "%-16sremedy: %s\n", "", loglimit.Printable(f.Remedy))
			}
		}
	}
	fmt.Fprintf(w, "\n%d clauses met, %d not met, %d not shown, %d open, %d organisational\n",
		r.Count[Met], r.Count[NotMet], r.Count[NotShown], r.Count[Open], r.Count[Organisational])
}

// Command returns gmtls assess.
func Command() *cobra.Command {
	var sources Sources
	format := output.Text
	c := &cobra.Command{
		Use:   "assess",
		Short: "report clause by clause how a network meets the standards for cryptographic applications",
		Long: `Asks the nodes of an inventory (docs/migration.md describes nodes.yaml) for their page /tls, and reads config blocks, the
folders of nodes' configurations, and where ledgers are stored. It prints each clause of docs/compliance.md as met, not met, not shown,
open or organisational, with evidence and remedy. It changes nothing.

Exit codes: 0 no clause is "not met" or "not shown"; 1 wrong usage or unreadable file; 5 one is.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := format.Check(); err != nil {
				return err
			}
			evidence, err := Gather(c.Context(), sources)
			if err != nil {
				return err
			}
			report := evidence.Judge()
			if err := format.Write(c.OutOrStdout(), report, report.write); err != nil {
				return err
			}
			if report.Count[NotMet]+report.Count[NotShown] > 0 {
				return exit.Silently(exit.Findings)
			}
			return nil
		},
	}
	c.Flags().StringVar(&sources.Inventory, "inventory", "", "nodes.yaml, as for gmtls migrate")
	c.Flags().StringArrayVar(&sources.Blocks, "block", nil, "the latest config block of a channel; may be repeated")
	c.Flags().StringArrayVar(&sources.Nodes, "node", nil, "a folder with core.yaml or orderer.yaml; may be repeated")
	c.Flags().StringArrayVar(&sources.Ledgers, "ledger", nil, "a folder on this machine in which a ledger is stored; may be repeated")
	format.Flag(c.Flags())
	return c
}
