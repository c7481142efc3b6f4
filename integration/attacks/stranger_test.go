// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	stdx509 "crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/integration/load"
	"github.com/hyperledger/fabric/integration/network"
)

// patience is how long an attack continues that nobody ends, and honestPatience how long an honest client waits.
const (
	patience       = 20 * time.Second
	honestPatience = 5 * time.Second
)

// stranger is somebody without a certificate, or with one that nobody knows, at many addresses.
type stranger struct {
	target    string // address of the listener
	mode      string // network.ModeTLS or ModeGM
	addresses int
	calls                       // of the server
	hello     []byte            // a ClientHello of the mode
	junk      tls.Certificate   // for TLS
	junkGM    gmtls.Certificate // for TLCP
	chain     [][]byte          // of TLCP certificates that are within all bounds, and take much room
}

func newStranger(t *testing.T, target, mode string, addresses int) *stranger {
	t.Helper()
	s := &stranger{target: target, mode: mode, addresses: addresses, calls: peerCalls}
	s.hello = s.firstFlight(t)
	if mode == network.ModeTLS {
		s.junk = junkTLS(t)
	} else {
		s.junkGM = junkGM(t, usages)
		for range 13 {
			s.chain = append(s.chain, junkGM(t, 900).Certificate[0])
		}
	}
	return s
}

// dial connects from one of the stranger's addresses, 127.1.0.1 and so on.
func (s *stranger) dial(i int) (net.Conn, error) {
	i %= s.addresses
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(i>>8), byte(i&0xff)+1)}, Timeout: patience}
	conn, err := d.Dial("tcp", s.target)
	if err == nil {
		conn.SetDeadline(time.Now().Add(patience))
	}
	return conn, err
}

// firstFlight records what a client of the mode sends first.
func (s *stranger) firstFlight(t *testing.T) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		s.handshake(client)
		client.Close()
	}()
	record := make([]byte, 5)
	_, err := io.ReadFull(server, record)
	require.NoError(t, err)
	record = append(record, make([]byte, int(record[3])<<8|int(record[4]))...)
	_, err = io.ReadFull(server, record[5:])
	require.NoError(t, err)
	return record
}

// handshake is a complete one, with the junk certificate if the server asks for one.
func (s *stranger) handshake(raw net.Conn) error {
	if s.mode == network.ModeTLS {
		return tls.Client(raw, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{s.junk}, NextProtos: []string{"h2"}}).Handshake()
	}
	return gmtls.Client(raw, &gmtls.Config{
		InsecureSkipVerify: true, Certificates: []gmtls.Certificate{s.junkGM}, NextProtos: []string{"h2"},
		CipherSuites: []uint16{gmtls.ECC_SM4_GCM_SM3},
	}).Handshake()
}

// anonymous is the same stranger without a certificate.
func (s *stranger) anonymous() *stranger {
	other := *s
	other.junk, other.junkGM = tls.Certificate{}, gmtls.Certificate{}
	return &other
}

// attack is what a stranger does with one connection. What is open when it returns is closed.
type attack struct {
	name string
	do   func(s *stranger, conn net.Conn)
}

// awaitEnd waits until the node has had enough.
func awaitEnd(conn net.Conn) { io.Copy(io.Discard, conn) }

var attacks = []attack{
	{"silence", func(s *stranger, conn net.Conn) { awaitEnd(conn) }},
	{"three bytes, then nothing", func(s *stranger, conn net.Conn) {
		conn.Write(s.hello[:3])
		awaitEnd(conn)
	}},
	{"ClientHello, then nothing", func(s *stranger, conn net.Conn) {
		conn.Write(s.hello)
		awaitEnd(conn)
	}},
	{"ClientHello byte by byte", func(s *stranger, conn net.Conn) {
		for _, b := range s.hello {
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
		}
		awaitEnd(conn)
	}},
	{"garbage", func(s *stranger, conn net.Conn) {
		garbage := make([]byte, 4000)
		rand.Read(garbage)
		conn.Write(garbage)
		awaitEnd(conn)
	}},
	{"garbage after ClientHello", func(s *stranger, conn net.Conn) {
		conn.Write(append(bytes.Clone(s.hello), bytes.Repeat([]byte{s.hello[0], s.hello[1], s.hello[2], 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 200)...))
		awaitEnd(conn)
	}},
	{"plain HTTP", func(s *stranger, conn net.Conn) {
		io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n")
		awaitEnd(conn)
	}},
	{"half-open", func(s *stranger, conn net.Conn) {
		conn.Write(s.hello)
		conn.(*net.TCPConn).CloseWrite()
		awaitEnd(conn)
	}},
	{"churn", func(s *stranger, conn net.Conn) { conn.(*net.TCPConn).SetLinger(0) }},
	{"records without end", func(s *stranger, conn net.Conn) {
		record := append([]byte{s.hello[0], s.hello[1], s.hello[2], 0x40, 0, 1, 0, 0xff, 0xff}, make([]byte, 0x4000-4)...)
		for range 20 {
			if _, err := conn.Write(record); err != nil {
				return
			}
		}
		awaitEnd(conn)
	}},
	{"huge certificates", func(s *stranger, conn net.Conn) { s.handshake(conn) }},
	{"a certificate of the node, with junk", (*stranger).replay},
	{"no reading after the handshake", func(s *stranger, conn net.Conn) {
		conn.(*net.TCPConn).SetReadBuffer(1024)
		if s.anonymous().handshake(conn) == nil {
			time.Sleep(100 * time.Millisecond) // it keeps the node waiting
		}
	}},
}

// replay takes the node's own certificates from its flight and shows them with junk authorities, without their key.
func (s *stranger) replay(conn net.Conn) {
	var taken [][]byte
	if s.mode == network.ModeTLS {
		tls.Client(conn, &tls.Config{InsecureSkipVerify: true, VerifyPeerCertificate: func(raw [][]byte, _ [][]*stdx509.Certificate) error {
			taken = raw
			return nil
		}, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: append(taken, s.junk.Certificate...), PrivateKey: s.junk.PrivateKey}, nil
		}}).Handshake()
		return
	}
	gmtls.Client(conn, &gmtls.Config{InsecureSkipVerify: true, VerifyPeerCertificate: func(raw [][]byte, _ [][]*stdx509.Certificate) error {
		taken = raw
		return nil
	}, CipherSuites: []uint16{gmtls.ECC_SM4_GCM_SM3}, GetClientCertificate: func(*gmtls.CertificateRequestInfo) (*gmtls.Certificate, error) {
		certs := taken[:2:2]
		for _, der := range s.chain {
			der = bytes.Clone(der)
			rand.Read(der[len(der)-8:]) // of the signature, so that no two are the same
			certs = append(certs, der)
		}
		return &gmtls.Certificate{Certificate: certs, PrivateKey: s.junkGM.PrivateKey, EncPrivateKey: s.junkGM.EncPrivateKey}, nil
	}}).Handshake()
}

// usages is the number of extended usages of a junk certificate: some 55 KB of DER that take 20 times as much in memory.
const usages = 11000

func junkTLS(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &stdx509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "junk"}, NotAfter: time.Now().Add(time.Hour)}
	for range usages {
		template.UnknownExtKeyUsage = append(template.UnknownExtKeyUsage, asn1.ObjectIdentifier{1, 2, 3})
	}
	der, err := stdx509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func junkGM(t *testing.T, usages int) gmtls.Certificate {
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	template := &smx509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "junk"}, NotAfter: time.Now().Add(time.Hour), KeyUsage: smx509.KeyUsageDigitalSignature}
	for range usages {
		template.UnknownExtKeyUsage = append(template.UnknownExtKeyUsage, asn1.ObjectIdentifier{1, 2, 3})
	}
	der, err := smx509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return gmtls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, EncPrivateKey: key}
}

// besiege repeats the attack on so many connections at a time until the returned function is called. With once, each
// connection is opened once.
func (s *stranger) besiege(a attack, connections int, once bool) (end func() (opened int64)) {
	ctx, cancel := context.WithCancel(context.Background())
	var opened atomic.Int64
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			for ctx.Err() == nil {
				conn, err := s.dial(i)
				if err != nil {
					select { // a full queue of the listener, for one
					case <-ctx.Done():
					case <-time.After(10 * time.Millisecond):
					}
					continue
				}
				opened.Add(1)
				stop := context.AfterFunc(ctx, func() { conn.Close() })
				a.do(s, conn)
				stop()
				conn.Close()
				if once {
					return
				}
			}
		})
	}
	if once {
		wg.Wait()
	}
	return func() int64 {
		cancel()
		wg.Wait()
		return opened.Load()
	}
}

// honest is a client that verifies the node, from separate addresses.
type honest struct {
	target string
	std    *tls.Config
	gm     *gmtls.Config // if not nil, TLCP
}

// newHonest trusts the root of the peer's TLS folder.
func newHonest(t *testing.T, n *network.Network, node network.Node, mode string) *honest {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(n.Dir, "crypto", "*", "*", "*", node.Name, "tls"))
	require.NoError(t, err)
	require.Len(t, dirs, 1)
	h := &honest{target: node.Local()}
	if mode == network.ModeTLS {
		pem, err := os.ReadFile(filepath.Join(dirs[0], "ca.crt"))
		require.NoError(t, err)
		pool := stdx509.NewCertPool()
		require.True(t, pool.AppendCertsFromPEM(pem))
		h.std = &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", NextProtos: []string{"h2"}}
		return h
	}
	pem, err := os.ReadFile(filepath.Join(dirs[0], "gm-ca.crt"))
	require.NoError(t, err)
	pool := smx509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	h.gm = &gmtls.Config{RootCAs: pool, ServerName: "127.0.0.1", NextProtos: []string{"h2"}}
	return h
}

// connect makes a handshake and waits for the first byte of the gRPC server behind it.
func (h *honest) connect(from net.IP) (time.Duration, error) {
	began := time.Now()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: honestPatience}
	raw, err := d.Dial("tcp", h.target)
	if err != nil {
		return 0, err
	}
	defer raw.Close()
	raw.SetDeadline(began.Add(honestPatience))
	var conn net.Conn
	if h.gm != nil {
		conn = gmtls.Client(raw, h.gm)
	} else {
		conn = tls.Client(raw, h.std)
	}
	_, err = conn.Read(make([]byte, 1))
	return time.Since(began), err
}

// memory returns the resident size of a process now and at its peak, in MiB.
func memory(t *testing.T, pid int) (now, peak int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	field := func(name string) int {
		_, rest, ok := strings.Cut(string(status), "\n"+name+":")
		require.True(t, ok, name)
		kib, err := strconv.Atoi(strings.Fields(rest)[0])
		require.NoError(t, err)
		return kib >> 10
	}
	return field("VmRSS"), field("VmHWM")
}

// forgetPeak makes the present size of a process its peak.
func forgetPeak(t *testing.T, pid int) {
	t.Helper()
	require.NoError(t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0))
}

// strangersMayCost is what all attacks of the short form together may add to a node's memory, in MiB. Certificates that were kept
// unproved, for one, cost ten times as much.
const strangersMayCost = 160

// TestStrangers runs every attack against a peer and an orderer that speak both protocols. Honest clients are served while it
// continues, and the nodes stay the size that they were.
func TestStrangers(t *testing.T) {
	n, _ := start(t, network.Options{Mode: network.ModeDual, Orderers: 1, Orgs: 1, Peers: 1})
	for _, node := range []network.Node{n.Nodes(network.Peer)[0], n.Nodes(network.Orderer)[0]} {
		before, _ := memory(t, n.PID(node.Name))
		forgetPeak(t, n.PID(node.Name))
		for _, mode := range []string{network.ModeTLS, network.ModeGM} {
			s := newStranger(t, node.Local(), mode, 6)
			h := newHonest(t, n, node, mode)
			for _, a := range attacks {
				end := s.besiege(a, 60, false)
				var errs []error
				for range 5 {
					_, err := h.connect(net.IPv4(127, 0, 0, 1))
					errs = append(errs, err)
				}
				require.Positive(t, end(), a.name)
				require.NoError(t, errors.Join(errs...), "%s by %s to %s", a.name, mode, node.Name)
			}
		}
		after, peak := memory(t, n.PID(node.Name))
		t.Logf("%s: %d MiB before, %d MiB after, %d MiB at most", node.Name, before, after, peak)
		require.Less(t, peak, before+strangersMayCost, node.Name)
	}
}

// laborious returns a certificate below authorities of one name and one key, each of which has issued all of them and excludes
// many names: all within the bounds, and millions of comparisons for who builds chains of them (as in CVE-2025-58187).
func laborious(t *testing.T) gmtls.Certificate {
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	issue := func(template *smx509.Certificate) []byte {
		template.SerialNumber, template.Subject, template.NotAfter = big.NewInt(1), pkix.Name{CommonName: "junk"}, time.Now().Add(time.Hour)
		der, err := smx509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		require.NoError(t, err)
		return der
	}
	leaf := &smx509.Certificate{KeyUsage: smx509.KeyUsageDigitalSignature}
	for i := range 500 {
		leaf.DNSNames = append(leaf.DNSNames, fmt.Sprintf("h%d", i))
	}
	certs := [][]byte{issue(leaf)}
	for i := range 5 {
		ca := &smx509.Certificate{KeyUsage: smx509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true, DNSNames: []string{fmt.Sprintf("ca%d", i)}}
		for j := range 450 {
			ca.ExcludedDNSDomains = append(ca.ExcludedDNSDomains, fmt.Sprintf("x%d", j))
		}
		certs = append(certs, issue(ca))
	}
	return gmtls.Certificate{Certificate: certs, PrivateKey: key, EncPrivateKey: key}
}

// laboriousMayCost is what the node may compute for 24 strangers with such certificates, in seconds. It takes 0.03; with all that
// they sent in its chains it took all that the processors had for the time of a handshake and longer.
const laboriousMayCost = 1

// TestStrangersKeepNothing: certificates that are shown a thousand times without their key, each time with other junk, are
// forgotten. Those that are made to be laborious cost little.
func TestStrangersKeepNothing(t *testing.T) {
	n, _ := start(t, network.Options{Mode: network.ModeGM, MutualTLS: true, Orderers: 1, Orgs: 1, Peers: 1})
	node := n.Nodes(network.Peer)[0]
	s := newStranger(t, node.Local(), network.ModeGM, 24)
	before, _ := memory(t, n.PID(node.Name))
	forgetPeak(t, n.PID(node.Name))
	for range 20 {
		s.besiege(attack{"", (*stranger).replay}, 48, true)()
	}
	after, peak := memory(t, n.PID(node.Name))
	t.Logf("%d MiB before, %d MiB after, %d MiB at most", before, after, peak)
	require.Less(t, peak, before+strangersMayCost)

	cert := laborious(t)
	used, err := load.CPUTime(n.PID(node.Name))
	require.NoError(t, err)
	s.besiege(attack{"", func(_ *stranger, conn net.Conn) {
		gmtls.Client(conn, &gmtls.Config{InsecureSkipVerify: true, CipherSuites: []uint16{gmtls.ECC_SM4_GCM_SM3},
			GetClientCertificate: func(*gmtls.CertificateRequestInfo) (*gmtls.Certificate, error) { return &cert, nil }}).Handshake()
	}}, 24, true)()
	cpu, earlier := used, -1.0
	for cpu-earlier > 0.2 { // it may go on computing when the connections have ended
		time.Sleep(time.Second)
		earlier = cpu
		cpu, err = load.CPUTime(n.PID(node.Name))
		require.NoError(t, err)
	}
	t.Logf("%.2f s of CPU time for laborious certificates", cpu-used)
	require.Less(t, cpu-used, float64(laboriousMayCost))
}
