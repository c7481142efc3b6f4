// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
)

// maxHelloLook bounds what OffersGM reads, records' headers included. A
// ClientHello with a hybrid key share has 2 KiB.
const maxHelloLook = 16 << 10

// OffersGM reads the ClientHello of a client that speaks TLS, as found by Sniff,
// and reports whether TLS 1.3 with GM suites can serve it: the client must offer
// that version, one of the suites, one of the groups and SM2 signatures. The
// returned connection gives the same bytes again, and is usable even with an
// error. A ClientHello that is malformed or longer than 16 KiB offers nothing.
// OffersGM waits until the deadline of conn.
func OffersGM(conn net.Conn) (bool, net.Conn, error) {
	p := &prefixConn{Conn: conn}
	var hello []byte
	for {
		record, err := readHelloRecord(conn, maxHelloLook-len(p.prefix), &p.prefix)
		if err != nil {
			return false, p, fmt.Errorf("gmtls: reading the ClientHello of %v: %w", conn.RemoteAddr(), err)
		}
		if record == nil {
			return false, p, nil
		}
		hello = append(hello, record...)
		if hello[0] != msgClientHello {
			return false, p, nil
		}
		if len(hello) < handshakeHdrLen {
			continue
		}
		if n := handshakeHdrLen + int(hello[1])<<16 + int(hello[2])<<8 + int(hello[3]); len(hello) >= n {
			return offersGM(hello[handshakeHdrLen:n]), p, nil
		}
	}
}

// readHelloRecord reads one record, whose bytes it appends to read, and returns
// what it carries; nil if it is not a handshake record or does not fit into limit.
func readHelloRecord(conn net.Conn, limit int, read *[]byte) ([]byte, error) {
	if limit < recordHeaderLen {
		return nil, nil
	}
	take := func(n int) ([]byte, error) {
		start := len(*read)
		*read = slices.Grow(*read, n)
		got, err := io.ReadFull(conn, (*read)[start:start+n])
		*read = (*read)[:start+got]
		return (*read)[start:], err
	}
	header, err := take(recordHeaderLen)
	if err != nil {
		return nil, err
	}
	length := int(header[3])<<8 | int(header[4])
	if header[0] != recordHandshake || header[1] != 3 || length == 0 || length > limit-recordHeaderLen {
		return nil, nil
	}
	return take(length)
}

func offersGM(body []byte) bool {
	h, err := parseClientHello13(bytes.Clone(body))
	return err == nil && slices.Contains(h.versions, VersionTLS13) && slices.Contains(h.schemes, schemeSM2SM3) &&
		slices.ContainsFunc(h.suites, func(id uint16) bool { return slices.Contains(defaultSuites[VersionTLS13], id) }) &&
		slices.ContainsFunc(h.groups, func(id CurveID) bool { return groupOf(id) != nil })
}
