// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// seeds13 are the connections on record whose first messages seed the targets.
var seeds13 = []string{
	"tongsuo-8.5-server-tls13-gcm", "tongsuo-8.5-server-tls13-hybrid", "tongsuo-8.5-server-tls13-retry",
	"tongsuo-8.5-client-tls13-gcm", "tongsuo-8.5-client-tls13-gcm-resumed", "tongsuo-8.5-client-tls13-hybrid-retry", "gmssl-3.3-client-tls13-gcm",
}

// seedHellos13 adds the bodies of the messages of a type that crossed in the clear.
func seedHellos13(f *testing.F, typ uint8) {
	f.Helper()
	found := false
	for _, name := range seeds13 {
		for _, flow := range readFlows(f, transcriptDir+"/"+name+".txt") {
			for rest := flow.data; len(rest) > recordHeaderLen; {
				n := recordHeaderLen + int(rest[3])<<8 + int(rest[4])
				if rest[0] == recordHandshake && rest[recordHeaderLen] == typ {
					f.Add(rest[recordHeaderLen+handshakeHdrLen : n])
					found = true
				}
				rest = rest[n:]
			}
		}
	}
	if !found {
		f.Fatalf("no %s in the recorded connections", handshakeTypeName(typ))
	}
	f.Add([]byte{})
}

func FuzzClientHello13(f *testing.F) {
	seedHellos13(f, msgClientHello)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseClientHello13(b)
		if err != nil {
			return
		}
		if len(h.random) != randomLen || len(h.sessionID) > maxSessionIDLen || len(h.extensions) > maxExtensions ||
			len(h.shares) > maxExtensions || len(h.identities) > maxExtensions || len(h.binders) > maxExtensions ||
			h.bindersLen > len(b) || slices.Contains(h.protocols, "") {
			t.Fatalf("accepted %+v", h)
		}
		if lasting := lastingPart(b); len(lasting) > len(b) || !bytes.HasPrefix(b, lasting[:2+randomLen]) {
			t.Fatalf("of %x lasts %x", b, lasting)
		}
		again, err := parseClientHello13(appendClientHello13(nil, h)[handshakeHdrLen:])
		if h.groups == nil || h.schemes == nil {
			return // what the writer always writes, and no parser takes empty
		}
		if err != nil || !bytes.Equal(again.random, h.random) || !slices.Equal(again.suites, h.suites) ||
			!slices.Equal(again.groups, h.groups) || !slices.Equal(again.schemes, h.schemes) || again.serverName != h.serverName ||
			!slices.EqualFunc(again.shares, h.shares, func(a, b keyShare) bool { return a.group == b.group && bytes.Equal(a.data, b.data) }) ||
			!slices.EqualFunc(again.binders, h.binders, bytes.Equal) || len(again.identities) != len(h.identities) {
			t.Fatalf("%+v became %+v (%v)", h, again, err)
		}
	})
}

func FuzzServerHello13(f *testing.F) {
	seedHellos13(f, msgServerHello)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseServerHello13(b)
		if err != nil {
			return
		}
		if len(h.sessionID) > maxSessionIDLen || h.isRetry() && (h.share.data != nil || h.resumed) || !h.isRetry() && h.cookie != nil {
			t.Fatalf("accepted %+v", h)
		}
	})
}

// FuzzMessages13 parses the other messages; those that have one form only are
// what their writer makes of what was read.
func FuzzMessages13(f *testing.F) {
	f.Add(msgEncryptedExts, appendEncryptedExtensions(nil, "h2")[handshakeHdrLen:])
	f.Add(msgCertificateRequest, appendCertificateRequest13(nil, [][]byte{{1}, {2, 3}})[handshakeHdrLen:])
	f.Add(msgCertificate, appendCertificate13(nil, [][]byte{{1}, {2, 3}})[handshakeHdrLen:])
	f.Add(msgCertificateVerify, appendCertificateVerify13(nil, []byte{1})[handshakeHdrLen:])
	f.Add(msgNewSessionTicket, appendNewSessionTicket(nil, &newSessionTicket{1, 2, []byte{3}, []byte{4}})[handshakeHdrLen:])
	f.Fuzz(func(t *testing.T, typ uint8, b []byte) {
		var again []byte
		switch typ {
		case msgEncryptedExts:
			if protocol, _, err := parseEncryptedExtensions(b); err == nil && len(protocol) > 255 {
				t.Fatalf("accepted %q", protocol)
			}
			return
		case msgCertificateRequest:
			if schemes, names, err := parseCertificateRequest13(b); err == nil && (len(schemes) == 0 || slices.ContainsFunc(names, func(n []byte) bool { return len(n) == 0 })) {
				t.Fatalf("accepted %x, %x", schemes, names)
			}
			return
		case msgNewSessionTicket:
			if ticket, ok := parseNewSessionTicket(b); ok && len(ticket.ticket) == 0 {
				t.Fatal("accepted an empty ticket")
			}
			return
		case msgCertificate:
			certs, err := parseCertificate13(b)
			if err != nil {
				return
			}
			again = appendCertificate13(nil, certs)
		case msgCertificateVerify:
			scheme, sig, ok := parseCertificateVerify13(b)
			if !ok || scheme != schemeSM2SM3 {
				return
			}
			again = appendCertificateVerify13(nil, sig)
		default:
			return
		}
		if !bytes.Equal(again[handshakeHdrLen:], b) {
			t.Fatalf("%x became %x", b, again[handshakeHdrLen:])
		}
	})
}

// FuzzStream13 gives either end what a peer might send, starting from what peers
// of other stacks sent.
func FuzzStream13(f *testing.F) {
	roots, clientPair, serverPair := pkiOf(f, "foreign-", false, foreignTime, foreignTime)
	run := func(t testing.TB, isClient bool, b []byte) error {
		config := &Config{
			Versions: []uint16{VersionTLS13}, Rand: sameByte(2), Time: func() time.Time { return foreignTime },
			RootCAs: roots, ClientCAs: roots, ClientAuth: RequireAndVerifyClientCert, ServerName: "server.test",
			CipherSuites: []uint16{TLS_SM4_GCM_SM3}, Certificates: []Certificate{serverPair}, ChainCache: NewChainCache(0),
			ClientSessionCache: anyAddressCache{NewLRUClientSessionCache(1)}, ServerSessionCache: NewLRUServerSessionCache(1),
		}
		end := Server
		if isClient {
			config.Rand, config.Certificates, end = sameByte(1), []Certificate{clientPair}, Client
		}
		conn := newStream(b)
		c := end(conn, config)
		err := c.Handshake()
		if err == nil {
			_, err = c.Read(make([]byte, 64))
		}
		if conn.written > 64<<10 {
			t.Fatalf("sent %d bytes", conn.written)
		}
		if len(c.in.buf) > largeReadBuffer || cap(c.in.hand) > defaultHandshakeSize+2*maxPlaintext {
			t.Fatalf("buffers of %d and %d bytes are left", len(c.in.buf), cap(c.in.hand))
		}
		return err
	}
	for name, isClient := range map[string]bool{"tongsuo-8.5-server-tls13-gcm": true, "tongsuo-8.5-client-tls13-gcm": false} {
		b := received(f, name)
		if err := run(f, isClient, b); err != nil {
			f.Fatalf("the recorded connection %s: %v", name, err)
		}
		f.Add(isClient, b)
		f.Add(isClient, b[:len(b)/3])
		f.Add(isClient, b[:recordHeaderLen])
	}
	f.Fuzz(func(t *testing.T, isClient bool, b []byte) {
		allocates(t, 16<<20, func() { run(t, isClient, b) })
	})
}
