// SPDX-License-Identifier: Apache-2.0

// Package capture finds TLCP and TLS handshakes in files of captured packets. [Read] takes a capture and returns a [Report] with one
// [Conversation] for each connection: its handshake, how it ended, and with a key log the decrypted messages. It implements gmtls capture.
package capture

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/gopacket/gopacket/tcpassembly"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
)

// Limits on what is kept of a file.
const (
	maxConversations = 10_000
	pagesPerStream   = 64
	pagesInAll       = 16_384
)

// Conversation is one TCP connection that began with a ClientHello.
type Conversation struct {
	Client   string          `json:"client"`
	Server   string          `json:"server"`
	Start    time.Time       `json:"start"`
	Protocol string          `json:"protocol"`
	Complete bool            `json:"complete"` // the handshake
	Ladder   []wire.Step     `json:"ladder"`
	Broken   string          `json:"broken,omitempty"`
	Findings []cause.Finding `json:"findings,omitempty"`
	// Data counts bytes of application data of the client and of the server: of
	// what was decrypted, otherwise as they crossed, with what protects them.
	Data       [2]int `json:"data_bytes"`
	Missing    bool   `json:"packets_missing,omitempty"` // data is counted up to the gap
	Hidden     int    `json:"hidden_records,omitempty"`  // and messages: too many for the ladder
	Decryption string `json:"decryption,omitempty"`      // how far the key log went; empty without one

	parser *wire.Parser
	client string // the end that sent first
	hello  []byte // its first bytes, until they tell whether it is a ClientHello
	state  int
	gap    bool    // bytes are missing in the capture
	ended  [2]bool // by FIN or RST, of the client and of the server
}

const (
	undecided = iota
	followed
	ignored
)

// Report is what a file holds.
type Report struct {
	Packets       int             `json:"packets"`
	Link          string          `json:"link_type"`
	Truncated     bool            `json:"truncated,omitempty"`       // the file ends within a packet
	Dropped       int             `json:"dropped_packets,omitempty"` // which were too fast for watching
	Conversations []*Conversation `json:"conversations"`
	Ignored       int             `json:"other_connections"`
	ExitCode      int             `json:"exit_code"`
}

// Options say what to read of a capture.
type Options struct {
	Port    layers.TCPPort // other ports are left out; 0: all are read
	Keys    *wire.KeyLog   // decrypt what is of GM; nil: nothing is decrypted
	Payload int            // bytes that are shown of each decrypted record of application data
}

// table assembles the streams of all conversations. It is for one goroutine.
type table struct {
	options Options
	byKey   map[string]*Conversation
	order   []*Conversation
	full    bool
}

// half is one direction of a conversation.
type half struct {
	c    *Conversation
	from string
}

// New is called for each direction of a connection.
func (t *table) New(network, transport gopacket.Flow) tcpassembly.Stream {
	from := net.JoinHostPort(network.Src().String(), transport.Src().String())
	to := net.JoinHostPort(network.Dst().String(), transport.Dst().String())
	key := from + ">" + to
	if c := t.byKey[to+">"+from]; c != nil {
		delete(t.byKey, to+">"+from) // the ports may come again
		return &half{c, from}
	}
	if len(t.order) >= maxConversations {
		t.full = true
		return &half{&Conversation{state: ignored}, from}
	}
	c := &Conversation{Client: from, Server: to, parser: &wire.Parser{Keys: t.options.Keys, Payload: t.options.Payload}}
	t.byKey[key] = c
	t.order = append(t.order, c)
	return &half{c, from}
}

// Reassembled takes bytes in their order.
func (h *half) Reassembled(parts []tcpassembly.Reassembly) {
	for _, p := range parts {
		h.c.feed(h.from, p)
	}
}

// ReassemblyComplete is called after the last bytes.
func (h *half) ReassemblyComplete() {}

func (c *Conversation) feed(from string, p tcpassembly.Reassembly) {
	if c.state == ignored {
		return
	}
	if p.Skip != 0 {
		c.gap = true
	}
	if len(p.Bytes) > 0 && !c.gap {
		if c.client == "" {
			c.client, c.Start = from, p.Seen
			if from != c.Client {
				c.Client, c.Server = c.Server, c.Client
			}
		}
		fromClient := from == c.client
		if c.state == undecided && fromClient {
			c.hello = append(c.hello, p.Bytes[:min(len(p.Bytes), 6)]...)
			c.decide()
		}
		if c.state != ignored {
			c.parser.Feed(fromClient, p.Bytes, p.Seen.Sub(c.Start))
		}
	}
	if p.End {
		side := 1
		if from == c.client || c.client == "" && from == c.Client {
			side = 0
		}
		c.ended[side] = true
	}
}

// decide finds out from the first six bytes whether the connection begins with a
// ClientHello in a record of TLS or TLCP.
func (c *Conversation) decide() {
	if len(c.hello) < 6 {
		return
	}
	h := c.hello
	c.state = ignored
	if h[0] == wire.RecordHandshake && (h[1] == 3 || h[1] == 1 && h[2] == 1) && h[5] == wire.MsgClientHello {
		c.state = followed
	}
}

// Read reads a file in pcap or pcapng format.
func Read(r io.Reader, o Options) (*Report, error) {
	source, link, err := open(r)
	if err != nil {
		return nil, err
	}
	return collect(source, link, o)
}

// collect reads packets to the end.
func collect(source gopacket.PacketDataSource, link layers.LinkType, o Options) (*Report, error) {
	t := &table{options: o, byKey: make(map[string]*Conversation)}
	assembler := tcpassembly.NewAssembler(tcpassembly.NewStreamPool(t))
	assembler.MaxBufferedPagesPerConnection, assembler.MaxBufferedPagesTotal = pagesPerStream, pagesInAll
	report := &Report{Link: link.String()}
	for {
		data, info, err := next(source)
		if report.Truncated = errors.Is(err, io.ErrUnexpectedEOF); report.Truncated || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("packet %d: %w", report.Packets+1, err)
		}
		report.Packets++
		packet := gopacket.NewPacket(data, link, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
		tcp, ok := packet.TransportLayer().(*layers.TCP)
		if !ok || packet.NetworkLayer() == nil || o.Port != 0 && tcp.SrcPort != o.Port && tcp.DstPort != o.Port {
			continue
		}
		assembler.AssembleWithTimestamp(packet.NetworkLayer().NetworkFlow(), tcp, info.Timestamp)
	}
	assembler.FlushAll()
	for _, c := range t.order {
		if c.state != followed {
			report.Ignored++
			continue
		}
		c.conclude()
		report.Conversations = append(report.Conversations, c)
	}
	if o.Keys != nil && o.Keys.Err() != nil {
		return nil, o.Keys.Err()
	}
	if t.full {
		return nil, fmt.Errorf("there are more than %d connections; cut the file, with editcap for example", maxConversations)
	}
	return report, nil
}

// next reads a packet. The packet library panics on some damaged files.
func next(source gopacket.PacketDataSource) (data []byte, info gopacket.CaptureInfo, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it is damaged: %v", p)
		}
	}()
	return source.ReadPacketData()
}

func open(r io.Reader) (gopacket.PacketDataSource, layers.LinkType, error) {
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, 0, errors.New("it is too short for a capture")
	}
	whole := io.MultiReader(bytes.NewReader(magic[:]), r)
	if magic == [4]byte{0x0a, 0x0d, 0x0d, 0x0a} {
		ng, err := newNgReader(whole)
		if err != nil {
			return nil, 0, fmt.Errorf("as pcapng: %w", err)
		}
		return ng, ng.LinkType(), nil
	}
	p, err := pcapgo.NewReader(whole)
	if err != nil {
		return nil, 0, fmt.Errorf("it is neither pcap nor pcapng: %w", err)
	}
	p.SetSnaplen(maxFrame) // some programs write longer packets than they announce
	return p, p.LinkType(), nil
}

func newNgReader(r io.Reader) (ng *pcapgo.NgReader, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it is damaged: %v", p)
		}
	}()
	return pcapgo.NewNgReader(r, pcapgo.DefaultNgReaderOptions)
}

// conclude reports how the handshake went.
func (c *Conversation) conclude() {
	p := c.parser
	c.Ladder = p.Steps
	c.Protocol = wire.VersionName(p.Version)
	if p.Version == 0 {
		c.Protocol = "TLS"
		if p.RecordVersion[0] == gmtls.VersionTLCP {
			c.Protocol = "TLCP"
		}
		c.Protocol += ", no ServerHello"
	}
	c.Complete = c.finished()
	c.Data, c.Hidden, c.Decryption, c.Missing = p.Data, p.Hidden, c.decryption(), c.gap
	now := c.Start
	for _, der := range p.Certificates {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			c.Findings = append(c.Findings, cause.Find(cause.Unparsable, "a certificate of the server: %v", err))
			continue
		}
		for _, f := range material.CheckTime(cert, now) {
			f.Detail = strings.Replace(f.Detail, "this machine's clock says", "captured at", 1)
			if !slices.Contains(c.Findings, f) { // the two of a pair often have the same fault
				c.Findings = append(c.Findings, f)
			}
		}
	}
	if c.Complete {
		if c.gap {
			c.Findings = append(c.Findings, cause.Find(cause.PacketsMissing, "packets are missing after the handshake: bytes and records are counted up to the gap"))
		}
		return
	}
	found := c.explain()
	c.Broken = string(found.Cause) + ": " + found.Detail
	c.Findings = append(c.Findings, found)
}

// finished reports whether both ends sent what ends a handshake.
func (c *Conversation) finished() bool {
	p := c.parser
	if p.Version == tls.VersionTLS13 {
		if p.Decrypted > 0 && !p.Sealed[0] && !p.Sealed[1] {
			return c.sent(0, "Finished") && c.sent(1, "Finished") && !c.refused()
		}
		// The client's first encrypted record holds its Finished or an alert, which only data tells apart.
		return c.sealed(0) > 1 || c.sealed(0) == 1 && !c.ended[0]
	}
	return c.sealed(0) > 0 && c.sealed(1) > 0
}

// sent reports whether a side sent a message that could be read.
func (c *Conversation) sent(side int, name string) bool {
	return slices.ContainsFunc(c.Ladder, func(s wire.Step) bool { return s.Name == name && s.FromClient == (side == 0) })
}

// refused reports whether the server of a decrypted TLS 1.3 connection ended it by an alert before it sent data, as it does when it does
// not accept the client's certificate, which it judges when its own part of the handshake is done.
func (c *Conversation) refused() bool {
	return c.parser.Data[1] == 0 && slices.ContainsFunc(c.Ladder, func(s wire.Step) bool {
		return s.Name == "Alert" && !s.FromClient && strings.HasPrefix(s.Note, "fatal")
	})
}

// sealed counts the encrypted messages of a side.
func (c *Conversation) sealed(side int) int {
	n := 0
	for _, s := range c.Ladder {
		if s.Encrypted && s.FromClient == (side == 0) && s.Name != "Alert" {
			n++
		}
	}
	return n
}

// explain finds the cause of a handshake that is not complete.
func (c *Conversation) explain() cause.Finding {
	p := c.parser
	client, server := p.RecordVersion[0], p.RecordVersion[1]
	switch {
	case client == gmtls.VersionTLCP && server>>8 == 3:
		return cause.Find(cause.SpeaksTLS, "the answer to a TLCP ClientHello is a record of %s", wire.VersionName(server))
	case client>>8 == 3 && server == gmtls.VersionTLCP:
		return cause.Find(cause.SpeaksTLCP, "the answer to a TLS ClientHello is a TLCP record")
	case p.Foreign[1] != nil:
		return cause.Find(cause.SpeaksPlain, "the answer begins with %q", loglimit.Printable(string(p.Foreign[1][:min(24, len(p.Foreign[1]))])))
	}
	for _, s := range c.Ladder {
		if s.Name == "Alert" && !strings.HasPrefix(s.Note, "warning") && !(c.gap && s.Encrypted) {
			return c.explainAlert(s)
		}
	}
	switch {
	case c.gap:
		return cause.Warn(cause.PacketsMissing, "packets are missing in the capture")
	case p.Version == 0 && (c.ended[0] || c.ended[1]):
		return cause.Find(cause.ClosedAtHello, "the connection ends after ClientHello")
	case p.Version == 0:
		return cause.Find(cause.SilentPeer, "no byte in answer to ClientHello")
	case c.ended[0] || c.ended[1]:
		return cause.Find(cause.ClosedMidway, "the connection ends after %s", c.Ladder[len(c.Ladder)-1].Name)
	}
	return cause.Find(cause.HandshakeTimeout, "nothing more after %s", c.Ladder[len(c.Ladder)-1].Name)
}

func (c *Conversation) explainAlert(alert wire.Step) cause.Finding {
	p := c.parser
	who := "server"
	if alert.FromClient {
		who = "client"
	}
	if alert.Alert == nil {
		return cause.Find(c.causeOfSealedAlert(alert), "the %s sent an encrypted alert", who)
	}
	number := alert.Alert[1]
	_, meaning := cause.AlertName(number)
	id := cause.OfServerAlert(number, p.Version != 0, p.Requested, len(p.ClientCertificates) > 0)
	switch {
	case who == "server" && p.RecordVersion[0] == gmtls.VersionTLCP && p.Version == 0 && number == uint8(gmtls.AlertProtocolVersion):
		id = cause.SpeaksTLS
	case who == "client":
		id = c.causeOfClientAlert(number)
	}
	found := cause.Find(id, "the %s sent %s: %s", who, alert.Note, meaning)
	if chain := c.chain(); id == cause.UnknownRoot && len(chain) > 0 {
		found.Detail += "; the server's chain is " + strings.Join(chain, ", of ")
	}
	return found
}

// chain names the authorities of the server's first certificate.
func (c *Conversation) chain() []string {
	var certs []*x509.Certificate
	for _, der := range c.parser.Certificates {
		if cert, err := x509.ParseCertificate(der); err == nil {
			certs = append(certs, cert)
		}
	}
	if len(certs) == 0 {
		return nil
	}
	return material.Chain(certs[0], certs[1:], nil)
}

// causeOfSealedAlert guesses by the place of an alert that cannot be read.
func (c *Conversation) causeOfSealedAlert(alert wire.Step) cause.ID {
	switch {
	case alert.FromClient || !c.parser.Requested:
		return cause.AlertReceived
	case len(c.parser.ClientCertificates) == 0:
		return cause.ClientCertRequired
	}
	return cause.ClientCertRefused
}

// causeOfClientAlert reports what an alert of the client that ends a handshake means.
func (c *Conversation) causeOfClientAlert(number uint8) cause.ID {
	switch {
	case c.Protocol == wire.VersionName(gmtls.VersionTLCP) && len(c.parser.Certificates) == 1:
		return cause.SingleCertificate
	case number == 48:
		return cause.UnknownRoot
	case number == 45:
		return cause.Expired
	case number == 20 || number == 51:
		return cause.FinishedMismatch
	}
	return cause.AlertReceived
}

// decryption reports how far the key log went.
func (c *Conversation) decryption() string {
	p := c.parser
	switch {
	case p.Keys == nil:
		return ""
	case p.Version != 0 && !p.Opens():
		return "none: this is TLS, which Wireshark decrypts with the same key log"
	case p.Decrypted == 0 && !p.Sealed[0] && !p.Sealed[1]:
		return "none: nothing is encrypted"
	case p.Client == nil:
		return "none: there is no ClientHello that can be read"
	case p.Decrypted == 0 && c.gap:
		return "none: packets are missing in the capture"
	case p.Decrypted == 0:
		label := "CLIENT_RANDOM"
		if p.Version == tls.VersionTLS13 {
			label = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
		}
		return fmt.Sprintf("none: the key log has no secret that fits; it would stand behind %s %x...", label, p.Client.Random[:8])
	case p.Sealed[0] || p.Sealed[1]:
		return fmt.Sprintf("%d records, then one that the secret in the key log does not fit", p.Decrypted)
	}
	return fmt.Sprintf("%d records", p.Decrypted)
}
