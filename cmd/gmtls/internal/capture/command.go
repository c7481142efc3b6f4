// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
)

// Command returns gmtls capture.
func Command() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "capture FILE",
		Short: "list the TLCP and TLS handshakes in a pcap or pcapng file, and where they broke",
		Long: `Takes what tcpdump -w or Wireshark wrote. Exit codes: 0 every handshake in it is complete; 1 wrong usage or
unreadable file; 5 some are not.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("--output is %q; it must be text or json", output)
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			r, err := Read(bufio.NewReader(f))
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
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
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
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
