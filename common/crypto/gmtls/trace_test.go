// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"testing"
)

// traceLog collects the events of one end; a handshake has one goroutine at a
// time.
type traceLog struct {
	t      *testing.T
	events []string
	clear  [][]byte
}

func (l *traceLog) add(ev TraceEvent) {
	dir := "<"
	if ev.Sent {
		dir = ">"
	}
	switch ev.Kind {
	case TraceHandshake:
		l.events = append(l.events, dir+ev.Name)
		if (ev.Data == nil) != ev.Encrypted || ev.Data != nil && len(ev.Data) != ev.Length {
			l.t.Errorf("%+v", ev)
		}
		l.clear = append(l.clear, bytes.Clone(ev.Data))
	case TraceAlert:
		l.events = append(l.events, dir+"alert "+ev.Name)
	case TraceRecord:
		if ev.Type == recordChangeCipherSpec {
			l.events = append(l.events, dir+ev.Name)
		}
		if ev.Version != VersionTLCP || ev.Length == 0 {
			l.t.Errorf("%+v", ev)
		}
		if ev.Type == recordApplicationData && !ev.Encrypted {
			l.t.Errorf("application data in the clear: %+v", ev)
		}
	}
}

// The messages of a handshake and their order (GB/T 38636-2020, 6.4.3 and 6.4.4).
func TestTrace(t *testing.T) {
	full := strings.Fields(`>ClientHello <ServerHello <Certificate <ServerKeyExchange <CertificateRequest <ServerHelloDone
		>Certificate >ClientKeyExchange >CertificateVerify >ChangeCipherSpec >Finished <ChangeCipherSpec <Finished`)
	short := strings.Fields(`>ClientHello <ServerHello <ChangeCipherSpec <Finished >ChangeCipherSpec >Finished`)
	turn := func(events []string) []string {
		out := make([]string, len(events))
		for i, ev := range events {
			out[i] = strings.NewReplacer("<", ">", ">", "<").Replace(ev)
		}
		return out
	}
	client, server := testConfigs(t)
	client.ClientSessionCache = anyAddressCache{NewLRUClientSessionCache(1)}
	server.ServerSessionCache = NewLRUServerSessionCache(1)
	var keys bytes.Buffer
	client.KeyLogWriter = &keys
	for _, want := range [][]string{full, short} {
		clientLog, serverLog := &traceLog{t: t}, &traceLog{t: t}
		client.Trace, server.Trace = clientLog.add, serverLog.add
		c, s, clientErr, serverErr := shake(t, client, server)
		if clientErr != nil || serverErr != nil {
			t.Fatal(clientErr, serverErr)
		}
		c.Write([]byte("x"))
		s.Read(make([]byte, 1))
		c.Close()
		if _, err := s.Read(make([]byte, 1)); err != io.EOF {
			t.Fatal(err)
		}
		if got := append(slices.Clone(want), ">alert close notify"); !slices.Equal(clientLog.events, got) {
			t.Errorf("client: %q, want %q", clientLog.events, got)
		}
		if got := append(turn(want), "<alert close notify"); !slices.Equal(serverLog.events, got) {
			t.Errorf("server: %q, want %q", serverLog.events, got)
		}
		// No event carries the master secret.
		secret, err := hex.DecodeString(strings.Fields(keys.String())[2])
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range append(clientLog.clear, serverLog.clear...) {
			if bytes.Contains(data, secret) {
				t.Error("an event holds the master secret")
			}
		}
	}
}

func TestTraceAlert(t *testing.T) {
	client, server := testConfigs(t)
	client.RootCAs = poolOf(newCA(t, "other root", nil))
	clientLog, serverLog := &traceLog{t: t}, &traceLog{t: t}
	client.Trace, server.Trace = clientLog.add, serverLog.add
	shake(t, client, server)
	if ev := clientLog.events[len(clientLog.events)-1]; ev != ">alert unknown certificate authority" {
		t.Errorf("client's last event %q", ev)
	}
	if ev := serverLog.events[len(serverLog.events)-1]; ev != "<alert unknown certificate authority" {
		t.Errorf("server's last event %q", ev)
	}
}
