// SPDX-License-Identifier: Apache-2.0

//go:build integration

package clients

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
)

// TestKitsOnNetwork runs samples that were built so on a network that speaks TLCP alone.
func TestKitsOnNetwork(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), kitsLimit)
	defer cancel()
	s := newStrange(t)
	application, token := s.build(ctx, t, "application"), s.build(ctx, t, "token")
	n, _ := networktest.Start(t, network.Options{Mode: network.ModeGM, Orderers: 1, Orgs: 1, Peers: 1, CA: "../../build/bin-ca-1.5.21"})
	call := func(profile, chaincode string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, application, append([]string{"-profile", profile, "-channel", n.Channel, "-chaincode", chaincode}, args...)...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	user := n.Profile(n.Peers[0])
	out, err := call(user, network.ChaincodeName, "submit", "CreateAsset", "kit", "red", "5", "Tom", "300")
	require.NoError(t, err, out)
	out, err = call(user, network.ChaincodeName, "evaluate", "ReadAsset", "kit")
	require.NoError(t, err, out)
	require.Contains(t, out, `"owner":"Tom"`)
	out, err = call(user, network.ChaincodeName, "submit", "CreateAsset", "kit", "red", "5", "Tom", "300")
	require.Error(t, err)
	require.Contains(t, out, "Org1MSP", "what the peer said: %s", out)

	serve(ctx, t, n, token)
	issuer := issuerProfile(ctx, t, n)
	out, err = call(user, "token", "evaluate", "Account")
	require.NoError(t, err, out)
	account := strings.TrimSpace(out)
	out, err = call(user, "token", "submit", "Issue", account, "5")
	require.Error(t, err)
	require.Contains(t, out, `no attribute "token.issuer"`)
	out, err = call(issuer, "token", "submit", "Issue", account, "5")
	require.NoError(t, err, out)
	out, err = call(user, "token", "evaluate", "Balance", account)
	require.NoError(t, err, out)
	require.Equal(t, "5", strings.TrimSpace(out))
}

// serve deploys the token chaincode as a service and runs it over TLCP until the test ends.
func serve(ctx context.Context, t *testing.T, n *network.Network, program string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	server := n.Peers[0].ChaincodeServer()
	tls := filepath.Join(n.Dir, "crypto", "peerOrganizations", n.Peers[0].Domain, "peers", server.Name, "tls")
	connection := fmt.Sprintf(`{"address":%q,"dial_timeout":"10s","tls_required":true,"client_auth_required":false,"root_cert":%q,"tls_mode":"gm"}`, address, read(t, filepath.Join(tls, "gm-ca.crt")))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "connection.json"), []byte(connection))
	write(t, filepath.Join(dir, "metadata.json"), []byte(`{"type":"ccaas","label":"token_1"}`))
	for _, args := range [][]string{{"code.tar.gz", "connection.json"}, {"token.tar.gz", "metadata.json", "code.tar.gz"}} {
		out, err := exec.CommandContext(ctx, "tar", append([]string{"-C", dir, "-czf", filepath.Join(dir, args[0])}, args[1:]...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	id := networktest.Deploy(ctx, t, n, "token", filepath.Join(dir, "token.tar.gz"), 1)
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), "CHAINCODE_SERVER_ADDRESS="+address, "CHAINCODE_ID="+id, "CHAINCODE_TLS_MODE=gm",
		"CHAINCODE_TLCP_SIGN_CERT="+filepath.Join(tls, "server-sign.crt"), "CHAINCODE_TLCP_SIGN_KEY="+filepath.Join(tls, "server-sign.key"),
		"CHAINCODE_TLCP_ENC_CERT="+filepath.Join(tls, "server-enc.crt"), "CHAINCODE_TLCP_ENC_KEY="+filepath.Join(tls, "server-enc.key"))
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 30*time.Second, 100*time.Millisecond, "the chaincode does not listen")
}

// issuerProfile is a profile of a user whose certificate has the attribute that Issue asks for. The organisation's authority wrote it,
// as docs/applications.md has it registered.
func issuerProfile(ctx context.Context, t *testing.T, n *network.Network) string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, "../../docs/applications.md"), "--id.name issuer --id.attrs '")
	require.True(t, found)
	attribute, _, _ := strings.Cut(rest, "'")
	org := n.Peers[0]
	require.NoError(t, n.EnrolUser(ctx, org, "issuer", attribute))
	return profileFor(t, n, filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain, "users", "issuer@"+org.Domain, "msp"), "")
}

// profileFor is the profile of User1 with another identity, whose folder is msp. key is the line that stands for the key of another place.
func profileFor(t *testing.T, n *network.Network, msp, key string) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(read(t, n.Profile(n.Peers[0]))) {
		switch {
		case strings.Contains(line, "/msp/signcerts/"):
			line = "    cert: {path: " + one(t, msp, "signcerts") + "}\n"
		case strings.Contains(line, "/msp/keystore/"):
			line = key
			if key == "" {
				line = "    key: {path: " + one(t, msp, "keystore") + "}\n"
			}
		}
		lines = append(lines, line)
	}
	return write(t, filepath.Join(t.TempDir(), "profile.yaml"), []byte(strings.Join(lines, "")))
}

// one is the one file in a folder of an MSP.
func one(t *testing.T, msp, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(msp, folder, "*"))
	require.NoError(t, err)
	require.Len(t, files, 1, folder)
	return files[0]
}
