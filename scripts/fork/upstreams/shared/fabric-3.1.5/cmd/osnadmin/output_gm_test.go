// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/protoutil"
)

// TestFetchedBlock writes a block to the file, and nothing else.
func TestFetchedBlock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "block.pb")
	for name, answer := range map[string][]byte{
		"nothing": nil, "text": []byte("<html>proxy</html>"), "JSON": []byte(`{"channels":null}`),
	} {
		_, err := responseOutput(true, http.StatusOK, answer, file)
		require.ErrorContains(t, err, "not a block", name)
		require.NoFileExists(t, file, name)
	}

	block := protoutil.MarshalOrPanic(protoutil.NewBlock(7, []byte("before")))
	out, err := responseOutput(true, http.StatusOK, block, file)
	require.NoError(t, err)
	require.Equal(t, "Status: 200\n", out)
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, block, written)

	out, err = responseOutput(true, http.StatusNotFound, []byte(`{"error":"no channel"}`), file)
	require.NoError(t, err)
	require.Contains(t, out, "no channel")
	require.Equal(t, http.StatusNotFound, lastStatus)
}
