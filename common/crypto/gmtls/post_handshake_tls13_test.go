// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// Either end may take new keys at any time, and be asked to.
func TestKeyUpdate(t *testing.T) {
	for _, suite := range CipherSuitesTLS13() {
		clientConfig, serverConfig := testConfigs13(t)
		clientConfig.CipherSuites = []uint16{suite.ID}
		client, server := mustShake(t, clientConfig, serverConfig)
		for _, ends := range [][2]*Conn{{client, server}, {server, client}} {
			for range 3 {
				from, to := ends[0], ends[1]
				before, answer := from.out.cipher, to.out.cipher
				from.out.Lock()
				err := from.updateKeyLocked(updateRequested)
				from.out.Unlock()
				if err != nil {
					t.Fatal(err)
				}
				exchange(t, from, to)
				if from.out.cipher == before || to.out.cipher == answer {
					t.Errorf("%s: a key is the old one", suite.Name)
				}
			}
		}
	}
}

// A key is replaced before it was used too often.
func TestKeyUsedOften(t *testing.T) {
	client, server := mustShake(testPair13(t))
	const left = 3
	client.out.seq, server.in.seq = recordsPerKey-left, recordsPerKey-left
	old := client.out.cipher
	one := make([]byte, 1)
	for i := range left + 1 {
		if updated := client.out.cipher != old; updated {
			t.Fatalf("after %d records there is a new key", i)
		}
		if _, err := client.Write(one); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(server, one); err != nil {
			t.Fatal(err)
		}
	}
	if client.out.cipher == old || client.out.seq != 1 {
		t.Errorf("after %d records there is no new key", left+1)
	}
	exchange(t, client, server)
}

func testPair13(t *testing.T) (*testing.T, *Config, *Config) {
	client, server := testConfigs13(t)
	return t, client, server
}

// A peer that asks for updates and does not read cannot keep this end from
// reading: the answer waits for what this end writes next, and is one for all.
func TestKeyUpdateDoesNotBlockReading(t *testing.T) {
	client, server := mustShake(testPair13(t))
	server.NetConn().SetWriteDeadline(time.Now().Add(-time.Second)) // any write fails
	client.out.Lock()
	for range maxUselessRecords - 1 {
		if err := client.updateKeyLocked(updateRequested); err != nil {
			t.Fatal(err)
		}
	}
	client.out.Unlock()
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	server.NetConn().SetWriteDeadline(time.Time{})
	updates := 0
	server.config = server.config.Clone()
	server.config.Trace = func(e TraceEvent) {
		if e.Kind == TraceHandshake && e.Sent {
			updates++
		}
	}
	exchange(t, server, client)
	if updates != 1 {
		t.Errorf("%d updates answer, want 1", updates)
	}
}

// A message after the handshake may come in parts, with a read deadline between.
func TestPostHandshakeInParts(t *testing.T) {
	client, server := mustShake(testPair13(t))
	send := func(typ uint8, part ...byte) {
		t.Helper()
		client.out.Lock()
		defer client.out.Unlock()
		if err := client.appendRecordsLocked(typ, part); err != nil {
			t.Fatal(err)
		}
		if err := client.flushLocked(); err != nil {
			t.Fatal(err)
		}
	}
	one := make([]byte, 1)
	timeout := func() {
		t.Helper()
		server.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := server.Read(one); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		server.SetReadDeadline(time.Now().Add(30 * time.Second))
	}
	send(recordHandshake, msgKeyUpdate, 0)
	timeout()
	send(recordHandshake, 0)
	timeout()
	send(recordHandshake, 1, updateNotRequested)
	client.out.Lock()
	if err := client.setWriteKeyLocked(nextTrafficSecret(client.out.secret)); err != nil {
		t.Fatal(err)
	}
	client.out.Unlock()
	exchange(t, client, server)

	send(recordHandshake, msgKeyUpdate, 0)
	send(recordApplicationData, 1)
	_, err := server.Read(one)
	wantAlert(t, err, "local error", AlertUnexpectedMessage)
}

// Over a connection without a buffer both ends write first: a ticket must not
// make the server wait for a client that is writing.
func TestTicketDoesNotBlock(t *testing.T) {
	clientConfig, serverConfig := testConfigs13(t)
	clientConfig.ClientSessionCache = anyAddressCache{NewLRUClientSessionCache(1)}
	serverConfig.ServerSessionCache = NewLRUServerSessionCache(1)
	c, s := net.Pipe()
	defer c.Close()
	defer s.Close()
	deadline := time.Now().Add(30 * time.Second)
	c.SetDeadline(deadline)
	s.SetDeadline(deadline)
	client, server := Client(c, clientConfig), Server(s, serverConfig)
	done := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(server, make([]byte, 5))
		if err == nil {
			_, err = server.Write([]byte("world"))
		}
		done <- err
	}()
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(client, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, ok := clientConfig.ClientSessionCache.Get(""); !ok {
		t.Error("no ticket came")
	}
}
