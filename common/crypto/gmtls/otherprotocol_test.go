// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// SSL and TLS are refused with protocol_version, and an error that says what
// the peer speaks (GB/T 38636-2020, 6.3.3.2).

func TestTLSClientIsRefused(t *testing.T) {
	stdClient, _ := stdConfigs(t)
	_, serverConfig := testConfigs(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c, s := tcpPair(t)
		done := make(chan error, 1)
		go func() {
			done <- Server(s, serverConfig).Handshake()
			s.Close()
		}()
		config := stdClient.Clone()
		config.MinVersion, config.MaxVersion = version, version
		if err := tls.Client(c, config).Handshake(); err == nil {
			t.Error("a TLS client thinks that all is well")
		}
		err := <-done
		wantAlert(t, err, "local error", AlertProtocolVersion)
		wantRecordHeaderError(t, err, "speaks SSL or TLS")
	}
}

func TestTLSServerIsRefused(t *testing.T) {
	_, stdServer := stdConfigs(t)
	clientConfig, _ := testConfigs(t)
	c, s := tcpPair(t)
	done := make(chan error, 1)
	go func() {
		done <- tls.Server(s, stdServer).Handshake()
		s.Close()
	}()
	err := Client(c, clientConfig).Handshake()
	if err == nil || <-done == nil {
		t.Fatal("a TLCP client and a TLS server think that all is well")
	}
	wantAlert(t, err, "local error", AlertProtocolVersion)
	wantRecordHeaderError(t, err, "speaks SSL or TLS")
}

func TestSSL2ClientIsRefused(t *testing.T) {
	_, serverConfig := testConfigs(t)
	c, s := tcpPair(t)
	c.Write([]byte{0x80, 0x2e, 0x01, 0x00, 0x02, 0x00, 0x15})
	err := Server(s, serverConfig).Handshake()
	wantAlert(t, err, "local error", AlertProtocolVersion)
	wantRecordHeaderError(t, err, "SSL 2.0")
	s.Close()
	if got, err := io.ReadAll(c); err != nil || string(got) != "\x15\x01\x01\x00\x02\x02\x46" {
		t.Errorf("the client got %x, %v; want the alert protocol_version", got, err)
	}
}

// A client that speaks no such protocol at all gets nothing, and the connection
// is handed out so that a server can answer in the client's terms.
func TestPlainClient(t *testing.T) {
	_, serverConfig := testConfigs(t)
	c, s := tcpPair(t)
	c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	err := Server(s, serverConfig).Handshake()
	header := wantRecordHeaderError(t, err, "does not look like TLCP")
	if header.Conn != net.Conn(s) || string(header.RecordHeader[:]) != "GET /" {
		t.Fatalf("%+v", header)
	}
	if _, err := header.Conn.Write([]byte("HTTP/1.0 400")); err != nil {
		t.Error(err)
	}
	header.Conn.Close()
	if got, _ := io.ReadAll(c); string(got) != "HTTP/1.0 400" {
		t.Errorf("the client got %q", got)
	}
}

func wantRecordHeaderError(t *testing.T, err error, text string) RecordHeaderError {
	t.Helper()
	var header RecordHeaderError
	if !errors.As(err, &header) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want a RecordHeaderError that says %q", err, text)
	}
	return header
}
