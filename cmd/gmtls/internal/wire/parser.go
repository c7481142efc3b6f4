// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"crypto/tls"
	"encoding/binary"
	"time"
)

const (
	recordHeader = 5
	maxRecord    = 16384 + 2048
	maxMessage   = 256 << 10
	// maxSealed is how many encrypted records of TLS 1.3 a ladder shows for a
	// direction; what is in them cannot be told from outside.
	maxSealed = 5
)

// Parser follows one connection. Bytes of both directions are fed in the order
// in which they crossed the wire; Steps grows with each complete message. It is
// for one goroutine.
type Parser struct {
	Steps   []Step
	Version uint16 // as negotiated; 0 before ServerHello
	Client  *Hello
	Server  *Hello
	// Certificates are those of the server, as far as they crossed in the
	// clear; ClientCertificates likewise.
	Certificates, ClientCertificates [][]byte
	// Authorities are the names of a CertificateRequest.
	Authorities [][]byte
	Requested   bool // a CertificateRequest was seen
	// Data counts the bytes of application data records, [0] by the client.
	Data [2]int
	// RecordVersion is the version in the first record of each direction.
	RecordVersion [2]uint16
	// Foreign holds the first bytes of a direction that is neither TLS nor TLCP.
	Foreign [2][]byte

	directions [2]direction
}

type direction struct {
	records, messages []byte
	encrypted, lost   bool
	sealed            int // records of TLS 1.3 that may hold handshake messages
}

// Feed takes bytes that the client or the server sent, and when.
func (p *Parser) Feed(fromClient bool, data []byte, at time.Duration) {
	side := index(fromClient)
	d := &p.directions[side]
	if d.lost {
		return
	}
	d.records = append(d.records, data...)
	for len(d.records) >= recordHeader {
		typ, version := d.records[0], binary.BigEndian.Uint16(d.records[1:])
		n := int(binary.BigEndian.Uint16(d.records[3:]))
		if typ < RecordChangeCipherSpec || typ > RecordApplicationData || version != 0x0101 && version>>8 != 3 || n > maxRecord {
			p.Foreign[side] = append([]byte(nil), d.records[:min(len(d.records), 64)]...)
			d.lost, d.records = true, nil
			return
		}
		if p.RecordVersion[side] == 0 {
			p.RecordVersion[side] = version
		}
		if len(d.records) < recordHeader+n {
			return
		}
		p.record(side, typ, d.records[recordHeader:recordHeader+n], at)
		d.records = d.records[recordHeader+n:]
	}
}

func index(fromClient bool) int {
	if fromClient {
		return 0
	}
	return 1
}

func (p *Parser) record(side int, typ uint8, payload []byte, at time.Duration) {
	d := &p.directions[side]
	step := Step{At: at, FromClient: side == 0, Size: len(payload), Encrypted: d.encrypted}
	switch typ {
	case RecordChangeCipherSpec:
		if p.Version == tls.VersionTLS13 {
			return // for middle boxes only (RFC 8446, D.4)
		}
		step.Name = "ChangeCipherSpec"
		d.encrypted = true
		step.Encrypted = false
	case RecordAlert:
		step.Name = "Alert"
		if !d.encrypted && len(payload) == 2 {
			step.Note = AlertNote(payload[0], payload[1])
		}
	case RecordHandshake:
		if !d.encrypted {
			p.handshake(side, payload, at)
			return
		}
		step.Name = "Finished"
	default:
		if p.Version != tls.VersionTLS13 || d.sealed == maxSealed {
			p.Data[side] += len(payload)
			return
		}
		d.sealed++
		step.Name, step.Encrypted = "handshake or data", true
	}
	p.Steps = append(p.Steps, step)
}

func (p *Parser) handshake(side int, payload []byte, at time.Duration) {
	d := &p.directions[side]
	d.messages = append(d.messages, payload...)
	for len(d.messages) >= 4 {
		n := 4 + int(d.messages[1])<<16 + int(d.messages[2])<<8 + int(d.messages[3])
		if n > maxMessage {
			d.lost, d.messages = true, nil
			return
		}
		if len(d.messages) < n {
			return
		}
		p.message(side, d.messages[:n:n], at)
		d.messages = d.messages[n:]
	}
}

func (p *Parser) message(side int, msg []byte, at time.Duration) {
	p.Learn(side == 0, msg)
	p.Steps = append(p.Steps, Step{
		At: at, FromClient: side == 0, Name: MessageName(msg[0]), Size: len(msg), Note: Describe(msg, p.Version),
	})
}

// Learn notes what a message in the clear, given with its header, tells.
func (p *Parser) Learn(fromClient bool, msg []byte) {
	body := msg[4:]
	switch msg[0] {
	case MsgClientHello:
		p.Client, _ = ParseHello(append([]byte(nil), body...), true)
	case MsgServerHello:
		if p.Server, _ = ParseHello(append([]byte(nil), body...), false); p.Server != nil {
			p.Version = p.Server.Version
		}
	case MsgCertificate:
		if ders, ok := ParseCertificates(body); ok && fromClient {
			p.ClientCertificates = ders
		} else if ok {
			p.Certificates = ders
		}
	case MsgCertificateRequest:
		p.Requested = true
		p.Authorities, _ = ParseAuthorities(body, p.Version)
	}
}
