// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"
)

// TestPeerOptionsFollowTheirSource: the options of the peer's listeners carry the live source and bundles of every pair, and the
// certificate for dialing is of the family that the client mode asks for.
func TestPeerOptionsFollowTheirSource(t *testing.T) {
	std, err := tlsgen.NewCA()
	require.NoError(t, err)
	gm := gmtlstest.NewCA(t)
	dir := t.TempDir()
	stdPair, err := std.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	pair := gm.NewPair(t, "127.0.0.1")
	files := pair.Write(t, dir, "server")
	for key, value := range map[string]any{
		"peer.tls.enabled": true, "peer.tls.mode": "dual",
		"peer.tls.cert.file":        gmtlstest.WriteFile(t, dir, "server.crt", stdPair.Cert),
		"peer.tls.key.file":         gmtlstest.WriteFile(t, dir, "server.key", stdPair.Key),
		"peer.tls.rootcert.file":    gmtlstest.WriteFile(t, dir, "roots.crt", append(append([]byte{}, std.CertBytes()...), gm.CertPEM...)),
		"peer.tls.gm.signCert.file": files.SignCert, "peer.tls.gm.signKey.file": files.SignKey,
		"peer.tls.gm.encCert.file": files.EncCert, "peer.tls.gm.encKey.file": files.EncKey,
	} {
		viper.Set(key, value)
	}
	t.Cleanup(viper.Reset)

	certs, _ := pair.Bundle(stdPair.Cert, stdPair.Key)
	options, err := GetServerConfig()
	require.NoError(t, err)
	require.Same(t, comm.LookupSource(tlsstatus.PeerServer), options.SecOpts.Source)
	require.Equal(t, string(certs), string(options.SecOpts.Certificate))
	require.Equal(t, string(stdPair.Key), string(options.SecOpts.Key), "no key of the TLCP pair goes round as bytes")
	again, err := GetServerConfig()
	require.NoError(t, err)
	require.Same(t, options.SecOpts.Source, again.SecOpts.Source, "upstream asks twice: listeners of the first answer stay live")

	own, err := GetClientCertificate()
	require.NoError(t, err)
	require.Equal(t, [][]byte{stdPair.TLSCert.Raw}, own.Certificate)
	viper.Set("peer.tls.clientMode", "gm")
	own, err = GetClientCertificate()
	require.NoError(t, err)
	require.Len(t, own.Certificate, 2, "signing and encryption certificate")
	require.NotContains(t, own.Certificate, stdPair.TLSCert.Raw)

	viper.Set("peer.tls.mode", "gmtls")
	_, err = GetServerConfig()
	require.ErrorContains(t, err, "peer.tls.mode")
	viper.Set("peer.tls.enabled", false)
	options, err = GetServerConfig()
	require.NoError(t, err)
	require.Nil(t, options.SecOpts.Source)
}
