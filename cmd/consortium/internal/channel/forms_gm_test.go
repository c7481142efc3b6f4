// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/internal/cryptogen/ca"
	cmsp "github.com/hyperledger/fabric/internal/cryptogen/msp"
)

// writeOrg writes an organisation's folders: the public MSP, an administrator and orderers. It returns the CA of its identities.
func writeOrg(t *testing.T, dir, domain string, orderers ...string) *ca.CA {
	t.Helper()
	signCA, err := ca.NewGMCA(filepath.Join(dir, "ca"), domain, "ca."+domain, "CN", "", "", "", "", "")
	require.NoError(t, err)
	tlsCA, err := ca.NewCA(filepath.Join(dir, "tlsca"), domain, "tlsca."+domain, "CN", "", "", "", "", "")
	require.NoError(t, err)
	require.NoError(t, cmsp.GenerateVerifyingMSP(filepath.Join(dir, "msp"), signCA, tlsCA, true))
	require.NoError(t, cmsp.GenerateLocalMSP(filepath.Join(dir, "admin"), "Admin@"+domain, nil, signCA, tlsCA, cmsp.ADMIN, true))
	for _, orderer := range orderers {
		name := orderer + "." + domain
		require.NoError(t, cmsp.GenerateLocalMSP(filepath.Join(dir, orderer), name, []string{name}, signCA, tlsCA, cmsp.ORDERER, true))
	}
	return signCA
}
