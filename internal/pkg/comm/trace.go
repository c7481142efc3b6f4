// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"net"
	"sync/atomic"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/flogging"
	"go.uber.org/zap/zapcore"
)

// traced returns a copy of the configuration that reports the messages of
// handshakes to the debug log, if that is on. There are no secrets in it.
func traced(config *gmtls.Config, conn net.Conn, proto protocol) *gmtls.Config {
	config = config.Clone()
	if !tlsLogger.IsEnabledFor(zapcore.DebugLevel) {
		return config
	}
	l := tlsLogger.With("remote address", conn.RemoteAddr().String())
	config.Trace = func(ev gmtls.TraceEvent) {
		switch ev.Kind {
		case gmtls.TraceHandshake:
			l.Debugf("%s %s %s, %d bytes, encrypted %t", proto, direction(ev.Sent), ev.Name, ev.Length, ev.Encrypted)
		case gmtls.TraceAlert:
			l.Debugf("%s %s alert %s, level %d, encrypted %t", proto, direction(ev.Sent), ev.Name, ev.Type, ev.Encrypted)
		}
	}
	return config
}

func direction(sent bool) string {
	if sent {
		return "sent"
	}
	return "received"
}

// tracedTLS returns a connection for crypto/tls, which has no trace:
// the records that cross it are reported to the debug log, if that is on, until
// done is called.
func tracedTLS(conn net.Conn) (_ net.Conn, done func()) {
	if !tlsLogger.IsEnabledFor(zapcore.DebugLevel) {
		return conn, func() {}
	}
	l := tlsLogger.With("remote address", conn.RemoteAddr().String())
	c := &traceConn{Conn: conn, in: recordTrace{log: l}, out: recordTrace{log: l, sent: true}}
	return c, func() { c.over.Store(true) }
}

type traceConn struct {
	net.Conn
	over    atomic.Bool // the handshake is done
	in, out recordTrace
}

func (c *traceConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.over.Load() {
		c.in.advance(p[:n])
	}
	return n, err
}

func (c *traceConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if !c.over.Load() {
		c.out.advance(p[:n])
	}
	return n, err
}

// recordTrace follows the TLS records of one direction and names the handshake
// messages in them for as long as they are in the clear.
type recordTrace struct {
	log  *flogging.FabricLogger
	sent bool

	header    [5]byte // of the present record
	have      int     // bytes of it
	left      int     // bytes of the record's content still to come
	encrypted bool    // ChangeCipherSpec or protected records have passed

	message     [4]byte // header of the present handshake message
	messageHave int
	messageLeft int
}

// Content types of records (RFC 8446, 5.1).
const (
	contentChangeCipherSpec = 20
	contentAlert            = 21
	contentHandshake        = 22
	contentApplicationData  = 23
)

// tlsMessages names the handshake messages of TLS 1.2 and 1.3 that go in the
// clear (RFC 5246, 7.4; RFC 8446, 4).
var tlsMessages = map[byte]string{
	0: "HelloRequest", 1: "ClientHello", 2: "ServerHello", 4: "NewSessionTicket", 11: "Certificate",
	12: "ServerKeyExchange", 13: "CertificateRequest", 14: "ServerHelloDone", 15: "CertificateVerify",
	16: "ClientKeyExchange", 20: "Finished", 22: "CertificateStatus",
}

func (r *recordTrace) advance(p []byte) {
	for len(p) > 0 {
		if r.left == 0 {
			n := copy(r.header[r.have:], p)
			p = p[n:]
			if r.have += n; r.have < len(r.header) {
				return
			}
			r.have = 0
			r.left = int(r.header[3])<<8 | int(r.header[4])
			r.record()
			continue
		}
		n := min(r.left, len(p))
		if r.header[0] == contentHandshake && !r.encrypted {
			r.messages(p[:n])
		}
		r.left -= n
		p = p[n:]
	}
}

// record reports a record that is not a handshake in the clear.
func (r *recordTrace) record() {
	switch r.header[0] {
	case contentChangeCipherSpec:
		r.encrypted = true
		r.log.Debugf("TLS %s ChangeCipherSpec", direction(r.sent))
	case contentAlert:
		r.log.Debugf("TLS %s alert, encrypted %t", direction(r.sent), r.encrypted)
	case contentApplicationData:
		r.encrypted = true
		r.log.Debugf("TLS %s protected record, %d bytes", direction(r.sent), r.left)
	case contentHandshake:
		if r.encrypted {
			r.log.Debugf("TLS %s protected handshake message, %d bytes", direction(r.sent), r.left)
		}
	}
}

// messages reports the handshake messages that start in a piece of a record.
func (r *recordTrace) messages(p []byte) {
	for len(p) > 0 {
		if r.messageLeft > 0 {
			n := min(r.messageLeft, len(p))
			r.messageLeft -= n
			p = p[n:]
			continue
		}
		n := copy(r.message[r.messageHave:], p)
		p = p[n:]
		if r.messageHave += n; r.messageHave < len(r.message) {
			return
		}
		r.messageHave = 0
		r.messageLeft = int(r.message[1])<<16 | int(r.message[2])<<8 | int(r.message[3])
		name := tlsMessages[r.message[0]]
		if name == "" {
			name = "message of an unknown type"
		}
		r.log.Debugf("TLS %s %s, %d bytes, encrypted false", direction(r.sent), name, r.messageLeft+len(r.message))
	}
}
