// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/stretchr/testify/require"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/integration/network"
)

// TestRevokedIdentity revokes an SM2 user by a revocation list in the channel configuration. Peers and orderers then
// refuse the user; the rest of the organisation, and an ECDSA organisation on the channel, continue.
func TestRevokedIdentity(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmMixed, Orderers: 1, Peers: 1})
	sm2Org, ecdsaOrg := n.Peers[0], n.Peers[1]
	require.Equal(t, network.AlgorithmGM, sm2Org.Algorithm)
	require.Equal(t, network.AlgorithmECDSA, ecdsaOrg.Algorithm)
	user := contract(t, n, sm2Org.PeersOf()[0])
	other := contract(t, n, ecdsaOrg.PeersOf()[0])
	submit(ctx, t, user, "CreateAsset", "before", "red", "1", "berta", "1")
	_, err := peerAs(ctx, n, sm2Org, "User1", fetchNewest(t, n, sm2Org, "User1")...)
	require.NoError(t, err)

	before := awaitHeights(ctx, t, n)
	setRevocationList(ctx, t, n, sm2Org, revocationList(t, n, sm2Org, "User1"))
	_, err = n.AwaitSameHeight(ctx, before+1)
	require.NoError(t, err)

	_, err = user.EvaluateWithContext(ctx, "ReadAsset", client.WithArguments("before"))
	require.Error(t, err, "a peer answers a revoked user")
	_, err = user.SubmitWithContext(ctx, "CreateAsset", client.WithArguments("after", "red", "1", "berta", "1"))
	require.Error(t, err, "a peer endorses for a revoked user")
	_, err = peerAs(ctx, n, sm2Org, "User1", fetchNewest(t, n, sm2Org, "User1")...)
	require.ErrorContains(t, err, "FORBIDDEN", "the orderer serves a revoked user")
	_, err = peerAs(ctx, n, sm2Org, "Admin", fetchNewest(t, n, sm2Org, "Admin")...)
	require.NoError(t, err)

	submit(ctx, t, other, "CreateAsset", "after", "blue", "2", "carlo", "2")
	requireSameChain(ctx, t, n)
}

// revocationList is a list in PEM, signed by the CA of org, of the certificate of one user.
func revocationList(t *testing.T, n *network.Network, org network.Org, user string) []byte {
	t.Helper()
	block := func(pattern ...string) []byte {
		files, err := filepath.Glob(filepath.Join(pattern...))
		require.NoError(t, err)
		require.Len(t, files, 1, "%v", pattern)
		raw, err := os.ReadFile(files[0])
		require.NoError(t, err)
		block, _ := pem.Decode(raw)
		require.NotNil(t, block, files[0])
		return block.Bytes
	}
	msp := filepath.Join(n.UserFolder(org, user), "msp")
	caDir := filepath.Join(n.UserFolder(org, user), "..", "..", "ca")
	ca, err := x509.ParseCertificate(block(caDir, "*.pem"))
	require.NoError(t, err)
	key, err := x509.ParsePKCS8PrivateKey(block(caDir, "*_sk"))
	require.NoError(t, err)
	revoked, err := x509.ParseCertificate(block(msp, "signcerts", "*.pem"))
	require.NoError(t, err)
	require.True(t, x509.IsSM2(revoked.PublicKey))

	now := time.Now()
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: revoked.SerialNumber, RevocationTime: now}},
	}, ca, key.(crypto.Signer))
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list})
}

// setRevocationList updates the MSP of org in the channel's configuration.
func setRevocationList(ctx context.Context, t *testing.T, n *network.Network, org network.Org, list []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "crl.pem")
	require.NoError(t, os.WriteFile(file, list, 0o600))
	require.NoError(t, n.Change(ctx, "revoke-"+org.Name, []network.Org{org}, "set-revocation-list", "--msp-id", org.MSPID, "--crl", file))
}

func fetchNewest(t *testing.T, n *network.Network, org network.Org, user string) []string {
	t.Helper()
	return append([]string{"channel", "fetch", "newest", filepath.Join(t.TempDir(), "block"), "--channelID", n.Channel},
		n.OrdererFlags(n.Nodes(network.Orderer)[0], org, user)...)
}

// commandError is what a command printed before it failed.
type commandError struct {
	cause  error
	output string
}

func (e *commandError) Error() string { return e.cause.Error() + ": " + e.output }
func (e *commandError) Unwrap() error { return e.cause }

func run(ctx context.Context, n *network.Network, env []network.Variable, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, filepath.Join(n.Bin, name), args...)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for _, variable := range env {
		command.Env = append(command.Env, variable.Name+"="+variable.Value)
	}
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return "", &commandError{err, output.String()}
	}
	return output.String(), nil
}

// peerAs runs the peer command as a user of org.
func peerAs(ctx context.Context, n *network.Network, org network.Org, user string, args ...string) (string, error) {
	return run(ctx, n, n.PeerEnv(org, org.PeersOf()[0], user), "peer", args...)
}

func translate(ctx context.Context, t *testing.T, n *network.Network, args ...string) {
	t.Helper()
	_, err := run(ctx, n, nil, "configtxlator", args...)
	require.NoError(t, err)
}

// at walks down maps by key and lists by index.
func at(t *testing.T, value any, path ...any) any {
	t.Helper()
	for i, step := range path {
		switch step := step.(type) {
		case string:
			members, ok := value.(map[string]any)
			require.True(t, ok, "%v", path[:i+1])
			value = members[step]
		case int:
			items, ok := value.([]any)
			require.True(t, ok && step < len(items), "%v", path[:i+1])
			value = items[step]
		}
	}
	return value
}

func readJSON(t *testing.T, file string) any {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var value any
	require.NoError(t, json.Unmarshal(raw, &value))
	return value
}
