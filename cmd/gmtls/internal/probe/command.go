// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/output"
)

// Command returns gmtls probe.
func Command() *cobra.Command {
	var (
		o                Options
		cas              []string
		protocol, keyLog string
		format           output.Format
		watch            time.Duration
	)
	c := &cobra.Command{
		Use:   "probe HOST:PORT",
		Short: "connect to an endpoint, show the handshake, and say what is wrong and what to do",
		Long: `Resolves, connects, and tries TLCP (each suite), TLS 1.3 with GM suites (each suite and group) and TLS
(each version), with and without a client certificate, ALPN and SNI. Draws the handshakes, checks certificates
and names, and explains failures.

Exit codes: 0 works; 1 wrong usage or unreadable file; 2 not reached; 3 no handshake succeeded;
4 certificates do not hold; 5 unhealthy (--fabric). One protocol that works is enough for 0.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.Target = args[0]
			if err := material.RefuseEmpty(c.Flags()); err != nil { // without roots, no chain would be checked
				return err
			}
			if err := o.check(protocol, format, watch); err != nil {
				return err
			}
			var err error
			if o.Roots, err = material.LoadRoots(cas); err != nil {
				return err
			}
			if keyLog != "" {
				f, err := material.CreateKeyLog(keyLog)
				if err != nil {
					return err
				}
				defer f.Close()
				o.KeyLog = f
			}
			if watch > 0 {
				return repeat(c.Context(), o, watch, format, c.OutOrStdout())
			}
			r, err := Run(c.Context(), o)
			if err != nil {
				return err
			}
			if err := format.Write(c.OutOrStdout(), r, r.Write); err != nil {
				return err
			}
			return exit.Silently(r.ExitCode)
		},
	}
	flags := c.Flags()
	o.Own.Flags(flags, "client")
	o.Dialect.Flags(flags)
	flags.StringSliceVar(&cas, "ca", nil, "file with roots to verify the server by, PEM; may be repeated")
	flags.StringVar(&o.Name, "name", "", "name to send as SNI and to look for in the certificates (default: the host)")
	flags.StringSliceVar(&o.ALPN, "alpn", []string{"h2"}, "application protocols to offer; empty for none")
	flags.StringVar(&protocol, "protocol", "all", "tlcp, tls13-gm for TLS 1.3 with GM suites, tls, or all")
	flags.DurationVar(&o.Timeout, "timeout", 5*time.Second, "for each connection and handshake")
	flags.BoolVar(&o.Quick, "quick", false, "one handshake for each protocol, no variants")
	flags.BoolVar(&o.Fabric, "fabric", false, "ask for health, and find out which port of which node it is")
	flags.DurationVar(&watch, "watch", 0, "repeat at this interval, a line for each, until interrupted")
	flags.StringVar(&keyLog, "keylog", "", "append the secrets of the probe's connections to this file, to decrypt a capture")
	format.Flag(flags)
	return c
}

// check completes the options.
func (o *Options) check(protocol string, format output.Format, watch time.Duration) error {
	host, port, err := net.SplitHostPort(o.Target)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not HOST:PORT", o.Target)
	case host == "" || port == "":
		return fmt.Errorf("%q lacks the host or the port", o.Target)
	case o.Timeout <= 0:
		return errors.New("--timeout must be positive")
	case watch < 0:
		return errors.New("--watch must not be negative")
	}
	if err := format.Check(); err != nil {
		return err
	}
	if protocol != "all" { // there each dialect counts for its own protocol
		if err := o.Dialect.Check(material.Version(protocol), "--protocol "+protocol); err != nil {
			return err
		}
	}
	switch protocol {
	case "all":
		o.Protocols = everyProtocol
	case material.TLCP:
		o.Protocols = []string{protocolTLCP}
	case material.TLS13:
		o.Protocols = []string{protocolTLS13}
	case material.TLS:
		o.Protocols = []string{protocolTLS}
	default:
		return fmt.Errorf("--protocol is %q; it must be tlcp, %s, tls or all", protocol, material.TLS13)
	}
	return nil
}

// repeat probes until the context ends, then returns what the last probe said
// that was not cut short by that.
func repeat(ctx context.Context, o Options, interval time.Duration, format output.Format, w io.Writer) error {
	o.Quick = true
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	code := exit.OK
	for {
		r, err := Run(ctx, o)
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return exit.Watched(code)
		case format == output.JSON:
			err = json.NewEncoder(w).Encode(r)
		default:
			_, err = io.WriteString(w, r.line())
		}
		if err != nil {
			return err
		}
		code = r.ExitCode
		select {
		case <-ctx.Done():
			return exit.Watched(code)
		case <-ticker.C:
		}
	}
}

// line is the report in one line.
func (r *Report) line() string {
	line := r.Time.Format(time.RFC3339)
	for _, f := range r.Findings {
		line += "  " + string(f.Cause) + ": " + f.Detail
	}
	for _, p := range r.Protocols {
		line += "  " + p.Summary
	}
	if r.Fabric != nil {
		line += "  " + r.Fabric.Summary
	}
	return line + "\n"
}
