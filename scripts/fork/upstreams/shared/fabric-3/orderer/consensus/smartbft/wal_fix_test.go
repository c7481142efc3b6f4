// SPDX-License-Identifier: Apache-2.0

package smartbft_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hyperledger-labs/SmartBFT/pkg/wal"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft"
)

// TestUnfinishedWAL: a last file without its first record holds nobody up, and nothing that was voted is lost.
func TestUnfinishedWAL(t *testing.T) {
	logger := flogging.MustGetLogger("test")
	const first, second = "0000000000000001.wal", "0000000000000002.wal"
	write := func(t *testing.T, path string, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
	oneRecord := func(t *testing.T) (dir string, file []byte) {
		dir = t.TempDir()
		log, err := wal.Create(logger, dir, nil)
		require.NoError(t, err)
		require.NoError(t, log.Append([]byte("a vote"), true))
		require.NoError(t, log.Close())
		file, err = os.ReadFile(filepath.Join(dir, first))
		require.NoError(t, err)
		return dir, file
	}
	reopen := func(t *testing.T, dir string, records ...[]byte) {
		for range 2 { // before and after a restart
			log, read, err := smartbft.OpenWAL(logger, dir, wal.DefaultOptions())
			require.NoError(t, err)
			require.ElementsMatch(t, records, read)
			require.NoError(t, log.Close())
		}
	}
	for name, length := range map[string]int{"an empty file": 0, "half a record": 8} {
		t.Run(name, func(t *testing.T) {
			dir, file := oneRecord(t)
			write(t, filepath.Join(dir, second), file[:length])
			reopen(t, dir, []byte("a vote"))
		})
	}
	t.Run("zeros as long as a record", func(t *testing.T) {
		dir, _ := oneRecord(t)
		write(t, filepath.Join(dir, second), make([]byte, 16))
		reopen(t, dir, []byte("a vote"))
	})
	t.Run("the very first file", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, first), nil)
		reopen(t, dir)
	})
	t.Run("votes behind a damaged beginning", func(t *testing.T) {
		dir, file := oneRecord(t)
		damaged := append(make([]byte, 16), file[16:]...)
		write(t, filepath.Join(dir, first), damaged)
		_, _, err := smartbft.OpenWAL(logger, dir, wal.DefaultOptions())
		require.ErrorContains(t, err, first+" is damaged at its beginning")
		kept, err := os.ReadFile(filepath.Join(dir, first))
		require.NoError(t, err)
		require.Equal(t, damaged, kept)
	})
	t.Run("a damaged file before it", func(t *testing.T) {
		dir, file := oneRecord(t)
		file[len(file)-9] ^= 1
		write(t, filepath.Join(dir, first), file)
		write(t, filepath.Join(dir, second), nil)
		_, _, err := smartbft.OpenWAL(logger, dir, wal.DefaultOptions())
		require.ErrorContains(t, err, "cannot repair the write-ahead log")
		require.FileExists(t, filepath.Join(dir, first))
	})
}
