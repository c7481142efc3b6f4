// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/stretchr/testify/require"

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

	signatures := n.Device(t).Get(keydtest.Signatures)
	contract := contract(t, n, n.Peers[0].PeersOf()[0])
	submit(ctx, t, contract, "CreateAsset", "in-device", "red", "7", "berta", "120")
	require.Greater(t, n.Device(t).Get(keydtest.Signatures), signatures+3, "application, endorser and orderer sign in the device")
	requireSameChain(ctx, t, n)
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
