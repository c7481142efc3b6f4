// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/stretchr/testify/require"
)

// TestVerifyCertificate: the function of either end sees the certificates of the other, both of a TLCP pair, after they were
// verified; and its error ends the handshake.
func TestVerifyCertificate(t *testing.T) {
	org := newPKI(t)
	node, user := org.node(t), org.node(t)
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		p := dialedBy(mode)
		for _, end := range []string{"server", "client"} {
			for _, refuses := range []bool{false, true} {
				t.Run(string(p)+" "+end, func(t *testing.T) {
					so, co := node.options(), user.options()
					so.ServerMode, so.RequireClientCert = ModeDual, true
					co.ClientMode, co.RequireClientCert = mode, true
					verify, of := &so.VerifyCertificate, user
					if end == "client" {
						verify, of = &co.VerifyCertificate, node
					}
					var called atomic.Int32
					*verify = func(raw [][]byte, chains [][]*x509.Certificate) error {
						called.Add(1)
						want := 1
						if p == protocolTLCP {
							want = 2
						}
						if len(raw) < want || len(chains) == 0 || string(digest(raw[0])) != string(of.leafDigest(t, p)) {
							t.Errorf("%d certificates, %d chains", len(raw), len(chains))
						}
						if refuses {
							return errors.New("not this one")
						}
						return nil
					}
					server, _ := startServer(t, so)
					err := try(t, server.Address(), co)
					require.Equal(t, refuses, err != nil, err)
					require.Positive(t, called.Load())
				})
			}
		}
	}
}

// TestRandomNumbers: every end of TLCP takes them from the provider, which tests them.
func TestRandomNumbers(t *testing.T) {
	node := newPKI(t).node(t)
	source := newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(node), ServerMode: ModeGM, ClientMode: ClientGM})
	server, _ := startServer(t, SecureOptions{UseTLS: true, Source: source})
	require.Equal(t, gm.Random(), server.endpoint.live.state.Load().gm.Rand)

	options, err := newOptionsDialer(SecureOptions{UseTLS: true, Source: source}, alpnProtocols).current()
	require.NoError(t, err)
	require.Equal(t, gm.Random(), options.gm.Rand)

	cs := NewCredentialSupport()
	cert, err := source.ClientCertificate()
	require.NoError(t, err)
	cs.SetClientCertificate(cert)
	support, err := (&supportDialer{cs}).current()
	require.NoError(t, err)
	require.Equal(t, gm.Random(), support.gm.Rand)
}

// TestDialersFollowTheSource: what a role's configuration says of TLS 1.3 and suites holds for all that dial with it.
func TestDialersFollowTheSource(t *testing.T) {
	source := newTestSource(t, SourceConfig{
		Role: t.Name(), Load: fixed(newPKI(t).node(t)), ClientMode: ClientGM,
		GMClientProtocol: GMProtocolTLS13, GMHybrid: true, GMCipherSuites: []string{"ECC_SM4_GCM_SM3"},
	})
	options, err := newOptionsDialer(SecureOptions{UseTLS: true, Source: source}, alpnProtocols).current()
	require.NoError(t, err)
	cs := NewCredentialSupport()
	cert, err := source.ClientCertificate()
	require.NoError(t, err)
	cs.SetClientCertificate(cert)
	support, err := (&supportDialer{cs}).current()
	require.NoError(t, err)
	for _, state := range []*clientState{options, support} {
		require.Equal(t, []gmtls.CurveID{gmtls.CurveSM2MLKEM768, gmtls.CurveSM2}, state.gm.CurvePreferences)
		require.Equal(t, []uint16{gmtls.ECC_SM4_GCM_SM3, gmtls.TLS_SM4_GCM_SM3, gmtls.TLS_SM4_CCM_SM3}, state.gm.CipherSuites)
		require.Equal(t, []uint16{gmtls.VersionTLS13}, state.gm.Versions)
	}
}

// TestNoConfigurationForGM: in mode gm there is none for TLS, and none is not taken for no protection.
func TestNoConfigurationForGM(t *testing.T) {
	_, err := SecureOptions{UseTLS: true, ClientMode: ClientGM, ServerRootCAs: newPKI(t).roots()}.TLSConfig()
	require.ErrorContains(t, err, "there is no TLS configuration")
}

// TestLeastVersion: credentials made of a bare configuration do not serve what came before TLS 1.2.
func TestLeastVersion(t *testing.T) {
	config := NewTLSConfig(&tls.Config{MinVersion: tls.VersionTLS10})
	NewServerTransportCredentials(config, nil)
	present := config.Config()
	require.Equal(t, uint16(tls.VersionTLS12), present.MinVersion)
}
