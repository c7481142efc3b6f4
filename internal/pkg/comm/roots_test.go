// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/tls"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClientRootsOfOtherOrganisations: an SM2-only root, or one that nobody can
// parse, does not keep the roots of other organisations from taking effect.
// Upstream drops the whole update.
func TestClientRootsOfOtherOrganisations(t *testing.T) {
	org, newcomer, gmOnly := newPKI(t), newPKI(t), newPKI(t)
	for _, mode := range []ServerMode{ModeTLS, ModeDual, ModeGM} {
		t.Run(string(mode), func(t *testing.T) {
			so := org.node(t).options()
			so.ServerMode, so.RequireClientCert = mode, true
			srv, _ := startServer(t, so)
			clientMode := ClientTLS
			if mode == ModeGM {
				clientMode = ClientGM
			}
			accepted := func(p *pki) bool {
				co := p.node(t).options()
				co.ServerRootCAs, co.RequireClientCert, co.ClientMode = org.roots(), true, clientMode
				return try(t, srv.Address(), co) == nil
			}
			require.True(t, accepted(org))
			require.False(t, accepted(newcomer))

			require.NoError(t, srv.SetClientRootCAs(slices.Concat(org.roots(), [][]byte{gmOnly.gm.CertPEM}, newcomer.roots())))
			require.True(t, accepted(org))
			require.True(t, accepted(newcomer))

			err := srv.SetClientRootCAs([][]byte{newcomer.std.CertBytes(), []byte("garbage"), newcomer.gm.CertPEM})
			require.ErrorContains(t, err, "indices [1]")
			require.ErrorContains(t, err, "1 of 3")
			require.True(t, accepted(newcomer))
			require.False(t, accepted(org), "an organisation that left is no longer trusted")

			require.EqualError(t, srv.SetClientRootCAs([][]byte{[]byte("garbage")}), "failed to set client root certificate(s)")
			require.True(t, accepted(newcomer), "without any usable root nothing changes")
			require.NoError(t, srv.SetClientRootCAs(nil))
			require.False(t, accepted(newcomer), "an empty list trusts nobody, not the system's roots")
		})
	}
}

// TestRequiredWithoutRoots: a server that requires client certificates and has
// no roots trusts nobody. Upstream would trust the system's roots.
func TestRequiredWithoutRoots(t *testing.T) {
	so := newPKI(t).node(t).options()
	so.ServerMode, so.RequireClientCert, so.ClientRootCAs = ModeDual, true, nil
	e, err := fixedEndpoint(so)
	require.NoError(t, err)
	st := e.live.state.Load()
	require.NotNil(t, st.std.ClientCAs)
	require.NotNil(t, st.gm.ClientCAs)
	require.Equal(t, tls.RequireAndVerifyClientCert, st.std.ClientAuth)
}

func TestStartupRootsAreStrict(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.RequireClientCert = true
	so.ClientRootCAs = [][]byte{slices.Concat(org.gm.CertPEM, certPEM([]byte("garbage")))}
	_, err := fixedEndpoint(so)
	require.ErrorContains(t, err, "failed to append client root certificate(s): object 2 (line 13): certificate: x509: malformed certificate")
	so.ClientRootCAs = [][]byte{[]byte("no PEM at all")}
	_, err = fixedEndpoint(so)
	require.ErrorContains(t, err, "failed to append client root certificate(s): it is neither PEM nor DER")
}

// TestDamagedBlob: of one organisation's blob in a channel configuration, what can be read counts.
func TestDamagedBlob(t *testing.T) {
	org := newPKI(t)
	key, err := org.std.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	roots := parseRoots(slices.Concat(org.gm.CertPEM, certPEM([]byte("garbage")), key.Key, org.std.CertBytes()))
	require.Len(t, roots.gm, 1)
	require.Len(t, roots.std, 1)
	require.False(t, parseRoots(certPEM([]byte("garbage"))).any())
}

// TestMixedBlob: one PEM file with roots of both families serves both.
func TestMixedBlob(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.ServerMode = ModeDual
	srv, _ := startServer(t, so)
	mixed := [][]byte{slices.Concat(org.gm.CertPEM, org.std.CertBytes())}
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		require.NoError(t, try(t, srv.Address(), SecureOptions{UseTLS: true, ServerRootCAs: mixed, ClientMode: mode}))
	}
}
