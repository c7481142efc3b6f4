// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// Both errors of the system mean the same; a live one is met in the scripts of
// package cli.
func TestUnreachable(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EHOSTUNREACH, syscall.ENETUNREACH} {
		err := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
		found := connectFindings("10.0.0.1:7051", err)
		require.Len(t, found, 1)
		require.Equal(t, cause.Unreachable, found[0].Cause)
	}
}

// TestUsageForSigning: a certificate that this end refuses for its KeyUsage is told as that, whichever rule it breaks.
func TestUsageForSigning(t *testing.T) {
	for _, err := range []error{gmx509.ErrPairSigningUsage, gmx509.ErrTLS13Usage} {
		a := Attempt{err: fmt.Errorf("gmtls: %w", err)}
		found := a.explainLocal(protocolTLS13, uint8(gmtls.AlertUnsupportedCertificate))
		require.Len(t, found, 1)
		require.Equal(t, cause.SignUsage, found[0].Cause)
	}
}

func TestOptions(t *testing.T) {
	o := Options{Target: ":7051", Timeout: 1}
	require.EqualError(t, o.check("all", "text", 0), `":7051" lacks the host or the port`)
	o.Target = "h:1"
	o.Timeout = 0
	require.EqualError(t, o.check("all", "text", 0), "--timeout must be positive")
	o.Timeout = 1
	require.EqualError(t, o.check("all", "text", -1), "--watch must not be negative")
	require.NoError(t, o.check("tls", "json", 0))
	require.Equal(t, []string{protocolTLS}, o.Protocols)
}

// stopAfter ends a context once it was written to so often.
type stopAfter struct {
	lines  []string
	n      int
	cancel context.CancelFunc
}

func (s *stopAfter) Write(b []byte) (int, error) {
	if s.lines = append(s.lines, string(b)); len(s.lines) == s.n {
		s.cancel()
	}
	return len(b), nil
}

func TestWatchRepeatsUntilStopped(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	w := &stopAfter{n: 3, cancel: cancel}
	o := Options{Target: l.Addr().String(), Timeout: time.Second, Protocols: []string{protocolTLCP}}
	code, _ := exit.Code(repeat(ctx, o, time.Millisecond, "text", w))
	require.Equal(t, exit.Connect, code)
	require.Len(t, w.lines, 3)
	for _, line := range w.lines {
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\S+  connection-refused: `, line)
		require.Equal(t, 1, strings.Count(line, "\n"))
	}
}

// TestOneProtocolAgainstTheOther: a node in mode gm refuses TLS with an alert that says no more, and what it does speak was not
// asked for.
func TestOneProtocolAgainstTheOther(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	pair := ca.NewPair(t, "127.0.0.1")
	cert, err := gmtls.X509KeyPair(pair.SignCert, pair.SignKey, pair.EncCert, pair.EncKey)
	require.NoError(t, err)
	for _, alert := range []byte{70, 0} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					conn.SetDeadline(time.Now().Add(20 * time.Second))
					protocol, conn, err := gmtls.Sniff(conn, 0)
					switch {
					case err != nil:
					case protocol == gmtls.ProtocolTLCP:
						gmtls.Server(conn, &gmtls.Config{Certificates: []gmtls.Certificate{cert}}).Handshake()
					case alert != 0:
						conn.Write([]byte{21, 3, 3, 0, 2, 2, alert})
					}
				}()
			}
		}()
		r, err := Run(context.Background(), Options{
			Target: l.Addr().String(), Timeout: 20 * time.Second, Protocols: []string{protocolTLS}, Quick: true,
		})
		require.NoError(t, err)
		require.Len(t, r.Protocols, 1)
		require.Len(t, r.Protocols[0].Findings, 1)
		require.Equal(t, cause.SpeaksTLCP, r.Protocols[0].Findings[0].Cause, "alert %d", alert)
		require.Equal(t, exit.Handshake, r.ExitCode)
	}
}

// A name may have an address on which nothing listens; the next one counts.
func TestSecondAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	p := &prober{Options: Options{Timeout: 20 * time.Second}}
	r := new(Report)
	require.True(t, p.connect(context.Background(), r, []string{"127.0.0.2", "127.0.0.1"}, port))
	require.Equal(t, l.Addr().String(), r.Address)
	require.Len(t, r.Findings, 1)
	require.Equal(t, cause.Refused, r.Findings[0].Cause)
	require.True(t, r.Findings[0].Warning)
	l.Close()
	require.NoError(t, p.ready.Close()) // is kept for the first handshake
	p.ready = nil
	r = new(Report)
	require.False(t, p.connect(context.Background(), r, []string{"127.0.0.2", "127.0.0.1"}, port))
	require.Len(t, r.Findings, 2)
	require.False(t, r.Findings[1].Warning)
}

// TestHeaderFieldsOfAnswers that are too large never reach the tool: gRPC's server knows the bound of its client.
func TestHeaderFieldsOfAnswers(t *testing.T) {
	pair := gmtlstest.NewCA(t).NewPair(t, "127.0.0.1")
	cert, err := gmtls.X509KeyPair(pair.SignCert, pair.SignKey, pair.EncCert, pair.EncKey)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	size := 1 << 10
	server := grpc.NewServer(grpc.Creds(gmcredentials.New(&gmtls.Config{Certificates: []gmtls.Certificate{cert}})),
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
			return status.Error(codes.Unavailable, strings.Repeat("a", size))
		}))
	go server.Serve(l)
	t.Cleanup(server.Stop)
	for _, whole := range []bool{true, false} {
		r, err := Run(context.Background(), Options{
			Target: l.Addr().String(), Timeout: 20 * time.Second, Protocols: []string{protocolTLCP}, Quick: true, Fabric: true,
		})
		require.NoError(t, err)
		require.Len(t, r.Fabric.Findings, 1)
		require.Equal(t, whole, strings.Contains(r.Fabric.Findings[0].Detail, strings.Repeat("a", size)), "%.200s", r.Fabric.Findings[0].Detail)
		size = 65 << 10
	}
}
