// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/capturetest"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// tap stands between clients and the peer at ADDR and sets ADDR to itself. With
// "tapped FILE" what it carried becomes a capture.
type tap struct {
	mu    sync.Mutex
	conns []*capturetest.Tap // protected by mu
	wg    sync.WaitGroup
}

func startTap(ts *testscript.TestScript, neg bool, args []string) {
	target := ts.Getenv("ADDR")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(ts, err)
	ts.Defer(func() { l.Close() })
	ts.Setenv("ADDR", l.Addr().String())
	t := ts.Value("tap").(*tap)
	go serve(l, func(client net.Conn) {
		raw, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		server := &capturetest.Tap{Conn: raw}
		t.mu.Lock()
		t.conns = append(t.conns, server)
		t.mu.Unlock()
		t.wg.Add(1)
		defer t.wg.Done()
		defer server.Close()
		back := make(chan struct{})
		go func() {
			defer close(back)
			_, _ = io.Copy(client, server)
			_ = client.(*net.TCPConn).CloseWrite()
		}()
		_, _ = io.Copy(server, client)
		_ = server.CloseWrite()
		<-back
	})
}

func tapped(ts *testscript.TestScript, neg bool, args []string) {
	t := ts.Value("tap").(*tap)
	t.wg.Wait()
	var conversations [][]capturetest.Flow
	for _, c := range t.conns {
		conversations = append(conversations, c.Flows())
	}
	file, err := capturetest.File(false, 0, conversations...)
	check(ts, err)
	check(ts, os.WriteFile(ts.MkAbs(args[0]), file, 0o600))
}

// conversation writes talk.pcap, in which a client says a sentence that the
// server returns, lossy.pcap, which lacks a packet of it, and talk.keys with its
// secrets.
func (c *crafter) conversation() {
	pair, err := c.pair("peer")
	check(c.ts, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(c.ts, err)
	defer l.Close()
	go serve(l, func(conn net.Conn) { chat(gmtls.Server(conn, &gmtls.Config{Certificates: []gmtls.Certificate{pair}})) })
	raw, err := net.Dial("tcp", l.Addr().String())
	check(c.ts, err)
	defer raw.Close()
	check(c.ts, raw.SetDeadline(time.Now().Add(time.Minute)))
	tap := &capturetest.Tap{Conn: raw}
	var keys bytes.Buffer
	client := gmtls.Client(tap, &gmtls.Config{InsecureSkipVerify: true, ServerName: "localhost", KeyLogWriter: &keys})
	sentence := []byte("hello, this is secret")
	_, err = client.Write(sentence)
	check(c.ts, err)
	_, err = io.ReadFull(client, make([]byte, len(sentence)))
	check(c.ts, err)
	check(c.ts, client.CloseWrite())
	_, err = io.Copy(io.Discard, client)
	check(c.ts, err)
	file, err := capturetest.File(false, 0, tap.Flows())
	check(c.ts, err)
	c.put("talk.pcap", file)
	c.put("talk.keys", keys.Bytes())
	lossy, err := capturetest.File(false, 3, tap.Flows())
	check(c.ts, err)
	c.put("lossy.pcap", lossy)
}

// watches runs a command until it has written lines, interrupts it, and checks
// its exit code: "watches LINES CODE gmtls ARGS...". The lines go to the file
// "watched".
func watches(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	check(ts, err)
	cmd := exec.Command(args[2], args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	stdout, err := cmd.StdoutPipe()
	check(ts, err)
	check(ts, cmd.Start())
	guard := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer guard.Stop()
	var text []byte
	lines := bufio.NewScanner(stdout)
	for range want {
		if !lines.Scan() {
			break
		}
		text = append(append(text, lines.Bytes()...), '\n')
	}
	_ = cmd.Process.Signal(os.Interrupt) // it may have ended, which Wait tells
	for lines.Scan() {
	}
	err = cmd.Wait()
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		check(ts, err)
	}
	if strconv.Itoa(code) != args[1] {
		ts.Fatalf("exit code %d, not %s\n%s", code, args[1], text)
	}
	check(ts, os.WriteFile(ts.MkAbs("watched"), text, 0o600))
}
