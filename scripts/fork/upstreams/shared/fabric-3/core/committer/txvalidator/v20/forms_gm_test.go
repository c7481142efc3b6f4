// SPDX-License-Identifier: Apache-2.0

package txvalidator

import (
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric/internal/cryptogen/ca"
	cryptogen "github.com/hyperledger/fabric/internal/cryptogen/msp"
	"github.com/stretchr/testify/require"
)

// writeMember writes the folder of a peer of an SM2 organisation to dir/peer.
func writeMember(t testing.TB, dir string) {
	t.Helper()
	signCA, err := ca.NewGMCA(filepath.Join(dir, "ca"), "org", "ca", "CN", "", "", "", "", "")
	require.NoError(t, err)
	tlsCA, err := ca.NewCA(filepath.Join(dir, "tlsca"), "org", "tlsca", "CN", "", "", "", "", "", "ecdsa")
	require.NoError(t, err)
	require.NoError(t, cryptogen.GenerateLocalMSP(filepath.Join(dir, "peer"), "peer", nil, signCA, tlsCA, cryptogen.PEER, false, "ecdsa"))
}
