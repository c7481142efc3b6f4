// SPDX-License-Identifier: Apache-2.0

package filerepo_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/orderer/common/filerepo"
)

// TestSaveAfterFullDisk: half a temporary file, as a full disk leaves it, is replaced.
func TestSaveAfterFullDisk(t *testing.T) {
	dir := t.TempDir()
	repo, err := filerepo.New(dir, "join")
	require.NoError(t, err)
	temporary := filepath.Join(dir, "join", "trade.join~")
	require.NoError(t, os.WriteFile(temporary, []byte("the first half of a bl"), 0o600))

	require.NoError(t, repo.Save("trade", []byte("block")))
	require.NoFileExists(t, temporary)
	content, err := repo.Read("trade")
	require.NoError(t, err)
	require.Equal(t, "block", string(content))
	require.ErrorIs(t, repo.Save("trade", nil), os.ErrExist)
}
