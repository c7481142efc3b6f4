// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	stdx509 "crypto/x509"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/cryptobyte"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// rawPeers answer in ways that no decent stack would.
var rawPeers = map[string]func(*world, net.Conn){
	"silent": func(_ *world, c net.Conn) { _, _ = io.Copy(io.Discard, c) },
	"close":  func(_ *world, c net.Conn) { readHello(c) },
	"plain": func(_ *world, c net.Conn) {
		readHello(c)
		_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\n")
	},
	// As OpenSSL, which does not answer a record of TLCP.
	"tls-alone": func(w *world, c net.Conn) {
		raw := readHello(c)
		cert, err := w.tls()
		if err != nil || len(raw) < 2 || raw[1] != 3 {
			return
		}
		chat(tls.Server(&replay{c, bytes.NewReader(raw)}, &tls.Config{Certificates: []tls.Certificate{cert}}))
	},
	"reset": func(_ *world, c net.Conn) {
		readHello(c)
		_ = c.(*net.TCPConn).SetLinger(0)
	},
	"no-suite": alerting(40),
	"tls-no-suite": func(_ *world, c net.Conn) {
		readHello(c)
		_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 40})
		_, _ = io.Copy(io.Discard, c)
	},
	"name-unknown": alerting(112),
	"broken":       alerting(80),
	"old-version":  alerting(70),
	"stall": func(_ *world, c net.Conn) {
		readHello(c)
		sendHello(c, nil)
		_, _ = io.Copy(io.Discard, c)
	},
	"hang-up": func(_ *world, c net.Conn) {
		readHello(c)
		sendHello(c, nil)
	},
	"late": func(_ *world, c net.Conn) {
		readHello(c)
		var stamp [4]byte
		binary.BigEndian.PutUint32(stamp[:], uint32(time.Now().Add(-2*time.Hour).Unix()))
		sendHello(c, stamp[:])
		_, _ = c.Write(record(21, []byte{2, 80}))
	},
	"garbage": func(_ *world, c net.Conn) {
		readHello(c)
		_, _ = c.Write(record(22, []byte{wire.MsgServerHello, 0, 0, 3, 1, 1, 7}))
	},
	"single": func(w *world, c net.Conn) {
		readHello(c)
		cert, _, err := w.leaf(w.gm, "peer", pki.SignUsage)
		if err != nil {
			return
		}
		sendHello(c, nil)
		sendCertificate(c, cert.Raw)
		_, _ = io.Copy(io.Discard, c)
	},
	// As a stack that has a pair of RSA: it answers with a suite of RSA or not at all.
	"rsa-alone": func(_ *world, c net.Conn) {
		const suite = 0xE059
		raw := readHello(c)
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil || len(raw) < 9 {
			return
		}
		if hello, ok := wire.ParseHello(raw[9:], true); !ok || !slices.Contains(hello.Suites, suite) {
			_, _ = c.Write(record(21, []byte{2, 40}))
			return
		}
		template := &stdx509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
		der, err := stdx509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			return
		}
		sendHelloWith(c, nil, suite)
		sendCertificate(c, der)
		_, _ = c.Write(record(22, []byte{wire.MsgServerHelloDone, 0, 0, 0}))
		_, _ = io.Copy(io.Discard, c)
	},
	// As a server with suites of ECDHE alone that chooses one without a word about certificates.
	"ecdhe-chosen": func(_ *world, c net.Conn) {
		raw := readHello(c)
		if len(raw) < 9 {
			return
		}
		if hello, ok := wire.ParseHello(raw[9:], true); !ok || !slices.Contains(hello.Suites, gmtls.ECDHE_SM4_GCM_SM3) {
			_, _ = c.Write(record(21, []byte{2, 40}))
			return
		}
		sendHelloWith(c, nil, gmtls.ECDHE_SM4_GCM_SM3)
		_, _ = c.Write(record(22, []byte{wire.MsgServerHelloDone, 0, 0, 0}))
		_, _ = io.Copy(io.Discard, c)
	},
	// As GmSSL 3.3, which fails over the ChangeCipherSpec in front of a client's certificate.
	"no-dummy": func(w *world, c net.Conn) {
		pair, err := w.pair("peer")
		if err != nil {
			return
		}
		chat(gmtls.Server(&undummied{Conn: c}, &gmtls.Config{
			Versions: []uint16{gmtls.VersionTLS13}, Certificates: []gmtls.Certificate{pair}, ClientAuth: gmtls.RequestClientCert,
		}))
	},
	"no-extensions": func(w *world, c net.Conn) {
		raw := readHello(c)
		if len(raw) < 9 {
			return
		}
		hello, ok := wire.ParseHello(raw[9:], true)
		if !ok || hello.Extensions > 0 {
			_, _ = c.Write(record(21, []byte{2, 110}))
			return
		}
		pair, err := w.pair("peer")
		if err != nil {
			return
		}
		chat(gmtls.Server(&replay{c, bytes.NewReader(raw)}, &gmtls.Config{Certificates: []gmtls.Certificate{pair}}))
	},
}

func alerting(number uint8) func(*world, net.Conn) {
	return func(_ *world, c net.Conn) {
		readHello(c)
		_, _ = c.Write(record(21, []byte{2, number}))
		_, _ = io.Copy(io.Discard, c)
	}
}

// undummied ends when a ChangeCipherSpec comes.
type undummied struct{ net.Conn }

func (u *undummied) Read(b []byte) (int, error) {
	n, err := u.Conn.Read(b)
	if n > 0 && b[0] == wire.RecordChangeCipherSpec {
		_ = u.Conn.(*net.TCPConn).SetLinger(0)
		u.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func sendCertificate(c net.Conn, der []byte) {
	var b cryptobyte.Builder
	b.AddUint8(wire.MsgCertificate)
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(der) })
		})
	})
	_, _ = c.Write(record(22, b.BytesOrPanic()))
}

// replay gives back what was read, then reads on.
type replay struct {
	net.Conn
	before *bytes.Reader
}

func (r *replay) Read(b []byte) (int, error) {
	if r.before.Len() > 0 {
		return r.before.Read(b)
	}
	return r.Conn.Read(b)
}

// readHello reads one record with its header.
func readHello(c net.Conn) []byte {
	head := make([]byte, 5)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(c, body); err != nil {
		return nil
	}
	return append(head, body...)
}

func record(typ uint8, body []byte) []byte {
	return append([]byte{typ, 1, 1, byte(len(body) >> 8), byte(len(body))}, body...)
}

// sendHello sends a ServerHello of TLCP whose random begins with stamp.
func sendHello(c net.Conn, stamp []byte) { sendHelloWith(c, stamp, gmtls.ECC_SM4_GCM_SM3) }

func sendHelloWith(c net.Conn, stamp []byte, suite uint16) {
	random := make([]byte, 32)
	_, _ = rand.Read(random)
	copy(random, stamp)
	var b cryptobyte.Builder
	b.AddUint8(wire.MsgServerHello)
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16(gmtls.VersionTLCP)
		b.AddBytes(random)
		b.AddUint8(0)
		b.AddUint16(suite)
		b.AddUint8(0)
	})
	_, _ = c.Write(record(22, b.BytesOrPanic()))
}

// fillBacklog listens with the shortest backlog, fills it, and sets ADDR. From
// then on nobody gets an answer there.
func fillBacklog(ts *testscript.TestScript, neg bool, args []string) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	check(ts, err)
	ts.Defer(func() { syscall.Close(fd) })
	check(ts, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check(ts, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	check(ts, err)
	addr := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}).String()
	ts.Setenv("ADDR", addr)
	for range 64 {
		c, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			return
		}
		ts.Defer(func() { c.Close() })
	}
	ts.Fatalf("the backlog takes 64 connections")
}
