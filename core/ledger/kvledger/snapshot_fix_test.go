// SPDX-License-Identifier: Apache-2.0

package kvledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	configtxtest "github.com/hyperledger/fabric/common/configtx/test"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/mock"
)

// joinPeer has the channel ch1, and a folder that belongs to nobody's ledger.
func joinPeer(t *testing.T) (*Provider, *ledger.Config) {
	dir := t.TempDir()
	conf := &ledger.Config{
		RootFSPath: dir, StateDBConfig: &ledger.StateDBConfig{}, HistoryDBConfig: &ledger.HistoryDBConfig{},
		PrivateDataConfig: &ledger.PrivateDataConfig{MaxBatchSize: 5000, BatchesInterval: 1000, PurgeInterval: 100, DeprioritizedDataReconcilerInterval: time.Hour},
		SnapshotsConfig:   &ledger.SnapshotsConfig{RootDir: filepath.Join(dir, "snapshots")},
	}
	provider := testutilNewProvider(conf, t, &mock.DeployedChaincodeInfoProvider{})
	t.Cleanup(provider.Close)
	block, err := configtxtest.MakeGenesisBlock("ch1")
	require.NoError(t, err)
	l, err := provider.CreateFromGenesisBlock(block)
	require.NoError(t, err)
	t.Cleanup(l.Close)
	other := filepath.Join(conf.RootFSPath, "other")
	require.NoError(t, os.MkdirAll(other, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(other, "key.pem"), []byte("key"), 0o600))
	return provider, conf
}

// writeSnapshotMetadata makes the hash fit the metadata, as anybody can.
func writeSnapshotMetadata(t *testing.T, dir string, metadata map[string]any) {
	signable, err := json.Marshal(metadata)
	require.NoError(t, err)
	sum := sha256.Sum256(signable)
	additional, err := json.Marshal(map[string]any{"snapshot_hash": hex.EncodeToString(sum[:])})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, SnapshotSignableMetadataFileName), signable, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, snapshotAdditionalMetadataFileName), additional, 0o600))
}

// blocksAndOther lists the files of all channels' blocks, and those of the other folder.
func blocksAndOther(t *testing.T, root string) (files []string) {
	for _, dir := range []string{filepath.Join(root, "chains", "chains"), filepath.Join(root, "other")} {
		require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			files = append(files, path)
			return err
		}))
	}
	return files
}

// The channel of a snapshot is not taken for a path: a join that fails removed other channels' ledgers, or any other folder.
func TestSnapshotOfNoChannel(t *testing.T) {
	provider, conf := joinPeer(t)
	before := blocksAndOther(t, conf.RootFSPath)
	for _, name := range []string{"", ".", "..", "../../other", "x/../ch1", "/ch1", "Ch1"} {
		dir := t.TempDir()
		writeSnapshotMetadata(t, dir, map[string]any{"channel_name": name})
		_, _, err := provider.CreateFromSnapshot(dir)
		require.ErrorContains(t, err, "is not the name of a channel", "%q", name)
		require.ErrorContains(t, err, filepath.Join(dir, SnapshotSignableMetadataFileName))
		require.Equal(t, before, blocksAndOther(t, conf.RootFSPath), "%q", name)
		stored, err := provider.idStore.getLedgerMetadata(name)
		require.NoError(t, err)
		require.Nil(t, stored, "a restart would remove the ledger %q", name)
	}

	dir := t.TempDir()
	writeSnapshotMetadata(t, dir, map[string]any{"channel_name": "ch1"})
	_, _, err := provider.CreateFromSnapshot(dir)
	require.ErrorContains(t, err, "ledger [ch1] already exists with state [ACTIVE]")
	require.Equal(t, before, blocksAndOther(t, conf.RootFSPath))
}
