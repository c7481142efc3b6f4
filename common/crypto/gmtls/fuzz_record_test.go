// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"errors"
	"hash"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

// streamConn is a connection whose other end has said all that it will say.
type streamConn struct {
	net.Conn // nil: what is not below is not to be used
	in       bytes.Reader
	written  int
}

func (c *streamConn) Read(b []byte) (int, error)       { return c.in.Read(b) }
func (c *streamConn) Write(b []byte) (int, error)      { c.written += len(b); return len(b), nil }
func (c *streamConn) Close() error                     { return nil }
func (c *streamConn) RemoteAddr() net.Addr             { return nil }
func (c *streamConn) SetWriteDeadline(time.Time) error { return nil }

func newStream(b []byte) *streamConn {
	c := new(streamConn)
	c.in.Reset(b)
	return c
}

// allocates fails the test if f allocates more than limit bytes, which is far
// above what it needs and far below what would hurt.
func allocates(t *testing.T, limit uint64, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > limit {
		t.Fatalf("allocated %d bytes, more than %d", n, limit)
	}
}

// FuzzRecordsIn reads handshake messages, then records, from any bytes.
func FuzzRecordsIn(f *testing.F) {
	for _, name := range transcriptNames[:4] {
		for _, flow := range readFlows(f, transcriptDir+"/"+name+".txt") {
			f.Add(flow.data, byte(0))
		}
	}
	f.Add(rawWire(recordAlert, VersionTLCP, 2, []byte{2, 40}), byte(0))
	f.Add(rawWire(recordHandshake, VersionTLCP, 4, []byte{0, 0, 0, 0}), byte(0))
	f.Add(rawWire(recordHandshake, VersionTLCP, 4, []byte{1, 0xff, 0xff, 0xff}), byte(0))
	for i, suite := range CipherSuites() {
		sealer, _, _ := testKeySchedule(f, suiteByID(suite.ID))
		sealed, err := sealer.seal(nil, (&Config{}).rand(), 0, recordApplicationData, []byte("data"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(rawWire(recordApplicationData, VersionTLCP, len(sealed), sealed), byte(i+1))
	}
	f.Fuzz(func(t *testing.T, b []byte, protection byte) {
		stream := newStream(b)
		c := newConn(stream, nil, false)
		if i := int(protection) % 5; i > 0 {
			c.in.cipher, _, _ = testKeySchedule(t, cipherSuites[i-1])
			c.in.anyRecord = true
		}
		allocates(t, 8<<20, func() {
			total, err := 0, error(nil)
			for err == nil {
				var msg []byte
				if msg, err = c.readMessage(); err == nil {
					total += len(msg)
					if want := handshakeHdrLen + int(msg[1])<<16 + int(msg[2])<<8 + int(msg[3]); len(msg) != want {
						t.Fatalf("a message of %d bytes says that it has %d", len(msg), want)
					}
				}
			}
			c.in.hand, c.in.handOff = nil, 0
			for err = nil; err == nil; {
				var payload []byte
				_, payload, err = c.nextRecordLocked()
				total += len(payload)
			}
			if total > len(b) {
				t.Fatalf("%d bytes made %d", len(b), total)
			}
		})
		if len(c.in.buf) > largeReadBuffer {
			t.Fatalf("the buffer grew to %d bytes", len(c.in.buf))
		}
	})
}

// FuzzRecordsOut seals what is to be written and reads it back.
func FuzzRecordsOut(f *testing.F) {
	f.Add([]byte("data"), uint16(1), byte(0), uint16(0))
	f.Add(make([]byte, 300), uint16(80), byte(2), uint16(7))
	f.Add(make([]byte, 1000), uint16(50), byte(1), uint16(40_000))
	f.Fuzz(func(t *testing.T, data []byte, repeat uint16, suite byte, chunk uint16) {
		if len(data) > 1024 {
			return
		}
		data = bytes.Repeat(data, int(repeat)%128)
		var wire bytes.Buffer
		out := newConn(&writeConn{Writer: &wire}, nil, true)
		out.out.cipher, _, _ = testKeySchedule(t, cipherSuites[int(suite)%4])
		out.handshakeDone.Store(true)
		sent := 0
		for sent < len(data) && wire.Len() < 64<<10 { // chunks of a few bytes take many times their size
			n, err := out.Write(data[sent:min(sent+int(chunk)+1, len(data))])
			if err != nil {
				t.Fatal(err)
			}
			sent += n
		}
		in := newConn(newStream(wire.Bytes()), nil, false)
		in.in.cipher, _, _ = testKeySchedule(t, cipherSuites[int(suite)%4])
		in.in.anyRecord = true
		in.handshakeDone.Store(true)
		got, err := io.ReadAll(in)
		if err != io.ErrUnexpectedEOF || !bytes.Equal(data[:sent], got) {
			t.Fatalf("%d bytes became %d, %v", sent, len(got), err)
		}
	})
}

type writeConn struct {
	net.Conn // nil
	io.Writer
}

func (c *writeConn) Write(b []byte) (int, error) { return c.Writer.Write(b) }

// FuzzRecordChanged changes a sealed record, which must not open then.
func FuzzRecordChanged(f *testing.F) {
	f.Add([]byte("data"), byte(0), uint16(0), byte(1))
	f.Add([]byte("data"), byte(2), uint16(20), byte(0x80))
	f.Add(make([]byte, 100), byte(2), uint16(140), byte(0xff))
	f.Add([]byte{}, byte(2), uint16(63), byte(16))
	f.Fuzz(func(t *testing.T, payload []byte, suite byte, at uint16, xor byte) {
		if len(payload) > maxPlaintext {
			return
		}
		protection, _, _ := testKeySchedule(t, cipherSuites[int(suite)%4])
		body, err := protection.seal(nil, (&Config{}).rand(), 5, recordApplicationData, payload)
		if err != nil || len(body) > len(payload)+sm4.BlockSize+sm3.Size+sm4.BlockSize {
			t.Fatalf("%d bytes became %d, %v", len(payload), len(body), err)
		}
		body[int(at)%len(body)] ^= xor
		got, ok := protection.open(5, recordApplicationData, body)
		if ok != (xor == 0) || ok && !bytes.Equal(got, payload) {
			t.Fatalf("opened: %v, changed by %#x", ok, xor)
		}
	})
}

// FuzzCBCOpen compares the constant-time opening of CBC records with a plain one
// over crypto/hmac, on clear texts that the fuzzer chooses.
func FuzzCBCOpen(f *testing.F) {
	s := suiteByID(ECC_SM4_CBC_SM3)
	protection, _, block := testKeySchedule(f, s)
	c := protection.(*cbcCipher)
	for _, size := range []int{0, 1, 15, 16, 17, 100} {
		sealed, err := c.seal(nil, (&Config{}).rand(), 9, recordHandshake, make([]byte, size))
		if err != nil {
			f.Fatal(err)
		}
		iv, text := sealed[:sm4.BlockSize], sealed[sm4.BlockSize:]
		cipher.NewCBCDecrypter(c.block, iv).CryptBlocks(text, text)
		f.Add(text, false)
		f.Add(text[:len(text)-1], true)
	}
	f.Add(bytes.Repeat([]byte{255}, 320), true)
	f.Fuzz(func(t *testing.T, text []byte, fixMAC bool) {
		if len(text) > maxPlaintext {
			return
		}
		text = append(text, make([]byte, -len(text)&(sm4.BlockSize-1))...)
		if len(text) > 0 && fixMAC { // else hardly any MAC would be right
			if n := len(text) - int(text[len(text)-1]) - 1 - sm3.Size; n >= 0 {
				copy(text[n:], plainMAC(block[:sm3.Size], text[:n]))
			}
		}
		want, wantOK := plainOpen(block[:sm3.Size], text)
		body := append(make([]byte, sm4.BlockSize), text...)
		cipher.NewCBCEncrypter(c.block, body[:sm4.BlockSize]).CryptBlocks(body[sm4.BlockSize:], body[sm4.BlockSize:])
		got, ok := c.open(9, recordHandshake, body)
		if ok != wantOK || ok && !bytes.Equal(got, want) {
			t.Fatalf("opened: %v with %d bytes, want %v with %d", ok, len(got), wantOK, len(want))
		}
	})
}

// plainMAC is the MAC of a handshake record with the sequence number 9.
func plainMAC(key, payload []byte) []byte {
	mac := hmac.New(func() hash.Hash { return sm3.New() }, key)
	mac.Write([]byte{0, 0, 0, 0, 0, 0, 0, 9, recordHandshake, 1, 1, byte(len(payload) >> 8), byte(len(payload))})
	mac.Write(payload)
	return mac.Sum(nil)
}

func plainOpen(key, text []byte) (payload []byte, ok bool) {
	if len(text) == 0 {
		return nil, false
	}
	pad := int(text[len(text)-1]) + 1
	n := len(text) - pad - sm3.Size
	if n < 0 || !bytes.Equal(text[len(text)-pad:], paddingOf(pad)) {
		return nil, false
	}
	return text[:n], hmac.Equal(plainMAC(key, text[:n]), text[n:n+sm3.Size])
}

// FuzzSniff tells protocols apart without losing bytes.
func FuzzSniff(f *testing.F) {
	for _, s := range []string{"\x16\x01\x01\x00\x01x", "\x16\x03\x01\x02", "GET / HTTP/1.1", "", "\x16"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		protocol, conn, err := Sniff(newStream(b), 0)
		got, readErr := io.ReadAll(conn)
		if readErr != nil || !bytes.Equal(got, b) {
			t.Fatalf("%x became %x, %v", b, got, readErr)
		}
		want := ProtocolUnknown
		switch {
		case bytes.HasPrefix(b, []byte{22, 1, 1}):
			want = ProtocolTLCP
		case len(b) > 2 && bytes.HasPrefix(b, []byte{22, 3}):
			want = ProtocolTLS
		}
		if protocol != want || (err == nil) != (want != ProtocolUnknown) || len(b) > 2 && err != nil && !errors.Is(err, ErrUnknownProtocol) {
			t.Fatalf("%x: %v, %v", b, protocol, err)
		}
	})
}
