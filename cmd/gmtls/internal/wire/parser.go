// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"crypto/tls"
	"encoding/binary"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

const (
	recordHeader = 5
	maxRecord    = 16384 + 2048
	maxMessage   = 256 << 10
	// maxSealed is how many encrypted records of TLS 1.3 a ladder shows for a
	// direction; what is in them cannot be told from outside.
	maxSealed = 5
	// maxSteps is how many other steps a ladder shows. A handshake has some twenty; who sends more has another thing in mind, and a
	// step takes far more memory than the four bytes of a message.
	maxSteps = 200
	// maxData is how many decrypted records of application data a ladder shows.
	maxData = 1000
)

// Parser follows one connection. Bytes of both directions are fed in the order
// in which they crossed the wire; Steps grows with each complete message. It must
// be used by one goroutine only.
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
	// Data counts the bytes of application data, [0] by the client: of the
	// content where records are decrypted, otherwise as they crossed.
	Data [2]int
	// Keys, if not nil, decrypt the records of TLCP, and of TLS 1.3 with GM suites. The ladder then shows what
	// is in them, and Payload bytes at most of each record of application data.
	Keys    *KeyLog
	Payload int
	// Decrypted counts the records that were decrypted. Sealed tells that there
	// was one that Keys do not open, [0] by the client.
	Decrypted int
	Sealed    [2]bool
	Hidden    int // records and messages that the ladder leaves out
	// RecordVersion is the version in the first record of each direction.
	RecordVersion [2]uint16
	// Foreign holds the first bytes of a direction that is neither TLS nor TLCP.
	Foreign [2][]byte

	directions [2]direction
	shown      int // records of application data that were decrypted
	others     int // steps that are not of such records
}

type direction struct {
	records, messages []byte
	encrypted, lost   bool
	sealed            int  // records of TLS 1.3 that may hold handshake messages
	derived           bool // opener was looked for
	opener            *opener
	opener13          *opener13
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

func (p *Parser) record(side int, typ uint8, body []byte, at time.Duration) {
	d := &p.directions[side]
	if typ == RecordChangeCipherSpec && p.Version == tls.VersionTLS13 {
		return // for middle boxes only (RFC 8446, D.4)
	}
	if d.encrypted {
		p.protected(side, typ, body, at)
		return
	}
	step := Step{At: at, FromClient: side == 0, Size: len(body)}
	switch typ {
	case RecordChangeCipherSpec:
		step.Name = "ChangeCipherSpec"
		d.encrypted, d.messages = true, nil
	case RecordAlert:
		step.setAlert(body)
	case RecordHandshake:
		p.handshake(side, body, at)
		return
	default:
		if p.Version == tls.VersionTLS13 && p.opened13(side, body, &step) {
			return
		}
		if p.Version != tls.VersionTLS13 || d.sealed == maxSealed {
			p.Data[side] += len(body)
			return
		}
		d.sealed++
		step.Name, step.Encrypted = "handshake or data", true
	}
	p.show(step)
}

// show takes a step that is not of data into the ladder, as long as there is room.
func (p *Parser) show(step Step) {
	if p.others++; p.others > maxSteps {
		p.Hidden++
		return
	}
	p.Steps = append(p.Steps, step)
}

// protected takes a record after ChangeCipherSpec.
func (p *Parser) protected(side int, typ uint8, body []byte, at time.Duration) {
	d := &p.directions[side]
	if !d.derived {
		d.opener, d.derived = p.openerOf(side), true
	}
	step := Step{At: at, FromClient: side == 0, Size: len(body), Encrypted: true}
	if d.opener != nil {
		if content, ok := d.opener.open(typ, body); ok {
			p.Decrypted++
			p.content(side, typ, content, step)
			return
		}
		d.opener = nil
		step.Note = "does not decrypt with the secret in the key log"
	}
	if typ == RecordAlert && len(body) == 2 { // shorter than any that is sealed
		step.Encrypted = false
		step.setAlert(body)
		step.Note += ", in the clear after ChangeCipherSpec (GmSSL 3.1 does so)"
		p.show(step)
		return
	}
	p.Sealed[side] = true
	switch typ {
	case RecordAlert:
		step.Name = "Alert"
	case RecordHandshake:
		step.Name = "Finished"
	case RecordChangeCipherSpec:
		step.Name = "ChangeCipherSpec"
	default:
		p.Data[side] += len(body)
		if step.Note == "" {
			return
		}
		step.Name = "ApplicationData"
	}
	p.show(step)
}

// openerOf returns what opens the records of a side; nil without its secret.
func (p *Parser) openerOf(side int) *opener {
	if p.Keys == nil || p.Version != gmtls.VersionTLCP || p.Client == nil || len(p.Server.Suites) == 0 {
		return nil
	}
	master := p.Keys.secret(masterLabel, p.Client.Random)
	if master == nil {
		return nil
	}
	client, server := openers(p.Server.Suites[0], master, p.Client.Random, p.Server.Random)
	if side == 0 {
		return client
	}
	return server
}

// content takes what was in a protected record. step is filled but for the name.
func (p *Parser) content(side int, typ uint8, content []byte, step Step) {
	step.Size = len(content)
	switch typ {
	case RecordAlert:
		step.setAlert(content)
		p.show(step)
		return
	case RecordHandshake:
		p.handshake(side, content, step.At)
		return
	case RecordChangeCipherSpec: // a renegotiation, which is not followed
		step.Name = "ChangeCipherSpec"
		p.directions[side].opener = nil
		p.show(step)
		return
	default:
		p.Data[side] += len(content)
		if p.shown++; p.shown > maxData {
			p.Hidden++
			return
		}
		step.Name = "ApplicationData"
		step.Payload = content[:min(len(content), p.Payload)]
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
	d := &p.directions[side]
	step := Step{At: at, FromClient: side == 0, Name: MessageName(msg[0]), Size: len(msg), Encrypted: d.encrypted || d.opener13 != nil}
	if !d.encrypted {
		p.Learn(side == 0, msg)
		step.Note = Describe(msg, p.Version)
	}
	p.show(step)
	if d.opener13 != nil {
		p.rekey(side, msg[0])
	}
}

// Learn uses the content of a message that can be read, given with its header.
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
		if ders, ok := ParseCertificates(body, p.Version); ok && fromClient {
			p.ClientCertificates = ders
		} else if ok {
			p.Certificates = ders
		}
	case MsgCertificateRequest:
		p.Requested = true
		p.Authorities, _ = ParseAuthorities(body, p.Version)
	}
}
