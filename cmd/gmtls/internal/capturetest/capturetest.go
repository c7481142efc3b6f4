// SPDX-License-Identifier: Apache-2.0

// Package capturetest makes captures for tests. A [Tap] records what two ends of a connection send, and [File] writes the recorded flows as
// captured packets, in another order or with some missing if a test needs that.
package capturetest

import (
	"bytes"
	"net"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// segmentSize is the number of bytes that a packet carries at most.
const segmentSize = 500

// Flow is what was sent in one direction without an answer in between.
type Flow struct {
	Client bool // by the client
	Data   []byte
}

// Tap is a client's connection that records what it carries. Everything that is
// sent in one direction in a row is one flow, however it was read and written.
type Tap struct {
	net.Conn
	mu    sync.Mutex
	flows []Flow // protected by mu
}

// Read reads and keeps what came.
func (t *Tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.keep(false, b[:n])
	return n, err
}

// Write keeps and writes b.
func (t *Tap) Write(b []byte) (int, error) {
	t.keep(true, b)
	return t.Conn.Write(b)
}

// CloseWrite ends the client's direction.
func (t *Tap) CloseWrite() error { return t.Conn.(*net.TCPConn).CloseWrite() }

func (t *Tap) keep(client bool, b []byte) {
	if len(b) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.flows); n > 0 && t.flows[n-1].Client == client {
		t.flows[n-1].Data = append(t.flows[n-1].Data, b...)
		return
	}
	t.flows = append(t.flows, Flow{client, bytes.Clone(b)})
}

// Flows returns what was kept.
func (t *Tap) Flows() []Flow {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.flows
}

type segment struct {
	client   bool
	seq      uint32
	data     []byte
	syn, fin bool
}

// segments cuts flows into packets. shuffle swaps the first two of each flow.
func segments(flows []Flow, shuffle bool) []segment {
	var out []segment
	seq := map[bool]uint32{true: 1000, false: 5000}
	for _, client := range []bool{true, false} {
		out = append(out, segment{client: client, seq: seq[client], syn: true})
		seq[client]++
	}
	for _, f := range flows {
		first := len(out)
		for rest := f.Data; len(rest) > 0; rest = rest[min(segmentSize, len(rest)):] {
			part := rest[:min(segmentSize, len(rest))]
			out = append(out, segment{client: f.Client, seq: seq[f.Client], data: part})
			seq[f.Client] += uint32(len(part))
		}
		if shuffle && len(out)-first > 1 {
			out[first], out[first+1] = out[first+1], out[first]
		}
	}
	for _, client := range []bool{true, false} {
		out = append(out, segment{client: client, seq: seq[client], fin: true})
	}
	return out
}

// File makes a pcap file, of now, of conversations of 10.0.0.1, from port 40000 on, with
// 10.0.0.2:7051. shuffle brings packets out of order; the drop-th packet with
// data, counted from 1, is left out.
func File(shuffle bool, drop int, conversations ...[]Flow) ([]byte, error) {
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	if err := w.WriteFileHeader(65536, layers.LinkTypeEthernet); err != nil {
		return nil, err
	}
	at := time.Now().UTC()
	data := 0
	for i, flows := range conversations {
		for _, s := range segments(flows, shuffle) {
			if len(s.data) > 0 {
				if data++; data == drop {
					continue
				}
			}
			at = at.Add(time.Millisecond)
			frame, err := s.frame(layers.TCPPort(40000 + i))
			if err != nil {
				return nil, err
			}
			info := gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(frame), Length: len(frame)}
			if err := w.WritePacket(info, frame); err != nil {
				return nil, err
			}
		}
	}
	return file.Bytes(), nil
}

func (s segment) frame(client layers.TCPPort) ([]byte, error) {
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP,
		SrcIP: net.IPv4(10, 0, 0, 1), DstIP: net.IPv4(10, 0, 0, 2)}
	tcp := &layers.TCP{SrcPort: client, DstPort: 7051, Seq: s.seq, SYN: s.syn, FIN: s.fin, ACK: true, Window: 1 << 15}
	if !s.client {
		ip.SrcIP, ip.DstIP = ip.DstIP, ip.SrcIP
		tcp.SrcPort, tcp.DstPort = tcp.DstPort, tcp.SrcPort
	}
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		return nil, err
	}
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: make([]byte, 6), EthernetType: layers.EthernetTypeIPv4},
		ip, tcp, gopacket.Payload(s.data))
	return buf.Bytes(), err
}
