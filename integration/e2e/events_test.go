// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/integration/network"
)

// TestSecurityEvents does what operators, users and strangers can do to an orderer and a peer, and reads the security events in their
// logs. Every line has the fields that docs/operations.md lists for its event, and no number is missing.
func TestSecurityEvents(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Orderers: 1, Peers: 1, MutualTLS: true})
	w := &watched{t: t, n: n, ctx: ctx, org: n.Peers[0], ca: tlsCAOf(t, n, n.Peers[0])}
	w.orderer, w.peer = n.Nodes(network.Orderer)[0], w.org.PeersOf()[0]
	for _, node := range []network.Node{w.orderer, w.peer} {
		w.await(node, "started", "pid="+strconv.Itoa(n.PID(node.Name)))
		w.operate(node)
		w.reload(node)
		w.connectAsStranger(node)
		w.flood(node)
	}
	w.impersonate()
	w.misuse()
	w.revoke()
	for _, node := range []network.Node{w.orderer, w.peer} {
		w.requireSchema(node)
	}
}

// watched is a network whose events are read.
type watched struct {
	t             *testing.T
	n             *network.Network
	ctx           context.Context
	org           network.Org
	ca            *tlsCA
	orderer, peer network.Node
}

// events are the lines of a node's audit logger, each from its first field on.
func (w *watched) events(node network.Node) []string {
	w.t.Helper()
	log, err := os.ReadFile(w.n.LogFile(node.Name))
	require.NoError(w.t, err)
	var found []string
	for _, line := range regexp.MustCompile(`(?m)^.* \[audit\] .*\n`).FindAllString(string(log), -1) {
		_, fields, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "security event ")
		require.True(w.t, ok, line)
		found = append(found, fields)
	}
	return found
}

// await waits for an event whose line has all these parts.
func (w *watched) await(node network.Node, event string, parts ...string) {
	w.t.Helper()
	matches := func(line string) bool {
		for _, part := range append(parts, " event="+event) {
			if !strings.Contains(line+" ", part) {
				return false
			}
		}
		return true
	}
	require.Eventually(w.t, func() bool {
		for _, line := range w.events(node) {
			if matches(line) {
				return true
			}
		}
		return false
	}, 20*time.Second, 50*time.Millisecond, "%s has no event %s with %q", node.Name, event, parts)
}

// operate changes a node as its operator, and tries to as somebody else.
func (w *watched) operate(node network.Node) {
	w.t.Helper()
	_, err := w.n.Operations(w.ctx, node, http.MethodPost, tlsstatus.Path, nil)
	require.NoError(w.t, err)
	w.await(node, "operator-request", "method=POST path=/tls operator=", "Admin@")
	w.await(node, "change-done", "method=POST", "Admin@")
	require.Error(w.t, switchModes(w.ctx, w.n, node, network.ModeDual, ""), "it has no certificate for TLS")
	w.await(node, "change-failed", "method=PUT", "Admin@")

	requireAnswer := func(expected int, pairs ...gmtls.Certificate) {
		other := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
			DisableKeepAlives: true,
			DialTLSContext: func(_ context.Context, _, address string) (net.Conn, error) {
				return gmtls.Dial("tcp", address, &gmtls.Config{Certificates: pairs, InsecureSkipVerify: true})
			},
		}}
		host, _, err := net.SplitHostPort(node.Local())
		require.NoError(w.t, err)
		answer, err := other.Post("https://"+net.JoinHostPort(host, strconv.Itoa(node.Operations))+tlsstatus.Path, "application/json", nil)
		require.NoError(w.t, err)
		require.NoError(w.t, answer.Body.Close())
		require.Equal(w.t, expected, answer.StatusCode)
	}
	// The node's own certificates are of its organisation, and not of an operator.
	own := func(file string) string { return filepath.Join(w.n.NodeFolder(node), "tls", file) }
	pair, err := gmtls.LoadX509KeyPair(own("server-sign.crt"), own("server-sign.key"), own("server-enc.crt"), own("server-enc.key"))
	require.NoError(w.t, err)
	requireAnswer(http.StatusForbidden, pair)
	w.await(node, "operator-refused", "method=POST address=", "is not an operator's")
	requireAnswer(http.StatusUnauthorized)
	w.await(node, "operator-refused", "method=POST address=", "no verified client certificate")
}

// reload has a node read its files at SIGHUP, once without one of them.
func (w *watched) reload(node network.Node) {
	w.t.Helper()
	hangUp := func() { sendSignal(w.t, w.n, node, syscall.SIGHUP) }
	file := filepath.Join(w.n.NodeFolder(node), "tls", "server-sign.crt")
	require.NoError(w.t, os.Rename(file, file+".away"))
	hangUp()
	w.await(node, "reload-failed", "by=SIGHUP", "server-sign.crt")
	require.NoError(w.t, os.Rename(file+".away", file))
	hangUp()
	w.await(node, "reload-done", "by=SIGHUP")
}

// connectAsStranger presents the certificates of an unknown authority. A client that heeds the authorities which the node names presents
// none of them, and a node that has seen no certificate has refused none.
func (w *watched) connectAsStranger(node network.Node) {
	w.t.Helper()
	issued := gmtlstest.NewFamilyCA(w.t, gmtlstest.SM2, "stranger").NewPair(w.t, "stranger.example.com")
	pair, err := gmtls.X509KeyPair(issued.SignCert, issued.SignKey, issued.EncCert, issued.EncKey)
	require.NoError(w.t, err)
	connect := func(from string, config *gmtls.Config) {
		config.InsecureSkipVerify, config.NextProtos = true, []string{"h2"}
		dialer := &net.Dialer{Timeout: 20 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := gmtls.DialWithDialer(dialer, "tcp", node.Local(), config)
		if err == nil {
			_ = conn.Close()
		}
		require.Error(w.t, err)
	}
	connect("127.1.0.2", &gmtls.Config{Certificates: []gmtls.Certificate{pair}})
	connect("127.1.0.1", &gmtls.Config{
		GetClientCertificate: func(*gmtls.CertificateRequestInfo) (*gmtls.Certificate, error) { return &pair, nil },
	})
	w.await(node, "certificate-refused", "side=server address=", "127.1.0.1:", "reason=")
	require.NotContains(w.t, strings.Join(w.events(node), "\n"), "127.1.0.2")
}

// flood fails at handshakes from one address until the node refuses it.
func (w *watched) flood(node network.Node) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 20*time.Second)
	defer cancel()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.2.0.1")}}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 { // 8 times 200 exceed the burst of 512 and what a node grants meanwhile
				conn, err := dialer.DialContext(ctx, "tcp", node.Local())
				if err != nil {
					return
				}
				_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
				_, _ = conn.Write([]byte("neither TLS nor TLCP\n"))
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}
		})
	}
	all.Wait()
	w.await(node, "address-refused", "address=127.2.0.1 ")
}

// impersonate names the MSP of an organisation with the certificate of another, and signs with a key that is not that of the certificate.
func (w *watched) impersonate() {
	w.t.Helper()
	env := w.n.PeerEnv(w.org, w.peer, "User1")
	for i := range env {
		if env[i].Name == "CORE_PEER_MSPCONFIGPATH" {
			env[i].Value = filepath.Join(w.n.UserFolder(w.n.Peers[1], "User1"), "msp")
		}
	}
	for node, command := range map[network.Node][]string{
		w.orderer: fetchNewest(w.t, w.n, w.org, "User1"),
		w.peer:    {"channel", "getinfo", "--channelID", w.n.Channel},
	} {
		_, err := run(w.ctx, w.n, env, "peer", command...)
		require.Error(w.t, err)
		w.await(node, "identity-refused", "msp="+w.org.MSPID+" ", "User1@"+w.n.Peers[1].Domain)
	}
	w.await(w.orderer, "policy-failed", "channel="+w.n.Channel+" rule=/Channel/Readers")

	wrong := []byte{0x30, 6, 2, 1, 1, 2, 1, 1} // r and s are 1
	forger := contract(w.t, w.n, w.peer, client.WithSign(func([]byte) ([]byte, error) { return wrong, nil }))
	_, err := forger.EvaluateWithContext(w.ctx, "AssetExists", client.WithArguments("none"))
	require.Error(w.t, err)
	w.await(w.peer, "signature-refused", "msp="+w.org.MSPID+" ", "User1@"+w.org.Domain)
}

// misuse does as a user what only an administrator may, and submits a transaction that one organisation has endorsed.
func (w *watched) misuse() {
	w.t.Helper()
	_, err := peerAs(w.ctx, w.n, w.org, "User1", "lifecycle", "chaincode", "queryinstalled")
	require.Error(w.t, err)
	w.await(w.peer, "policy-failed", "rule=_lifecycle/QueryInstalledChaincodes", "reason=")

	_, err = contract(w.t, w.n, w.peer).SubmitWithContext(w.ctx, "CreateAsset", client.WithArguments("lonely", "red", "1", "ida", "1"),
		client.WithEndorsingOrganizations(w.org.MSPID))
	require.ErrorContains(w.t, err, "ENDORSEMENT_POLICY_FAILURE")
	w.await(w.peer, "transactions-refused", "code=ENDORSEMENT_POLICY_FAILURE transactions=1 ")
}

// revoke has a list of the channel name a certificate, which its user then presents.
func (w *watched) revoke() {
	w.t.Helper()
	setLists(w.ctx, w.t, w.n, w.org, w.ca.list(w.t, time.Now().Add(time.Hour), "User1"))
	for _, node := range []network.Node{w.orderer, w.peer} {
		w.await(node, "revocation-list", "entries=1 ")
		require.Error(w.t, w.ca.handshake(node.Local(), "User1"))
		w.await(node, "certificate-refused", "side=server", "it has been revoked")
	}
}

// requireSchema compares every event of a node with the table of the documentation.
func (w *watched) requireSchema(node network.Node) {
	w.t.Helper()
	documented := eventFields(w.t)
	field := regexp.MustCompile(`^([a-z-]+)=("(?:[^"\\]|\\.)*"|[^\s"=]*)(?: |$)`)
	for i, line := range w.events(node) {
		rest, values := line, make(map[string]string)
		var names []string
		for rest != "" {
			m := field.FindStringSubmatch(rest)
			require.NotNil(w.t, m, "%s: %s", node.Name, line)
			names, values[m[1]], rest = append(names, m[1]), m[2], rest[len(m[0]):]
		}
		require.Equal(w.t, strconv.Itoa(i+1), values["n"], "%s: %s", node.Name, line)
		require.Contains(w.t, documented, values["event"], line)
		require.Equal(w.t, append([]string{"n", "event"}, documented[values["event"]]...), names, "%s: %s", node.Name, line)
	}
}

// eventFields reads the table of security events.
func eventFields(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(text), "\n## Security events\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	fields := make(map[string][]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `([^|]+)` \\|").FindAllStringSubmatch(section, -1) {
		fields[row[1]] = strings.Split(row[2], "`, `")
	}
	require.NotEmpty(t, fields)
	return fields
}
