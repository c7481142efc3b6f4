// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/x509"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/hyperledger/fabric/bccsp/gm"
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
