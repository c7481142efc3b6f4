// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/rand"
	"crypto/tls"
	"io"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/stretchr/testify/require"
)

// inStrict runs the test in a separate process, since the setting holds for the rest of a process.
func inStrict(t *testing.T) (here bool) {
	t.Helper()
	const variable = "TEST_OF_STRICT"
	if os.Getenv(variable) == t.Name() {
		gm.UseRandom(mathrand.NewChaCha8([32]byte{1})) // bytes that pass; of chance, one start in 10,000 fails
		require.NoError(t, gm.EnableStrict())
		gm.UseRandom(rand.Reader)
		return true
	}
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), variable+"="+t.Name())
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: "+t.Name())
	return false
}

func TestStrictRefusesWhatIsNotTLCP(t *testing.T) {
	if !inStrict(t) {
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, err = NewGRPCServerFromListener(listener, ServerConfig{})
	require.ErrorContains(t, err, "would be without protection, and this node speaks only GM protocols because of BCCSP.GM.Strict")
	_, err = ClientConfig{}.DialOptions()
	require.ErrorContains(t, err, "BCCSP.GM.Strict")

	for mode, client := range map[ServerMode]ClientMode{ModeTLS: ClientGM, ModeDual: ClientGM, "": ClientTLS} {
		err := (&Source{role: "peer.server"}).checkModes(&sourceState{serverMode: mode, clientMode: client})
		require.ErrorContains(t, err, "this node speaks only GM protocols because of BCCSP.GM.Strict", "%s %s", mode, client)
	}

	hybrid := &sourceState{serverMode: ModeGM, clientMode: ClientGM, gmHybrid: true}
	require.ErrorContains(t, (&Source{role: "peer.server"}).checkModes(hybrid), "ML-KEM, and this node uses only approved algorithms because of BCCSP.GM.Strict")

	e, err := fixedEndpoint(newPKI(t).node(t).options()) // no source has checked the mode of such a listener
	require.NoError(t, err)
	client, server := tcpPair(t)
	_, err = client.Write(firstFlight(t))
	require.NoError(t, err)
	_, _, err = e.handshake(server)
	require.ErrorContains(t, err, "speaks TLS")
	require.ErrorContains(t, err, "BCCSP.GM.Strict")
}

// TestStrictServesGM: such a node listens and dials in mode gm, by either of the GM protocols.
func TestStrictServesGM(t *testing.T) {
	if !inStrict(t) {
		return
	}
	org := newPKI(t)
	for _, protocol := range []string{GMProtocolTLCP, GMProtocolTLS13} {
		so := SecureOptions{UseTLS: true, RequireClientCert: true, Source: newTestSource(t, SourceConfig{
			Role: protocol + ".server", Load: fixed(org.node(t)), ServerMode: ModeGM, GMProtocols: []string{protocol},
		})}
		co := SecureOptions{UseTLS: true, RequireClientCert: true, Source: newTestSource(t, SourceConfig{
			Role: protocol + ".client", Load: fixed(org.node(t)), ClientMode: ClientGM, GMClientProtocol: protocol,
		})}
		srv, service := startServer(t, so)
		require.NoError(t, try(t, srv.Address(), co), protocol)
		require.Equal(t, int64(1), service.calls.Load())
	}
}

// TestStrictDialsNoTLS: credentials that have no mode send nothing to the server.
func TestStrictDialsNoTLS(t *testing.T) {
	if !inStrict(t) {
		return
	}
	creds := &DynamicClientCredentials{TLSConfig: &tls.Config{ServerName: "127.0.0.1"}}
	client, server := tcpPair(t)
	_, _, err := creds.ClientHandshake(t.Context(), "127.0.0.1", client)
	require.ErrorContains(t, err, "by TLS is asked for, and this node speaks only GM protocols because of BCCSP.GM.Strict")
	require.NoError(t, client.Close())
	sent, err := io.ReadAll(server)
	require.NoError(t, err)
	require.Empty(t, sent)
}
