// SPDX-License-Identifier: Apache-2.0

//go:build integration

package clients

import (
	"context"
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

// TestKitsOnNetwork runs samples that were built so on a network that speaks only TLCP.
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

// serve deploys the token chaincode as a service and runs it over TLCP until the test ends, by the commands of docs/applications.md.
func serve(ctx context.Context, t *testing.T, n *network.Network, program string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	server := n.Peers[0].ChaincodeServer()
	tls := filepath.Join(n.Dir, "crypto", "peerOrganizations", n.Peers[0].Domain, "peers", server.Name, "tls")
	dir := t.TempDir()
	for _, name := range []string{"gm-ca.crt", "server-sign.crt", "server-sign.key", "server-enc.crt", "server-enc.key"} {
		write(t, filepath.Join(dir, name), []byte(read(t, filepath.Join(tls, name))))
	}
	document := reader{document: read(t, "../../docs/applications.md")}
	shell := func(prefix, name, old string) *exec.Cmd {
		block := document.block(t, name)
		require.Contains(t, block, old)
		cmd := exec.CommandContext(ctx, "sh", "-euc", prefix+strings.Replace(block, old, address, 1))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+n.Bin+":"+os.Getenv("PATH"))
		return cmd
	}
	pack := shell("", "package", "chaincode.org1.example.com:9999")
	for _, v := range n.PeerEnv(n.Peers[0], n.Nodes(network.Peer)[0], "Admin") {
		pack.Env = append(pack.Env, v.Name+"="+v.Value)
	}
	out, err := pack.CombinedOutput()
	require.NoError(t, err, "%s", out)
	networktest.Deploy(ctx, t, n, "token", filepath.Join(dir, "token.tar.gz"), 1)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "token"), 0o700))
	require.NoError(t, os.Symlink(program, filepath.Join(dir, "token", "token")))
	cmd := shell("exec env ", "serve", "0.0.0.0:9999")
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
