// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
)

// Command returns gmtls capture.
func Command() *cobra.Command {
	var (
		output, iface string
		duration      time.Duration
	)
	c := &cobra.Command{
		Use:   "capture FILE | -i INTERFACE PORT",
		Short: "list TLCP and TLS handshakes in a pcap or pcapng file, or on an interface, and where they broke",
		Long: `Takes what tcpdump -w or Wireshark wrote, or with -i watches a TCP port on an interface of this machine for
--duration or until interrupted (Linux, with CAP_NET_RAW). Exit codes: 0 every handshake is complete; 1 wrong
usage or unreadable file; 5 some are not.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("--output is %q; it must be text or json", output)
			}
			r, err := source(c.Context(), args[0], iface, duration)
			if err != nil {
				return err
			}
			for _, conversation := range r.Conversations {
				if !conversation.Complete {
					r.ExitCode = exit.Findings
				}
			}
			if output == "json" {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				if err := e.Encode(r); err != nil {
					return err
				}
			} else {
				r.write(c.OutOrStdout())
			}
			return exit.Silently(r.ExitCode)
		},
	}
	c.Flags().StringVarP(&iface, "interface", "i", "", "watch this interface; the argument is the TCP port")
	c.Flags().DurationVar(&duration, "duration", 30*time.Second, "of watching an interface")
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

// source reads a file, or watches a port.
func source(ctx context.Context, arg, iface string, duration time.Duration) (*Report, error) {
	if iface != "" {
		port, err := strconv.ParseUint(arg, 10, 16)
		if err != nil || port == 0 {
			return nil, fmt.Errorf("%q is no TCP port", arg)
		}
		ctx, cancel := context.WithTimeout(ctx, duration)
		defer cancel()
		return watch(ctx, iface, layers.TCPPort(port))
	}
	f, err := os.Open(arg)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := Read(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", arg, err)
	}
	return r, nil
}

func (r *Report) write(w io.Writer) {
	complete := 0
	for _, c := range r.Conversations {
		fmt.Fprintf(w, "%s  %s -> %s  %s\n", c.Start.UTC().Format(time.RFC3339), c.Client, c.Server, c.Protocol)
		wire.Draw(w, c.Ladder, c.Broken)
		for _, f := range c.Findings {
			fmt.Fprintln(w, f)
		}
		fmt.Fprintln(w)
		if c.Complete {
			complete++
		}
	}
	fmt.Fprintf(w, "%d packets, %d handshakes, %d complete, %d other connections\n", r.Packets, len(r.Conversations), complete, r.Ignored)
}
