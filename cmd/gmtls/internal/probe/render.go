// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
)

// outcome says in a few words how an attempt ended.
func (a *Attempt) outcome() string {
	switch {
	case a.OK:
		parts := []string{a.Version, a.Suite}
		if a.Group != "" {
			parts = slices.Insert(parts, 1, a.Group)
		}
		if a.ALPN != "" {
			parts = append(parts, "ALPN "+a.ALPN)
		}
		return strings.Join(parts, ", ")
	case len(a.Findings) > 0:
		return string(a.Findings[0].Cause) + ", " + a.Findings[0].Detail
	}
	return a.Broken
}

// summarise makes the line that ends the part of a protocol.
func (r *Protocol) summarise() string {
	if !r.Main.OK {
		return r.Name + ": FAILED, " + r.causes()
	}
	parts := []string{r.Name + ": ok", r.Main.outcome()}
	switch {
	case r.Main.Requested && r.refusedWithout():
		parts = append(parts, "demands a client certificate")
	case r.Main.Requested:
		parts = append(parts, "asks for a client certificate")
	}
	if r.Resumption != "" {
		parts = append(parts, "resumption "+r.Resumption)
	}
	switch r.Verified {
	case "yes":
		parts = append(parts, "certificates verified")
	case "no":
		parts = append(parts, "certificates do NOT hold: "+r.causes())
	default:
		parts = append(parts, "certificates not verified (no --ca)")
	}
	return strings.Join(parts, "; ")
}

func (r *Protocol) refusedWithout() bool {
	for _, v := range r.Variants {
		if v.Name == "without client certificate" {
			return !v.OK
		}
	}
	return false
}

func (r *Protocol) causes() string {
	var ids []string
	for _, f := range r.Findings {
		if !f.Warning && !strings.Contains(strings.Join(ids, ", "), string(f.Cause)) {
			ids = append(ids, string(f.Cause))
		}
	}
	return strings.Join(ids, ", ")
}

// Write prints the report for people.
func (r *Report) Write(w io.Writer) {
	fmt.Fprintf(w, "%s\n", r.Target)
	if len(r.Resolved) > 0 {
		fmt.Fprintf(w, "  resolved to %s in %s\n", strings.Join(r.Resolved, ", "), wire.Milliseconds(r.Resolving))
	}
	if r.Address != "" {
		fmt.Fprintf(w, "  connected to %s in %s\n", r.Address, wire.Milliseconds(r.Connect))
	}
	for _, f := range r.Findings {
		fmt.Fprintln(w, f)
	}
	for _, p := range r.Protocols {
		p.write(w)
	}
	if r.Fabric != nil {
		r.Fabric.write(w)
	}
	if len(r.Protocols) > 0 {
		fmt.Fprintln(w)
	}
	for _, p := range r.Protocols {
		fmt.Fprintln(w, p.Summary)
	}
	if r.Fabric != nil {
		fmt.Fprintln(w, r.Fabric.Summary)
	}
}

func (r *Protocol) write(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n", r.Name)
	wire.Draw(w, r.Main.Ladder, r.Main.Broken)
	if r.Main.OK {
		fmt.Fprintf(w, "  done in %s: %s\n", wire.Milliseconds(r.Main.Took), r.Main.outcome())
	}
	for i, c := range r.Certificates {
		role := "certificate"
		switch {
		case r.Name == protocolTLCP && i == 0:
			role = "signing certificate"
		case r.Name == protocolTLCP && i == 1:
			role = "encryption certificate"
		case i > 0:
			role = "intermediate"
		}
		fmt.Fprintf(w, "  %s\n%s", role, c.Lines("    "))
	}
	if len(r.Chain) > 0 {
		fmt.Fprintf(w, "  chain\n    %s\n", strings.Join(r.Chain, "\n    of "))
	}
	if r.Main.Requested {
		fmt.Fprintln(w, "  the server asks for a client certificate")
		for i, name := range r.Authorities {
			if i == maxAuthorities {
				fmt.Fprintf(w, "    and of %d more\n", len(r.Authorities)-i)
				break
			}
			fmt.Fprintf(w, "    of %s\n", name)
		}
	}
	for _, v := range r.Variants {
		mark := "no "
		if v.OK {
			mark = "yes"
		}
		fmt.Fprintf(w, "  %s  %-28s %s\n", mark, v.Name, v.Result)
	}
	if r.Resumption != "" {
		fmt.Fprintf(w, "  %-3s  resumption\n", r.Resumption)
	}
	for _, f := range r.Findings {
		fmt.Fprintln(w, f)
	}
}
