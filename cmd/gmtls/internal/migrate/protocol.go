// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/common/tlsstatus"
)

// GM protocols, as configuration and /tls name them, and as connections over them are counted.
var gmProtocols = map[string]string{"TLCP": tlsstatus.OverTLCP, "TLS13": tlsstatus.OverTLS13}

// otherProtocol is the one that a network leaves for the other.
func otherProtocol(to string) string {
	if to == "TLCP" {
		return "TLS13"
	}
	return "TLCP"
}

// protocolSteps take a network whose modes are dual or gm from one GM protocol to the other, without a restart. None of them is
// entered by any node before all have done those before it.
var protocolSteps = []struct {
	title   string
	missing func(f *facts, to string) []gap
}{
	{"listeners speak both protocols", notListening},
	{"dialers speak the new one", notDialing},
	{"listeners speak the new one alone", stillListening},
}

// inGM lists a node's roles that listen, or else dial, in a mode with GM protocols.
func (f *facts) inGM(listening bool) (roles []tlsstatus.Role) {
	for _, r := range f.Roles {
		if listening && r.InNetwork() && r.ServerMode.GM() || !listening && r.ClientMode == "gm" {
			roles = append(roles, r)
		}
	}
	return roles
}

func switchTo(f *facts, r tlsstatus.Role, key, value, format string, args ...any) gap {
	return f.gap(fmt.Sprintf(`PUT {"role":%q,%q:%s} to its /tls as one of its operators, and write it into its configuration`, r.Name, key, value), format, args...)
}

func notListening(f *facts, to string) (all []gap) {
	for _, r := range f.inGM(true) {
		switch {
		case len(r.GMProtocols) == 0:
			all = append(all, f.gap("replace its binary by one that knows GM protocols", "%s does not say which GM protocols it speaks", r.Name))
		case !slices.Contains(r.GMProtocols, to):
			all = append(all, switchTo(f, r, "gmProtocols", `["TLCP","TLS13"]`, "%s does not listen for %s", r.Name, to))
		}
	}
	return all
}

func notDialing(f *facts, to string) (all []gap) {
	for _, r := range f.inGM(false) {
		if r.GMClientProtocol != to {
			all = append(all, switchTo(f, r, "gmClientProtocol", fmt.Sprintf("%q", to), "%s does not dial %s", r.Name, to))
		}
	}
	return all
}

// stillListening names clients that are left over first: those would be cut off, applications among them.
func stillListening(f *facts, to string) (all []gap) {
	from := otherProtocol(to)
	for _, r := range f.inGM(true) {
		if !slices.Contains(r.GMProtocols, from) {
			continue
		}
		if n, _ := r.Over(gmProtocols[from]); n > 0 {
			all = append(all, f.gap("find the clients that still dial it, applications too, and switch them", "%s has %d connections over %s", r.Name, n, from))
			continue
		}
		all = append(all, switchTo(f, r, "gmProtocols", fmt.Sprintf("[%q]", to), "%s still listens for %s", r.Name, from))
	}
	return all
}

// switching is the result of gmtls migrate protocol.
type switching struct {
	To      string `json:"to"`
	Step    int    `json:"step"` // to be done now, from 1; 0: all are done
	Title   string `json:"title,omitempty"`
	Missing []gap  `json:"missing,omitempty"`
	Unknown []gap  `json:"unknown,omitempty"` // nodes that could not be asked
}

// switching finds the first step that some node has not done.
func (n *network) switching(to string) *switching {
	s := &switching{To: to, Unknown: n.unknown()}
	for i, step := range protocolSteps {
		s.Missing = n.each(func(f *facts) []gap {
			if missing := stock(f); len(missing) > 0 {
				return missing
			}
			return step.missing(f, to)
		})
		if len(s.Missing) > 0 || len(s.Unknown) > 0 {
			s.Step, s.Title = i+1, step.title
			return s
		}
	}
	return s
}

func (s *switching) write(w io.Writer) {
	if s.Step == 0 {
		fmt.Fprintf(w, "%s is the only GM protocol of all nodes of the inventory\n", s.To)
		return
	}
	fmt.Fprintf(w, "to %s, step %d of %d: %s\n", s.To, s.Step, len(protocolSteps), s.Title)
	for _, g := range append(s.Unknown, s.Missing...) {
		fmt.Fprintf(w, "  %s\n", g)
	}
}

func protocolCommand() *cobra.Command {
	var in input
	var to string
	c := &cobra.Command{
		Use:   "protocol --to TLS13|TLCP",
		Short: "say what comes next on the way from one GM protocol to the other",
		Long: `For nodes in mode dual or gm, from TLCP to TLS 1.3 with GM suites or back, while they run: first all listen
for both, then all dial the new one, then all leave the old one. Names what each node lacks for the step that is to be
done now, and the request to its /tls that does it. A node that does not answer holds the step back.

Exit codes: 0 the new protocol is the only one; 1 wrong usage or unreadable file; 5 something is left to do.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if gmProtocols[to] == "" {
				return fmt.Errorf("--to is %q; it must be TLS13 or TLCP", to)
			}
			_, n, err := in.load(c.Context())
			if err != nil {
				return err
			}
			s := n.switching(to)
			if err := in.format.Write(c.OutOrStdout(), s, s.write); err != nil {
				return err
			}
			return code(slices.Concat(s.Unknown, s.Missing))
		},
	}
	in.flags(c)
	c.Flags().StringVar(&to, "to", "", "the new protocol, TLS13 or TLCP")
	return c
}
