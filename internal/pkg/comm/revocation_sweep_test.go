// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/internal/pkg/comm/testpb"
)

func init() { sweepInterval = 20 * time.Millisecond }

// stand opens a stream that continues until the connection ends, and returns a function that reports whether it has.
func stand(t *testing.T, address string, so SecureOptions) (ended func() bool) {
	t.Helper()
	conn, err := dial(t, address, so)
	require.NoError(t, err)
	return stream(t, conn)
}

func stream(t *testing.T, conn *grpc.ClientConn) (ended func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	client, err := testpb.NewEmptyServiceClient(conn).EmptyStream(ctx)
	require.NoError(t, err)
	require.NoError(t, client.Send(&testpb.Empty{}))
	_, err = client.Recv()
	require.NoError(t, err)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		client.Recv()
	}()
	return func() bool {
		select {
		case <-gone:
			return true
		default:
			return false
		}
	}
}

// TestEndOfListDrains: when the time of a list is over, the standing connections of its organisation end, those of clients and those to
// servers, whatever streams they carry; others continue, and so do those where the clock of verification is set back.
func TestEndOfListDrains(t *testing.T) {
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			mode, clientMode := (&revocable{protocol: p}).modes()
			org, other := newRevocable(t, p), newRevocable(t, p)
			own, _ := other.node(t)
			own.ClientRootCAs, own.ServerRootCAs = append(own.ClientRootCAs, org.ca.CertPEM), append(own.ServerRootCAs, org.ca.CertPEM)
			source := other.source(t, "checks", own, true)
			serve := func(so SecureOptions) string {
				so.UseTLS, so.ServerMode = true, mode
				server, _ := startServer(t, so)
				return server.Address()
			}
			// What clients trust is theirs to say; they are of the same process, and must not judge the server.
			client := func(of *revocable) SecureOptions {
				m, _ := of.node(t)
				m.ServerRootCAs = own.ServerRootCAs
				so := m.options()
				so.RequireClientCert, so.ClientMode = true, clientMode
				return so
			}
			checks := serve(SecureOptions{RequireClientCert: true, Source: source})
			shifted := serve(SecureOptions{RequireClientCert: true, Source: source, TimeShift: time.Hour})
			serving, _ := org.node(t)
			partner := serve(SecureOptions{Certificate: serving.Certificate, Key: serving.Key})

			listsUntil := func(end time.Time) {
				publish(t, "channel",
					mspOf("Org", [][]byte{org.ca.CertPEM}, [][]byte{org.ca.RevocationList(t, x509.RevocationList{NextUpdate: end})}),
					mspOf("Other", [][]byte{other.ca.CertPEM}, [][]byte{other.ca.RevocationList(t, x509.RevocationList{NextUpdate: end.Add(time.Hour)})}))
			}
			listsUntil(time.Now().Add(time.Hour)) // however long the connections take
			late := client(org)
			late.TimeShift = time.Hour
			refused := map[string]func() bool{
				"a client":                     stand(t, checks, client(org)),
				"a server":                     stand(t, partner, SecureOptions{UseTLS: true, Source: source}),
				"a server, without own source": stand(t, partner, SecureOptions{UseTLS: true, ServerRootCAs: own.ServerRootCAs, ClientMode: clientMode}),
			}
			kept := map[string]func() bool{
				"another organisation": stand(t, checks, client(other)),
				"a clock set back":     stand(t, shifted, late),
			}
			for name, ended := range refused {
				require.False(t, ended(), name)
			}
			end := time.Now().Add(2 * time.Second).Truncate(time.Second)
			listsUntil(end)
			for name, ended := range refused {
				eventually(t, name, ended)
			}
			require.False(t, time.Now().Before(end), "before the list ended")
			time.Sleep(200 * time.Millisecond) // several sweeps, and the grace
			for name, ended := range kept {
				require.False(t, ended(), name)
			}
		})
	}
}

// TestEndOfListIsSaidOnce: an operator reads once that a list has ended, however many roles check by it and however often they do.
func TestEndOfListIsSaidOnce(t *testing.T) {
	org := newRevocable(t, protocolTLCP)
	own, _ := org.node(t)
	org.source(t, "one", own, true)
	org.source(t, "another", own, true)
	now := time.Now()
	publish(t, "channel", mspOf("Org", [][]byte{org.ca.CertPEM}, [][]byte{org.ca.RevocationList(t, x509.RevocationList{NextUpdate: now.Add(time.Hour)})}))
	logger, recorder := floggingtest.NewTestLogger(t)
	defer func(old *flogging.FabricLogger) { commLogger = old }(commLogger)
	commLogger = logger
	at := func(h time.Duration) time.Time { return now.Add(h * time.Hour) }
	sweep(now, at(0))
	require.Empty(t, recorder.Messages())
	sweep(at(0), at(2))
	require.Len(t, recorder.Messages(), 1)
	require.Contains(t, recorder.Messages()[0], "MSP Org in channel channel")
	sweep(at(2), at(3))
	require.Len(t, recorder.Messages(), 1)
}

// TestAskedToEndOnce: a connection that is refused is asked once to end and then closed, and asked again if it was accepted in between.
func TestAskedToEndOnce(t *testing.T) {
	refused := errors.New("its list has ended")
	asked, closed := make(chan struct{}, 8), make(chan struct{}, 8)
	g := &connGroup{}
	entry := &tracked{
		permitted: func() bool { return true }, finish: func() { asked <- struct{}{} }, close: func() error { closed <- struct{}{}; return nil },
	}
	require.NoError(t, g.add(entry))
	defer entry.remove()
	entry.refused = func() error { return refused }
	once := func(c chan struct{}) {
		t.Helper()
		eventually(t, "it is", func() bool { return len(c) == 1 })
		<-c
	}
	for range 3 {
		g.retireRefused(50 * time.Millisecond)
	}
	once(asked)
	once(closed)
	require.Empty(t, asked)

	refused = nil
	g.retireRefused(time.Hour)
	refused = errors.New("the next one has ended too")
	g.retireRefused(time.Hour)
	once(asked)
}
