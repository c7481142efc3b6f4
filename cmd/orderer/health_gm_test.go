// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// TestOperationsService: the check has the address, mode and protocols of the orderer's operations server.
func TestOperationsService(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("FABRIC_CFG_PATH", dir)
	gm := gmtlstest.NewCA(t).NewPair(t).Write(t, dir, "ops")
	gmtlstest.WriteFile(t, dir, "orderer.yaml", []byte("Operations: {ListenAddress: '127.0.0.1:8443', TLS: {Enabled: true, ClientAuthRequired: true, Mode: gm, GMProtocols: [TLS13, TLCP], "+
		"GMSignCertificate: '"+gm.SignCert+"', GMSignPrivateKey: '"+gm.SignKey+"', GMEncCertificate: '"+gm.EncCert+"', GMEncPrivateKey: '"+gm.EncKey+"'}}"))
	service, err := operationsService()
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8443", service.Address)
	require.True(t, service.TLS)
	require.True(t, service.ClientAuth)
	require.Equal(t, "gm", service.Mode)
	require.Equal(t, []string{"TLS13", "TLCP"}, service.Protocols, "the check tries the first one first")
	standard, pair, err := service.Load()
	require.NoError(t, err)
	require.Nil(t, standard)
	require.NotNil(t, pair)
}
