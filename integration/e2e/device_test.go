// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/internal/keydtest"
)

// TestKeysInDevice runs a network whose SM2 keys, of identities and of TLCP pairs, are in a simulated device, kills the daemon under
// load, and takes the device away for a while.
func TestKeysInDevice(t *testing.T) {
	dir := keydtest.ShortDir(t)
	if _, err := keydtest.BuildDevice(dir, keydtest.SDF); err != nil {
		t.Skip(err)
	}
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Orderers: 1, Peers: 1, Keys: network.KeysSDF})
	requireNoKeysInFiles(t, n)
	checkTransactions(ctx, t, n)
	checkPrivateData(ctx, t, n)
	killDaemonUnderLoad(ctx, t, n)

	signatures := device(t, n).Get(keydtest.Signatures)
	contract := contract(t, n, n.Peers[0].PeersOf()[0])
	submit(ctx, t, contract, "CreateAsset", "in-device", "red", "7", "berta", "120")
	require.Greater(t, device(t, n).Get(keydtest.Signatures), signatures+3, "application, endorser and orderer sign in the device")
	requireSameChain(ctx, t, n)
	takeDeviceAway(ctx, t, n)
	startWithoutDevice(ctx, t, n)
	requireSameChain(ctx, t, n)
}

// device opens the simulated device of a running network, to see what it did and to switch faults on.
func device(t *testing.T, n *network.Network) *keydtest.Folder {
	t.Helper()
	folder, err := keydtest.OpenFolder(filepath.Join(n.Dir, "device", "state"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = folder.Close() })
	return folder
}

// requireNoKeysInFiles holds that no node and no user has an SM2 private key in its files.
func requireNoKeysInFiles(t *testing.T, n *network.Network) {
	t.Helper()
	references := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(n.Dir, "crypto"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".key") && !strings.HasSuffix(path, "_sk") {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "KEY REFERENCE") {
			references++
		} else if folder := filepath.Base(filepath.Dir(path)); folder != "ca" && folder != "tlsca" && folder != "gmtlsca" {
			base := filepath.Base(path)
			require.True(t, base == "server.key" || base == "client.key", "%s holds a private key", path)
		}
		return err
	}))
	require.Greater(t, references, 10)
}

// inDevice is one of the keys of a node that are in the device.
func inDevice(t *testing.T, n *network.Network, node network.Node, pattern string) *keyd.Key {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(n.NodeFolder(node), pattern))
	require.NoError(t, err)
	require.Len(t, files, 1)
	text, err := os.ReadFile(files[0])
	require.NoError(t, err)
	key, err := keyd.ParseReference(text)
	require.NoError(t, err)
	return key
}

// takeDeviceAway takes the device away for longer than an operation waits, with a transaction under way: nodes stay up and red, and name key
// and device; all works again when it is back, and nothing was started again.
func takeDeviceAway(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	peer, orderer := n.Peers[0].PeersOf()[0], n.Nodes(network.Orderer)[0]
	nodes := []network.Node{peer, orderer}
	// The client signs in software, and its connections are there before the device goes.
	c := contract(t, n, peer, client.WithSign(softwareSign(t, n)))
	proposal, err := c.NewProposal("CreateAsset", client.WithArguments("while-away", "red", "7", "berta", "1"))
	require.NoError(t, err)
	transaction, err := proposal.EndorseWithContext(ctx)
	require.NoError(t, err)
	health := map[string]func() string{}
	pids := map[string]int{network.KeyDaemon: n.PID(network.KeyDaemon)}
	for _, node := range nodes {
		pids[node.Name] = n.PID(node.Name)
		operations, err := n.OperationsClient(node, 5*time.Second)
		require.NoError(t, err)
		t.Cleanup(operations.CloseIdleConnections)
		health[node.Name] = func() string {
			resp, err := operations.Get("https://127.0.0.1:" + strconv.Itoa(node.Operations) + "/healthz")
			require.NoError(t, err, "the connection is kept")
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			return resp.Status + string(text)
		}
		require.Contains(t, health[node.Name](), "200 OK")
	}

	device(t, n).Set(keydtest.Gone, 1)
	_, err = transaction.SubmitWithContext(ctx)
	require.NoError(t, err, "the orderer takes it, and cannot sign its block")
	for _, node := range nodes {
		require.Eventually(t, func() bool {
			text := health[node.Name]()
			return strings.Contains(text, "503") && strings.Contains(text, "sdf:device=hsm;index=") && strings.Contains(text, "SDR_COMMFAIL")
		}, 20*time.Second, 200*time.Millisecond, "%s is red, and says of which key and device", node.Name)
	}
	_, err = c.EvaluateWithContext(ctx, "ReadAsset", client.WithArguments("in-device"))
	require.Error(t, err, "the peer cannot sign its answer")
	for node, keys := range map[string][]*keyd.Key{
		peer.Name:    {inDevice(t, n, peer, "msp/keystore/*"), inDevice(t, n, peer, "tls/server-sign.key")},
		orderer.Name: {inDevice(t, n, orderer, "msp/keystore/*"), inDevice(t, n, orderer, "tls/server-sign.key")},
	} {
		of, err := n.Node(node)
		require.NoError(t, err)
		require.Contains(t, n.InUse(ctx, of), "fails", "handshakes need the key of TLCP")
		for _, key := range keys {
			require.Eventually(t, func() bool {
				text, err := os.ReadFile(n.LogFile(node))
				return err == nil && strings.Contains(string(text), "keyd: sign with "+key.String()+" by ")
			}, 20*time.Second, 100*time.Millisecond, "%s names %s", node, key)
		}
	}

	device(t, n).Set(keydtest.Gone, 0)
	require.NoError(t, n.AwaitHealthy(ctx, nodes...))
	require.Eventually(t, func() bool {
		out, err := c.EvaluateWithContext(ctx, "ReadAsset", client.WithArguments("while-away"))
		return err == nil && strings.Contains(string(out), "while-away")
	}, 30*time.Second, 100*time.Millisecond, "what was under way is not lost")
	// Peers that were silent for long count as dead, and meet again when one of them dials.
	tries := 0
	require.Eventually(t, func() bool {
		tries++
		_, err := c.SubmitWithContext(ctx, "CreateAsset", client.WithArguments(fmt.Sprint("met-again-", tries), "red", "7", "berta", "1"))
		return err == nil
	}, time.Minute, time.Second, "peers that count as dead are found again")
	device(t, n).Set(keydtest.DelayMicroseconds, 100_000)
	submit(ctx, t, c, "CreateAsset", "with-slow-device", "red", "7", "berta", "1")
	device(t, n).Set(keydtest.DelayMicroseconds, 0)
	for name, pid := range pids {
		require.NotZero(t, pid)
		require.Equal(t, pid, n.PID(name), "%s was not started again", name)
	}
}

// startWithoutDevice starts nodes while the device is away: they wait for it, and end by key and device when it does not come.
func startWithoutDevice(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	nodes := []network.Node{n.Peers[0].PeersOf()[0], n.Nodes(network.Orderer)[0]}
	begin := func() {
		device(t, n).Set(keydtest.Gone, 1)
		time.Sleep(8 * time.Second) // the daemon looks every 5 s; until it has noticed, it answers what it knows
		for _, node := range nodes {
			require.NoError(t, n.Kill(ctx, node.Name))
			require.NoError(t, n.Start(node.Name))
		}
	}
	begin()
	time.Sleep(3 * time.Second)
	device(t, n).Set(keydtest.Gone, 0)
	require.NoError(t, n.AwaitHealthy(ctx, nodes...), "the device came back in time")

	begin()
	for _, node := range nodes {
		require.Eventually(t, func() bool { return n.PID(node.Name) == 0 }, 30*time.Second, 100*time.Millisecond, "%s ends", node.Name)
		text, err := os.ReadFile(n.LogFile(node.Name))
		require.NoError(t, err)
		end := string(text[max(0, len(text)-8000):])
		require.Contains(t, end, "sdf:device=hsm;index=")
		require.Contains(t, end, "device hsm is not reachable")
		require.Contains(t, end, "SDR_COMMFAIL")
	}
	device(t, n).Set(keydtest.Gone, 0)
	for _, node := range nodes {
		require.NoError(t, n.Start(node.Name))
	}
	require.NoError(t, n.AwaitHealthy(ctx, nodes...))
	require.Eventually(t, func() bool {
		_, err := contract(t, n, nodes[0]).SubmitWithContext(ctx, "CreateAsset", client.WithArguments("started-again", "red", "7", "berta", "1"))
		return err == nil
	}, 30*time.Second, time.Second)
}

// softwareSign signs as User1 of the first organisation, whose key it takes out of the simulated device.
func softwareSign(t *testing.T, n *network.Network) identity.Sign {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(n.UserFolder(n.Peers[0], "User1"), "msp", "keystore", "*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	text, err := os.ReadFile(files[0])
	require.NoError(t, err)
	reference, err := keyd.ParseReference(text)
	require.NoError(t, err)
	keys, err := os.ReadFile(filepath.Join(device(t, n).Path, "keys"))
	require.NoError(t, err)
	for line := range strings.Lines(string(keys)) {
		fields := strings.Fields(line) // index, usage, scalar, PIN
		if fields[0] != strconv.Itoa(int(reference.Reference().URI.Index)) {
			continue
		}
		scalar, err := hex.DecodeString(fields[2])
		require.NoError(t, err)
		key, err := sm2.NewPrivateKey(scalar)
		require.NoError(t, err)
		require.True(t, key.PublicKey.Equal(reference.Public()))
		return func(message []byte) ([]byte, error) { return key.Sign(rand.Reader, message, sm2.DefaultSM2SignerOpts) }
	}
	require.Fail(t, "no such key", "%s", reference)
	return nil
}

// killDaemonUnderLoad kills the daemon with transactions under way, each of which must succeed all the same.
func killDaemonUnderLoad(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	contract := contract(t, n, n.Peers[0].PeersOf()[0])
	var all sync.WaitGroup
	kills := make(chan struct{})
	for w := range 4 {
		all.Go(func() {
			for i := range 10 {
				if w == 0 && i%3 == 0 {
					kills <- struct{}{}
				}
				args := client.WithArguments(fmt.Sprintf("load-%d-%d", w, i), "red", "7", "berta", "1")
				if _, err := contract.SubmitWithContext(ctx, "CreateAsset", args); err != nil {
					t.Errorf("transaction %d of worker %d: %v", i, w, err)
				}
			}
		})
	}
	go func() { all.Wait(); close(kills) }()
	for range kills {
		require.NoError(t, n.Kill(ctx, network.KeyDaemon))
		require.NoError(t, n.StartKeyDaemon())
	}
	awaitHeights(ctx, t, n)
}
