// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"sync"
	"time"
)

// Content types of records (GB/T 38636-2020, 6.3.3.2).
const (
	recordChangeCipherSpec uint8 = 20
	recordAlert            uint8 = 21
	recordHandshake        uint8 = 22
	recordApplicationData  uint8 = 23
)

const (
	recordHeaderLen = 5
	maxPlaintext    = 1 << 14
	maxExpansion    = 2048 // what protection may add to a record, 6.3.3.4

	// writeBatch is the number of full records that one write to the
	// underlying connection takes at most.
	writeBatch = 4

	smallReadBuffer = 4 << 10
	largeReadBuffer = 2 * (recordHeaderLen + maxPlaintext + 256)
)

// inHalf is the receiving direction.
type inHalf struct {
	sync.Mutex
	err       error        // protected by the mutex, as all below; permanent
	cipher    recordCipher // nil: in the clear
	seq       uint64
	anyRecord bool // a record was seen

	buf  []byte // read from the connection; buf[r:w] is not yet processed
	r, w int

	payload []byte // application data not yet delivered; lies in buf
	hand    []byte // handshake messages; hand[handOff:] not yet processed
	handOff int
	useless int // records in a row that brought nothing

	// TLS 1.3 alone.
	secret  []byte // from which the next key comes
	dummies bool   // ChangeCipherSpec is ignored: the handshake is under way
}

// outHalf is the sending direction.
type outHalf struct {
	sync.Mutex
	err    error // protected by the mutex, as all below; permanent
	cipher recordCipher
	seq    uint64
	buf    *[]byte // sealed records not yet written; nil: none

	// TLS 1.3 alone.
	secret []byte // from which the next key comes
}

var writeBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, smallReadBuffer)
	return &b
}}

// alertedError is a failure of which the peer is told by an alert.
type alertedError struct {
	alert AlertError
	err   error
}

func (e *alertedError) Error() string {
	const prefix = "gmtls: "
	return prefix + strings.TrimPrefix(e.err.Error(), prefix)
}

func (e *alertedError) Unwrap() []error {
	return []error{e.err, &net.OpError{Op: "local error", Err: e.alert}}
}

func failf(alert AlertError, format string, args ...any) error {
	return &alertedError{alert, fmt.Errorf(format, args...)}
}

func fail(alert AlertError, err error) error { return &alertedError{alert, err} }

var errSequence = errors.New("gmtls: record sequence number exhausted")

// fillLocked makes n bytes from the connection available at c.in.buf[c.in.r:].
// A failure leaves what was read in the buffer, so that reading can continue after
// a deadline was moved.
func (c *Conn) fillLocked(n int) error {
	in := &c.in
	if in.w-in.r >= n {
		return nil
	}
	if in.r == in.w {
		in.r, in.w = 0, 0
	}
	if len(in.buf)-in.r < n {
		buf := in.buf
		switch {
		case n <= len(buf):
		case n <= smallReadBuffer:
			buf = make([]byte, smallReadBuffer)
		default:
			buf = make([]byte, largeReadBuffer)
		}
		in.w = copy(buf, in.buf[in.r:in.w])
		in.r = 0
		in.buf = buf
	}
	for in.w-in.r < n {
		m, err := c.conn.Read(in.buf[in.w:])
		in.w += m
		if err != nil && in.w-in.r < n {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF // no close_notify: it may be an attacker's doing
			}
			return err
		}
	}
	return nil
}

// readRecordLocked reads and opens one record. payload lies in the read buffer
// and is valid until the next call.
func (c *Conn) readRecordLocked() (typ uint8, payload []byte, err error) {
	in := &c.in
	if in.err != nil {
		return 0, nil, in.err
	}
	if err := c.fillLocked(recordHeaderLen); err != nil {
		return 0, nil, c.readFailedLocked(err)
	}
	header := in.buf[in.r : in.r+recordHeaderLen]
	typ = header[0]
	version := binary.BigEndian.Uint16(header[1:])
	length := int(binary.BigEndian.Uint16(header[3:]))
	if err := c.checkHeaderLocked(header, typ, version, length); err != nil {
		return 0, nil, err
	}
	if err := c.fillLocked(recordHeaderLen + length); err != nil {
		return 0, nil, c.readFailedLocked(err)
	}
	body := in.buf[in.r+recordHeaderLen : in.r+recordHeaderLen+length]
	in.r += recordHeaderLen + length
	in.anyRecord = true
	c.traceRecord(false, in.cipher != nil, typ, version, length)
	if in.cipher == nil || c.version == VersionTLS13 && c.comesInTheClearLocked(typ) {
		return typ, body, nil
	}
	if c.version == VersionTLS13 && typ != recordApplicationData {
		return 0, nil, failf(AlertUnexpectedMessage, "a record of type %s came without protection", recordTypeName(typ))
	}
	if in.seq == math.MaxUint64 {
		return 0, nil, errSequence
	}
	payload, ok := in.cipher.open(in.seq, typ, body)
	if !ok {
		return 0, nil, failf(AlertBadRecordMAC, "a record did not authenticate")
	}
	in.seq++
	if c.version == VersionTLS13 {
		return innerPlaintext(payload)
	}
	if len(payload) > maxPlaintext {
		return 0, nil, failf(AlertRecordOverflow, "a record carries %d bytes, more than %d", len(payload), maxPlaintext)
	}
	return typ, payload, nil
}

// readFailedLocked makes an error of the connection permanent unless it is a
// timeout, after which one can read on.
func (c *Conn) readFailedLocked(err error) error {
	var netErr net.Error
	if !errors.As(err, &netErr) || !netErr.Timeout() {
		c.in.err = err
	}
	return err
}

func (c *Conn) checkHeaderLocked(header []byte, typ uint8, version uint16, length int) error {
	if !c.in.anyRecord {
		if err := c.checkFirstHeader(header, typ, version); err != nil {
			return err
		}
	}
	limit := maxPlaintext
	switch {
	case c.in.cipher == nil:
	case c.version == VersionTLS13:
		limit += maxExpansion13
	default:
		limit += maxExpansion
	}
	switch {
	case c.version == VersionTLCP && version != VersionTLCP: // TLS 1.3 looks at no version here, RFC 8446, section 5.1
		return failf(AlertProtocolVersion, "a record has the version %s, not TLCP's", VersionName(version))
	case typ < recordChangeCipherSpec || typ > recordApplicationData:
		return failf(AlertUnexpectedMessage, "a record has the unknown content type %d", typ)
	case length > limit:
		return failf(AlertRecordOverflow, "a record is %d bytes long, more than %d", length, limit)
	}
	return nil
}

// checkFirstHeader settles which of its protocols a server speaks with this
// client. It tells a peer that speaks another protocol of the family, which gets
// an alert, from one that speaks something else, which gets nothing from here.
func (c *Conn) checkFirstHeader(header []byte, typ uint8, version uint16) error {
	headerErr := RecordHeaderError{RecordHeader: [recordHeaderLen]byte(header)}
	isHandshake := typ == recordHandshake || typ == recordAlert
	isRecord := typ >= recordChangeCipherSpec && typ <= recordApplicationData
	want := VersionTLCP
	if !c.speaks(VersionTLCP) {
		want = VersionTLS13
	}
	switch {
	case version == VersionTLCP && isRecord && c.speaks(VersionTLCP):
		c.version = VersionTLCP // though what is not a handshake is refused later
		return nil
	case version>>8 == 3 && isRecord && c.speaks(VersionTLS13):
		c.version = VersionTLS13
		return nil
	case isHandshake && version>>8 == 3:
		headerErr.Msg = fmt.Sprintf("the peer speaks SSL or TLS (record version 0x%s), not TLCP", upperHex(version))
		return fail(AlertProtocolVersion, headerErr)
	case isHandshake && version == VersionTLCP:
		headerErr.Msg = "the peer speaks TLCP, not TLS 1.3"
		return fail(AlertProtocolVersion, headerErr)
	case typ == 0x80 && header[2] == 1:
		headerErr.Msg = "the peer speaks SSL 2.0, not " + protocolName(want)
		return fail(AlertProtocolVersion, headerErr)
	}
	headerErr.Msg = "the first record does not look like " + protocolName(want)
	headerErr.Conn = c.conn
	return headerErr
}

func protocolName(version uint16) string {
	if version == VersionTLS13 {
		return "TLS 1.3"
	}
	return "TLCP"
}

// speaks reports whether this end speaks the version: a client the one that it
// began with, a server all of its Config.
func (c *Conn) speaks(version uint16) bool {
	if c.isClient {
		return c.version == version
	}
	return c.config.speaks(version)
}

// nextRecordLocked returns the next record that is not an alert, and handles alerts.
func (c *Conn) nextRecordLocked() (typ uint8, payload []byte, err error) {
	for {
		typ, payload, err = c.readRecordLocked()
		if err != nil {
			return 0, nil, err
		}
		switch {
		case typ == recordAlert:
			if err := c.handleAlertLocked(payload); err != nil {
				return 0, nil, err
			}
		case c.version == VersionTLS13 && typ != recordHandshake && c.in.handOff != len(c.in.hand): // RFC 8446, section 5.1
			return 0, nil, failf(AlertUnexpectedMessage, "a record of type %s came within a handshake message", recordTypeName(typ))
		case typ == recordChangeCipherSpec && c.version == VersionTLS13:
			if err := c.checkDummyLocked(payload); err != nil {
				return 0, nil, err
			}
		case len(payload) > 0:
			c.in.useless = 0
			return typ, payload, nil
		case typ != recordApplicationData:
			return 0, nil, failf(AlertUnexpectedMessage, "a record of type %s is empty", recordTypeName(typ))
		case !c.handshakeDone.Load():
			return typ, payload, nil // for the caller to refuse
		}
		if c.in.useless++; c.in.useless > maxUselessRecords {
			return 0, nil, failf(AlertUnexpectedMessage, "more than %d empty records or warnings in a row", maxUselessRecords)
		}
	}
}

// handleAlertLocked returns nil for a warning that can be ignored.
func (c *Conn) handleAlertLocked(payload []byte) error {
	switch {
	case c.version == VersionTLS13 && len(payload) == 0: // RFC 8446, section 5.4
		return failf(AlertUnexpectedMessage, "an alert record is empty")
	case len(payload) != 2:
		return failf(AlertDecodeError, "an alert record is %d bytes long, not 2", len(payload))
	}
	level, alert := payload[0], AlertError(payload[1])
	c.traceAlert(false, c.in.cipher != nil, level, alert)
	switch {
	case alert == AlertCloseNotify:
		c.in.err = io.EOF
		return io.EOF
	case c.version == VersionTLS13 && alert == AlertUserCanceled, c.version == VersionTLCP && level == alertLevelWarning:
		return nil
	case c.version == VersionTLS13, level == alertLevelFatal: // TLS 1.3 has no other level, RFC 8446, section 6
		c.in.err = &net.OpError{Op: "remote error", Err: alert}
		c.forgetSession()
		return c.in.err
	}
	return failf(AlertIllegalParameter, "an alert has the unknown level %d", level)
}

// appendRecordsLocked seals payload into one or more records of the type and
// keeps them for flushLocked. An empty payload makes no record.
func (c *Conn) appendRecordsLocked(typ uint8, payload []byte) error {
	out := &c.out
	if out.err != nil {
		return out.err
	}
	if out.buf == nil {
		out.buf = writeBuffers.Get().(*[]byte)
	}
	b := *out.buf
	for len(payload) > 0 {
		n := min(len(payload), maxPlaintext)
		start := len(b)
		outer, version := c.outerHeader(typ)
		b = append(b, outer, byte(version>>8), byte(version), 0, 0)
		if out.cipher == nil {
			b = append(b, payload[:n]...)
		} else {
			if out.seq == math.MaxUint64 {
				out.err = errSequence
				return out.err
			}
			var err error
			if b, err = out.cipher.seal(b, c.config.rand(), out.seq, typ, payload[:n]); err != nil {
				out.err = err
				return err
			}
			out.seq++
		}
		length := len(b) - start - recordHeaderLen
		binary.BigEndian.PutUint16(b[start+3:], uint16(length))
		c.traceRecord(true, out.cipher != nil, outer, version, length)
		payload = payload[n:]
	}
	*out.buf = b
	return nil
}

// outerHeader returns the content type and the version that the next record has
// on the wire.
func (c *Conn) outerHeader(typ uint8) (outer uint8, version uint16) {
	switch {
	case c.version == VersionTLCP:
		return typ, VersionTLCP
	case c.out.cipher != nil:
		return recordApplicationData, legacyVersion
	case c.isClient && !c.in.anyRecord:
		return typ, firstLegacyVersion
	}
	return typ, legacyVersion
}

// flushLocked writes what was kept. A failure is permanent: the peer may have
// got a part.
func (c *Conn) flushLocked() error {
	out := &c.out
	if out.buf == nil {
		return out.err
	}
	buf := out.buf
	out.buf = nil
	var err error
	if out.err == nil && len(*buf) > 0 {
		if _, err = c.conn.Write(*buf); err != nil {
			out.err = err
		}
	}
	*buf = (*buf)[:0]
	writeBuffers.Put(buf)
	if err == nil {
		err = out.err
	}
	return err
}

// sendFatal tells the peer of a failure and makes both directions fail with
// err from now on.
func (c *Conn) sendFatal(alert AlertError, err error) {
	// This is the end of the connection, so a writer that the peer does not
	// read from may be cut off, and the alert with it.
	c.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
	c.out.Lock()
	defer c.out.Unlock()
	c.sendAlertLocked(alertLevelFatal, alert)
	if c.out.err == nil {
		c.out.err = err
	}
}

func (c *Conn) sendAlertLocked(level uint8, alert AlertError) error {
	if err := c.appendRecordsLocked(recordAlert, []byte{level, byte(alert)}); err != nil {
		return err
	}
	c.traceAlert(true, c.out.cipher != nil, level, alert)
	return c.flushLocked()
}

// endLocked is where a failure of reading ends up: it sends the alert if there
// is one to send and makes the failure permanent unless it is a timeout.
func (c *Conn) endLocked(err error) error {
	var alerted *alertedError
	if errors.As(err, &alerted) && c.in.err == nil {
		c.in.err = err
		c.forgetSession()
		c.sendFatal(alerted.alert, err)
	}
	return err
}
