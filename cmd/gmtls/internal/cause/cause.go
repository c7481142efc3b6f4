// SPDX-License-Identifier: Apache-2.0

// Package cause has the table of what goes wrong with TLCP and TLS endpoints, why, and what to do.
//
// A [Cause] is one row of [Table]. A command that recognises a cause returns a [Finding] made by [Find], or by [Warn] if the connection works
// all the same. docs/troubleshooting.md is generated from the table, so the tool and the document say the same.
package cause

//go:generate go test . -run Document -update

import (
	"fmt"
	"slices"
	"strings"
)

// ID names a cause. It appears in the output and is stable, for scripts.
type ID string

// Cause is one row of the table.
type Cause struct {
	ID      ID
	Symptom string // what the operator sees
	Cause   string // what is behind it
	Remedy  string // what to do
	Command string // the command that shows or proves it
}

// Finding is a cause that was found, with the details of where.
type Finding struct {
	Cause  ID     `json:"cause"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy"`
	why    string // what is behind it
	// Warning is set if things work in spite of it.
	Warning bool `json:"warning,omitempty"`
}

// Find returns a finding of the cause; the detail is formatted, to one line.
func Find(id ID, format string, args ...any) Finding {
	detail := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	row := Lookup(id)
	return Finding{Cause: id, Detail: detail, Remedy: row.Remedy, why: row.Cause}
}

// Warn returns a finding that is a warning only.
func Warn(id ID, format string, args ...any) Finding {
	f := Find(id, format, args...)
	f.Warning = true
	return f
}

// Lookup returns the row of the table. An ID that is not in it is a mistake in
// the tool.
func Lookup(id ID) Cause {
	for _, c := range Table {
		if c.ID == id {
			return c
		}
	}
	panic("cause: no row " + string(id))
}

// For returns the finding as it is on a connection of the protocol.
func (f Finding) For(protocol string) Finding {
	for _, other := range Elsewhere {
		if other.ID == f.Cause && slices.Contains(other.Protocols, protocol) {
			f.why, f.Remedy = other.Cause, other.Remedy
		}
	}
	return f
}

// Failed reports whether any of the findings is more than a warning.
func Failed(findings []Finding) bool {
	for _, f := range findings {
		if !f.Warning {
			return true
		}
	}
	return false
}

// String returns the finding in lines: what was found, then cause and remedy.
func (f Finding) String() string {
	mark := "PROBLEM"
	if f.Warning {
		mark = "WARNING"
	}
	return fmt.Sprintf("%s %s: %s\n  cause:  %s\n  remedy: %s", mark, f.Cause, f.Detail, f.why, f.Remedy)
}

// Document renders docs/troubleshooting.md.
func Document() string {
	var b strings.Builder
	b.WriteString(documentHead)
	b.WriteString("| Symptom | Cause | Remedy | Command |\n|---|---|---|---|\n")
	for _, c := range Table {
		fmt.Fprintf(&b, "| **%s**: %s | %s | %s | `%s` |\n",
			c.ID, cell(c.Symptom), cell(c.Cause), cell(c.Remedy), cell(c.Command))
	}
	b.WriteString(documentElsewhere)
	for _, c := range Elsewhere {
		fmt.Fprintf(&b, "| **%s** | %s | %s | %s |\n", c.ID, strings.Join(c.Protocols, ", "), cell(c.Cause), cell(c.Remedy))
	}
	b.WriteString("\n## Alerts\n\nThis table gives the meaning of alerts from the other end. TLCP and TLS use the same numbers.\n\n")
	b.WriteString("| Number | Name | Meaning |\n|---|---|---|\n")
	for _, a := range Alerts {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", a.Number, a.Name, cell(a.Meaning))
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

const documentHead = `# Troubleshooting TLCP and TLS

[中文](troubleshooting.zh-CN.md). This page is made by ` + "`go generate ./cmd/gmtls/internal/cause`" + ` from the table that ` + "`gmtls`" + ` uses for its explanations.
` + "`gmtls`" + ` prints the names in bold; with ` + "`-o json`" + ` they are in the field ` + "`cause`" + `.

Start with ` + "`gmtls probe HOST:PORT --ca ca.crt`" + ` for a running endpoint, and with ` + "`gmtls inspect FILE...`" + ` or
` + "`gmtls inspect --msp DIR`" + ` for files. ` + "`gmtls capture FILE.pcap`" + ` or ` + "`gmtls capture -i INTERFACE PORT`" + ` shows what
happens between two others. With ` + "`--keylog FILE`" + `, for example of ` + "`gmtls probe --keylog`" + `, it decrypts TLCP and TLS 1.3 with GM suites.
The page [certificates, keys and lists](files.md) explains what nodes say about files that they refuse.

Exit codes: 0 nothing wrong, 1 wrong usage or unreadable input, 2 not reached, 3 no handshake succeeded, 4 certificates do
not hold, 5 unhealthy node, findings in files, or broken handshakes in a capture, 130 ended by a signal.

## From symptom to command

`

const documentElsewhere = `
## Other protocols

Some of these have another cause and remedy in TLS, or in TLS 1.3 with GM suites (TLS13-GM).

| Name | Protocol | Cause | Remedy |
|---|---|---|---|
`
