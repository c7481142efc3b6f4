// SPDX-License-Identifier: Apache-2.0

package kvledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	configtxtest "github.com/hyperledger/fabric/common/configtx/test"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
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
	for _, name := range []string{"", ".", "..", "../../other", "x/../ch1", "/ch1", "Ch/1"} {
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

// smallSnapshot has what every snapshot has: no transactions, and no state.
func smallSnapshot(t *testing.T, channel string, more map[string][]byte) (dir string, metadata map[string]any) {
	dir = t.TempDir()
	files, hashes := map[string][]byte{"txids.data": {1}, "txids.metadata": {1, 0}}, map[string]string{}
	maps.Copy(files, more)
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
		sum := sha256.Sum256(content)
		hashes[name] = hex.EncodeToString(sum[:])
	}
	metadata = map[string]any{
		"channel_name": channel, "last_block_number": 7, "snapshot_files_raw_hashes": hashes,
		"last_block_hash": strings.Repeat("ab", 32), "previous_block_hash": strings.Repeat("cd", 32),
	}
	writeSnapshotMetadata(t, dir, metadata)
	return dir, metadata
}

// Whoever passes a snapshot on cannot add to it: the peer takes in what the compared hash is for, and reads nothing else.
func TestSnapshotWithOtherFiles(t *testing.T) {
	provider, _ := joinPeer(t)
	for name, add := range map[string]func(dir, path string){
		"private_state_hashes.data": func(_, path string) { require.NoError(t, os.WriteFile(path, []byte{1}, 0o600)) },
		"confighistory.metadata":    func(_, path string) { require.NoError(t, os.WriteFile(path, []byte{1, 0}, 0o600)) },
		"public_state.data":         func(dir, path string) { require.NoError(t, os.Symlink(filepath.Join(dir, "txids.data"), path)) },
		"confighistory.data":        func(_, path string) { require.NoError(t, os.Mkdir(path, 0o700)) },
	} {
		dir, _ := smallSnapshot(t, "added", nil)
		add(dir, filepath.Join(dir, name))
		_, _, err := provider.CreateFromSnapshot(dir)
		require.ErrorContains(t, err, filepath.Join(dir, name)+" is not listed in snapshot_files_raw_hashes", name)
	}
	for _, name := range []string{"../other", "/dev/zero", "sub/file", ".", ""} {
		dir, metadata := smallSnapshot(t, "listed", nil)
		metadata["snapshot_files_raw_hashes"].(map[string]string)[name] = "00"
		writeSnapshotMetadata(t, dir, metadata)
		_, _, err := provider.CreateFromSnapshot(dir)
		require.ErrorContains(t, err, "which is not a file of the snapshot", "%q", name)
	}

	dir, _ := smallSnapshot(t, "honest", nil)
	l, name, err := provider.CreateFromSnapshot(dir)
	require.NoError(t, err)
	require.Equal(t, "honest", name)
	l.Close()
}

// Numbers in a snapshot that its files cannot have are errors. They ended the peer.
func TestSnapshotWithHugeNumbers(t *testing.T) {
	provider, _ := joinPeer(t)
	huge := binary.AppendUvarint([]byte{1}, 1<<63)
	large := binary.AppendUvarint([]byte{1}, 1<<40)
	for i, files := range []map[string][]byte{
		{"txids.metadata": {1, 1}, "txids.data": huge},
		{"txids.metadata": {1, 1}, "txids.data": large},
		{"public_state.data": {1}, "public_state.metadata": huge},
		{"public_state.data": {1}, "public_state.metadata": large},
		{"public_state.data": large, "public_state.metadata": {1, 1, 1, 'n', 1}},
		{"confighistory.data": huge, "confighistory.metadata": {1, 1}},
		{"public_state.data": {1}, "public_state.metadata": {1, 0}},
		{"private_state_hashes.data": {1}, "private_state_hashes.metadata": {1, 0}},
	} {
		dir, _ := smallSnapshot(t, "huge", files)
		_, _, err := provider.CreateFromSnapshot(dir)
		expected := "do not use this snapshot"
		if len(files["public_state.data"]) == 1 && len(files["public_state.metadata"]) > 2 {
			expected = "error while reading namespace name"
		}
		require.ErrorContains(t, err, expected, "case %d", i)
	}
}

// rows has byte strings as they are in files of a snapshot.
func rows(fields ...[]byte) []byte {
	file := []byte{1}
	for _, field := range fields {
		file = append(binary.AppendUvarint(file, uint64(len(field))), field...)
	}
	return file
}

// privateHash has the files of a snapshot with one hash of private data, and a definition of its collection.
func privateHash(t *testing.T, height *version.Height) map[string][]byte {
	record, err := proto.Marshal(&privacyenabledstate.SnapshotRecord{Key: []byte("key"), Value: []byte("value"), Version: height.ToBytes()})
	require.NoError(t, err)
	definition, err := proto.Marshal(&peer.CollectionConfigPackage{Config: []*peer.CollectionConfig{
		{}, {Payload: &peer.CollectionConfig_StaticCollectionConfig{StaticCollectionConfig: &peer.StaticCollectionConfig{Name: "coll"}}},
	}})
	require.NoError(t, err)
	key := "slscc\x00cc~collection" + string(binary.BigEndian.AppendUint64(nil, math.MaxUint64-3))
	return map[string][]byte{
		"private_state_hashes.data": rows(record), "private_state_hashes.metadata": append([]byte{1, 1, 9}, "cc$$hcoll\x01"...),
		"confighistory.data": rows([]byte(key), definition), "confighistory.metadata": {1, 1},
	}
}

// What a channel cannot have is refused with the snapshot. It ended the peer, or took its memory, or was an error whenever somebody asked for it.
func TestSnapshotOfWhatNoChannelHas(t *testing.T) {
	provider, _ := joinPeer(t)
	refused := func(dir, expected string) {
		t.Helper()
		_, _, err := provider.CreateFromSnapshot(dir)
		require.ErrorContains(t, err, expected)
		require.ErrorContains(t, err, "do not use this snapshot")
		stored, err := provider.idStore.getLedgerMetadata("odd")
		require.NoError(t, err)
		require.Nil(t, stored)
	}
	for _, number := range []uint64{math.MaxUint64, math.MaxInt64} {
		dir, metadata := smallSnapshot(t, "odd", nil)
		metadata["last_block_number"] = number
		writeSnapshotMetadata(t, dir, metadata)
		refused(dir, "is not the number of a block")
	}
	for _, height := range []*version.Height{{BlockNum: 8}, {BlockNum: 7, TxNum: 1 << 36}, {TxNum: 1 << 62}} {
		dir, _ := smallSnapshot(t, "odd", privateHash(t, height))
		refused(dir, "has hashes of private data of transaction")
	}
	for _, row := range [][]byte{rows([]byte("slscc"), nil), rows([]byte("slscc_12345678"), nil), rows([]byte("slscc\x00cc~collection12345678"), []byte{1})} {
		dir, _ := smallSnapshot(t, "odd", map[string][]byte{"confighistory.data": row, "confighistory.metadata": {1, 1}})
		refused(dir, "does not have the collections of a channel")
	}

	dir, _ := smallSnapshot(t, "odd", privateHash(t, version.NewHeight(7, 3)))
	l, _, err := provider.CreateFromSnapshot(dir)
	require.NoError(t, err)
	l.Close()
}

// A collection that is of no known kind is none, as it is to every peer that follows the channel.
func TestCollectionOfNoKind(t *testing.T) {
	provider, _ := joinPeer(t)
	info := provider.initializer.DeployedChaincodeInfoProvider.(*mock.DeployedChaincodeInfoProvider)
	config := &peer.CollectionConfigPackage{Config: []*peer.CollectionConfig{{}}}
	testutilPersistExplicitCollectionConfig(t, provider, info, "ch1", "chaincode", config, 10)
	fetcher := &mostRecentCollectionConfigFetcher{DeployedChaincodeInfoProvider: info, Retriever: provider.configHistoryMgr.GetRetriever("ch1")}
	found, err := fetcher.CollectionInfo("chaincode", "collection")
	require.NoError(t, err)
	require.Nil(t, found)
}
