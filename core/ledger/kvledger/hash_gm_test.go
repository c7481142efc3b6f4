// SPDX-License-Identifier: Apache-2.0

package kvledger

import (
	"crypto/sha256"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	configtxtest "github.com/hyperledger/fabric/common/configtx/test"
	"github.com/hyperledger/fabric/common/crypto/sm3"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/mock"
	"github.com/hyperledger/fabric/protoutil"
)

// TestCommitHashByFunction: the commit hash is of the channel's function, over what upstream hashes.
func TestCommitHashByFunction(t *testing.T) {
	dir := t.TempDir()
	conf := &ledger.Config{
		RootFSPath: dir, StateDBConfig: &ledger.StateDBConfig{}, HistoryDBConfig: &ledger.HistoryDBConfig{},
		PrivateDataConfig: &ledger.PrivateDataConfig{MaxBatchSize: 5000, BatchesInterval: 1000, PurgeInterval: 100, DeprioritizedDataReconcilerInterval: time.Hour},
		SnapshotsConfig:   &ledger.SnapshotsConfig{RootDir: filepath.Join(dir, "snapshots")},
	}
	provider := testutilNewProvider(conf, t, &mock.DeployedChaincodeInfoProvider{})
	defer provider.Close()
	genesis, err := configtxtest.MakeGenesisBlock("commits")
	require.NoError(t, err)
	opened, err := provider.CreateFromGenesisBlock(genesis)
	require.NoError(t, err)
	l := opened.(*kvLedger)
	for f, sum := range map[protoutil.HashFunction]func([]byte) []byte{
		protoutil.HashSHA256: func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
		protoutil.HashSM3:    func(b []byte) []byte { s := sm3.Sum(b); return s[:] },
	} {
		l.hashProvider.(*ledgerHash).set(f)
		l.commitHash = []byte("before")
		block := protoutil.NewBlock(1, nil)
		protoutil.InitBlockMetadata(block)
		block.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = []byte{0, 1}
		l.addBlockCommitHash(block, []byte("updates"))
		expected := sum([]byte("\x02\x00\x01updatesbefore"))
		require.Equal(t, expected, l.commitHash)
		metadata := &common.Metadata{}
		require.NoError(t, proto.Unmarshal(block.Metadata.Metadata[common.BlockMetadataIndex_COMMIT_HASH], metadata))
		require.Equal(t, expected, metadata.Value)
	}
}
