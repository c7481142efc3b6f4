// SPDX-License-Identifier: Apache-2.0

package deliverservice_test

import (
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/common/util"
	"github.com/hyperledger/fabric/core/deliverservice"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"
)

// TestDeliverClientFollowsTheClientSource: mode and certificate of connections to orderers, and the hash that seek requests are
// bound to, are those of the peer's dialers at the time of asking. The source that it registers stays for the process, so that
// upstream's tests, which have none, are in files before this one.
func TestDeliverClientFollowsTheClientSource(t *testing.T) {
	std, err := tlsgen.NewCA()
	require.NoError(t, err)
	gm := gmtlstest.NewCA(t)
	var material comm.Material
	issue := func() {
		pair, err := std.NewClientCertKeyPair()
		require.NoError(t, err)
		certs, keys := gm.NewPair(t).Bundle(pair.Cert, pair.Key)
		material, err = comm.ParseMaterial(certs, keys, nil, nil)
		require.NoError(t, err)
	}
	issue()
	source, err := comm.NewSource(comm.SourceConfig{
		Role: tlsstatus.PeerClient, Load: func() (comm.Material, error) { return material, nil }, ClientMode: comm.ClientTLS,
	})
	require.NoError(t, err)
	dir := t.TempDir()
	pair := gm.NewPair(t).Write(t, dir, "stale")
	for key, value := range map[string]any{
		"peer.tls.enabled": true, "peer.tls.clientAuthRequired": true, "peer.tls.clientMode": "gm",
		"peer.tls.clientCert.file": pair.SignCert, "peer.tls.clientKey.file": pair.SignKey,
	} {
		viper.Set(key, value)
	}
	t.Cleanup(viper.Reset)

	config := deliverservice.GlobalConfig()
	require.Same(t, source, config.SecOpts.Source)
	require.Equal(t, material.PEM(), config.SecOpts.Certificate)
	adapter := dialerAdapter{ClientConfig: comm.ClientConfig{SecOpts: config.SecOpts}}
	seen := map[string]bool{}
	for _, mode := range []comm.ClientMode{comm.ClientTLS, comm.ClientGM} {
		require.NoError(t, comm.SetMode(tlsstatus.PeerClient, "", mode))
		for range 2 {
			issue()
			require.NoError(t, comm.Reload(tlsstatus.PeerClient))
			cert, err := source.ClientCertificate()
			require.NoError(t, err)
			require.Equal(t, util.ComputeSHA256(cert.Certificate[0]), adapter.BindingHash())
			seen[string(adapter.BindingHash())] = true
		}
	}
	require.Len(t, seen, 4)

	viper.Set("peer.tls.clientAuthRequired", false)
	require.Nil(t, dialerAdapter{ClientConfig: comm.ClientConfig{SecOpts: deliverservice.GlobalConfig().SecOpts}}.BindingHash(), "nothing is presented")
}
