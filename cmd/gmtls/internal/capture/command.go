// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/output"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
)

// Command returns gmtls capture.
func Command() *cobra.Command {
	var (
		in     input
		format output.Format
	)
	c := &cobra.Command{
		Use:   "capture FILE | -i INTERFACE PORT",
		Short: "list TLCP and TLS handshakes in a pcap or pcapng file, or on an interface, and where they broke",
		Long: `Takes what tcpdump -w or Wireshark wrote, or with -i watches a TCP port on an interface of this machine for
--duration or until interrupted (Linux, with CAP_NET_RAW).

With a key log file, for example of gmtls probe --keylog, TLCP and TLS 1.3 with GM suites are decrypted: the ladder names
what was encrypted and shows the records of application data, with --payload their beginnings too. TLS with other suites is
not decrypted; Wireshark does that with the same file. A key log reveals the data, so protect the file and the output as you protect the data.

Exit codes: 0 every handshake is complete; 1 wrong usage or unreadable file; 5 some are not.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := format.Check(); err != nil {
				return err
			}
			r, err := in.read(c.Context(), args[0])
			if err != nil {
				return err
			}
			for _, conversation := range r.Conversations {
				if !conversation.Complete || conversation.Missing {
					r.ExitCode = exit.Findings
				}
			}
			if err := format.Write(c.OutOrStdout(), r, r.write); err != nil {
				return err
			}
			return exit.Watched(r.ExitCode)
		},
	}
	f := c.Flags()
	f.StringVarP(&in.iface, "interface", "i", "", "watch this interface; the argument is the TCP port")
	f.DurationVar(&in.duration, "duration", 30*time.Second, "how long to watch an interface")
	f.StringVar(&in.keyLog, "keylog", "", "decrypt TLCP and TLS 1.3 with GM suites by the secrets in this file (NSS key log format)")
	f.IntVar(&in.payload, "payload", 0, "with --keylog, show this many bytes of each record of application data")
	format.Flag(f)
	return c
}

// input says where packets come from and how they are read.
type input struct {
	iface    string
	duration time.Duration
	keyLog   string
	payload  int
}

// read reads a file, or watches a port.
func (in *input) read(ctx context.Context, arg string) (*Report, error) {
	o := Options{Payload: in.payload}
	switch {
	case in.payload < 0:
		return nil, errors.New("--payload must not be negative")
	case in.payload > 0 && in.keyLog == "":
		return nil, errors.New("--payload needs --keylog: without secrets nothing is decrypted")
	case in.duration <= 0:
		return nil, errors.New("--duration must be positive")
	}
	if in.keyLog != "" {
		f, err := os.Open(in.keyLog)
		if errors.Is(err, os.ErrNotExist) && in.iface != "" {
			return nil, fmt.Errorf("opening the key log: %w; make an empty one for a program that starts later", err)
		}
		if err != nil {
			return nil, fmt.Errorf("opening the key log: %w", err)
		}
		defer f.Close()
		if o.Keys, err = wire.NewKeyLog(in.keyLog, f); err != nil {
			return nil, err
		}
	}
	if in.iface != "" {
		port, err := strconv.ParseUint(arg, 10, 16)
		if err != nil || port == 0 {
			return nil, fmt.Errorf("%q is not a TCP port", arg)
		}
		o.Port = layers.TCPPort(port)
		ctx, cancel := context.WithTimeout(ctx, in.duration)
		defer cancel()
		return watch(ctx, in.iface, o)
	}
	f, err := os.Open(arg)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := Read(bufio.NewReader(f), o)
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
		if c.Hidden > 0 {
			fmt.Fprintf(w, "  %d further records and messages\n", c.Hidden)
		}
		if c.Data != [2]int{} {
			fmt.Fprintf(w, "  application data: %d B from the client, %d B from the server\n", c.Data[0], c.Data[1])
		}
		if c.Decryption != "" {
			fmt.Fprintf(w, "  decrypted: %s\n", c.Decryption)
		}
		for _, f := range c.Findings {
			fmt.Fprintln(w, f)
		}
		fmt.Fprintln(w)
		if c.Complete {
			complete++
		}
	}
	fmt.Fprintf(w, "%d packets, %d handshakes, %d complete, %d other connections\n", r.Packets, len(r.Conversations), complete, r.Ignored)
	if r.Packets > 0 && len(r.Conversations) == 0 && r.Ignored == 0 {
		fmt.Fprintf(w, "there is no TCP connection in it; its packets are of link type %s\n", r.Link)
	}
	if r.Truncated {
		fmt.Fprintln(w, "the file ends within a packet: it was cut, or is still being written")
	}
	if r.Dropped > 0 {
		fmt.Fprintf(w, "%d packets came too fast and are missing; tcpdump -w loses fewer\n", r.Dropped)
	}
}
