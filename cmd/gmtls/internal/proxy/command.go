// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/output"
)

// Command returns gmtls proxy.
func Command() *cobra.Command {
	var o Options
	var from, to string
	var format output.Format
	c := &cobra.Command{
		Use:   "proxy",
		Short: "bridge between TLCP, TLS 1.3 with GM suites, TLS and plain, for SDKs, monitors and browsers that lack one of them",
		Long: `Listens in one protocol and dials in another, forwards bytes both ways with half-close, and passes the
application protocol (ALPN) on. The server is always verified. With --client-ca, the
proxy dials the server only after it has verified the client. SIGHUP reloads the files. SIGTERM stops listening and
waits for open connections. The log goes to standard error.

For a Node or Java client of a TLCP gateway:
  gmtls proxy --listen 127.0.0.1:7051 --from tls --listen-tls-cert c.crt --listen-tls-key c.key \
    --to peer0.org1.example.com:7051 --to-mode tlcp --ca gm-ca.crt
For Prometheus and an operations port:
  gmtls proxy --listen 127.0.0.1:9443 --from plain --to peer0.org1.example.com:9443 --to-mode tlcp --ca gm-ca.crt \
    --cert s.crt --key s.key --enc-cert e.crt --enc-key e.key
For GmSSL clients with a certificate, whose dialect nodes do not speak:
  gmtls proxy --listen 0.0.0.0:7051 --from tlcp --listen-raw-transcript --listen-cert s.crt --listen-key s.key --listen-enc-cert e.crt \
    --listen-enc-key e.key --client-ca gm-ca.crt --to peer0.org1.example.com:7051 --to-mode tlcp --ca gm-ca.crt \
    --cert s.crt --key s.key --enc-cert e.crt --enc-key e.key
For browsers and stacks with the GM suites of TLS 1.3, and a node that speaks only TLCP:
  gmtls proxy --listen 127.0.0.1:9443 --from tls13-gm --listen-cert s.crt --listen-key s.key --listen-enc-cert e.crt --listen-enc-key e.key \
    --to peer0.org1.example.com:9443 --to-mode tlcp --ca gm-ca.crt

Exit codes: 0 stopped by a signal; 1 wrong usage, unreadable file, or the address is taken.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.From, o.ToMode = Mode(from), Mode(to)
			if err := format.Check(); err != nil {
				return err
			}
			if err := o.checkFlags(c.Flags()); err != nil {
				return err
			}
			p, err := New(o, format.Logger(c.ErrOrStderr()))
			if err != nil {
				return err
			}
			return p.Run(c.Context())
		},
	}
	o.Server.Prefix = "listen-"
	f := c.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "address to listen on")
	f.StringVar(&from, "from", "tls", "protocol of the clients: tls, tlcp, tls13-gm for TLS 1.3 with GM suites, or plain")
	f.StringVar(&o.To, "to", "", "HOST:PORT of the server")
	f.StringVar(&to, "to-mode", "tlcp", "protocol of the server: tlcp, tls13-gm, tls or plain")
	f.StringVar(&o.Server.TLSCert, "listen-tls-cert", "", "certificate for TLS clients, PEM")
	f.StringVar(&o.Server.TLSKey, "listen-tls-key", "", "key of --listen-tls-cert")
	f.StringVar(&o.Server.Cert, "listen-cert", "", "signing certificate for GM clients, PEM")
	f.StringVar(&o.Server.Key, "listen-key", "", "key of --listen-cert")
	f.StringVar(&o.Server.EncCert, "listen-enc-cert", "", "encryption certificate for TLCP clients, PEM")
	f.StringVar(&o.Server.EncKey, "listen-enc-key", "", "key of --listen-enc-cert")
	f.StringSliceVar(&o.Clients, "client-ca", nil, "file with roots of clients, which must then present a certificate; may be repeated")
	f.BoolVar(&o.ListenRawTranscript, "listen-raw-transcript", false, "TLCP clients sign the messages in CertificateVerify, not their hash (GmSSL from 3.2 on)")
	f.BoolVar(&o.Hybrid, "hybrid", false, "with tls13-gm: prefer the key exchange of SM2 and ML-KEM together (draft)")
	o.Client.Flags(f, "proxy")
	o.Dialect.Flags(f)
	f.StringSliceVar(&o.Roots, "ca", nil, "file with roots to verify the server by, PEM; may be repeated")
	f.StringVar(&o.Name, "name", "", "name of the server, for SNI and verification (default: the host of --to)")
	f.StringSliceVar(&o.ALPN, "alpn", nil, "application protocols, where one side is plain or with --client-ca (default there: the first that the client offers): h2 for gRPC")
	f.StringVar(&o.Metrics, "metrics", "", "address for /metrics and /healthz, in plain, for everyone who reaches it")
	f.BoolVar(&o.AllowPlain, "allow-plain", false, "with --from plain: permit --listen on an address that is not loopback")
	f.IntVar(&o.MaxConnections, "max-connections", 1024, "beyond it, the oldest whose handshake is not done makes room; if there is none, the new one is closed")
	f.DurationVar(&o.Timeout, "timeout", 10*time.Second, "for connecting and both handshakes")
	f.DurationVar(&o.Idle, "idle", time.Hour, "close a connection that is idle for this long")
	f.DurationVar(&o.Grace, "grace", 30*time.Second, "for open connections when the proxy stops")
	format.Flag(f)
	return c
}
