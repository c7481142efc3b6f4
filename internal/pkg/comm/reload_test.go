// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestHangingReload: while a reload waits for a file that does not come, nodes dial,
// are listened to, change their roots and modes, and tell of their state. It
// gives up in the end, and the next one works once the file is there.
func TestHangingReload(t *testing.T) {
	org := newPKI(t)
	node := org.node(t)
	entered, hang := make(chan struct{}, 8), make(chan struct{})
	first := true
	source := newTestSource(t, SourceConfig{
		Role: t.Name(), ServerMode: ModeDual, ClientMode: ClientTLS,
		Load: func() (Material, error) {
			if first { // that of NewSource
				first = false
			} else {
				entered <- struct{}{}
				<-hang
			}
			return node.load()
		},
	})
	other := newTestSource(t, SourceConfig{Role: t.Name() + " other", ServerMode: ModeTLS, Load: fixed(node)})
	srv, _ := startServer(t, SecureOptions{UseTLS: true, Source: source})

	done := make(chan error)
	go func() { done <- Reload(source.role) }()
	<-entered
	require.NoError(t, try(t, srv.Address(), SecureOptions{UseTLS: true, ServerRootCAs: org.roots()}))
	require.NoError(t, srv.SetClientRootCAs(org.roots()))
	require.NoError(t, SetMode(source.role, ModeTLS, ""))
	require.NotEmpty(t, Status())
	require.NoError(t, Reload(other.role))
	require.ErrorIs(t, Reload(source.role), errLoading, "and no second one at the same time")
	select {
	case err := <-done:
		require.Fail(t, "the reload did not wait", "%v", err)
	default:
	}
	hang <- struct{}{}
	require.NoError(t, <-done)
	mode, _ := source.Modes()
	require.Equal(t, ModeTLS, mode, "what was switched meanwhile stays")

	defer func(before time.Duration) { loadTimeout = before }(loadTimeout)
	loadTimeout = time.Millisecond
	require.ErrorIs(t, Reload(source.role), errUnread)
	<-entered
	require.ErrorIs(t, Reload(source.role), errLoading)
	loadTimeout = patience
	hang <- struct{}{}
	close(hang)
	eventually(t, "what was late has come", func() bool { return !source.reloading.Load() })
	require.NoError(t, Reload(source.role))
}
