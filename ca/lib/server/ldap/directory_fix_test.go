// SPDX-License-Identifier: Apache-2.0

package ldap

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	ctls "github.com/hyperledger/fabric-ca/lib/tls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// TestSilentDirectory: a directory that takes connections and answers nothing, to a bind, to a search or to a TLS handshake, does not hold a
// request, and no connection to it stays open.
func TestSilentDirectory(t *testing.T) {
	before := patience
	patience = 200 * time.Millisecond
	t.Cleanup(func() { patience = before })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	closed := make(chan struct{}, 10)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(io.Discard, conn)
				closed <- struct{}{}
			}()
		}
	}()
	root := gmtlstest.WriteFile(t, t.TempDir(), "root.crt", gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "root").CertPEM)
	for name, url := range map[string]string{
		"bind":      "ldap://cn=manager:secret@%s/dc=example",
		"search":    "ldap://%s/dc=example",
		"handshake": "ldaps://%s/dc=example",
	} {
		t.Run(name, func(t *testing.T) {
			client, err := NewClient(&Config{URL: fmt.Sprintf(url, listener.Addr()), TLS: ctls.ClientTLSConfig{CertFiles: []string{root}}}, nil)
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() {
				_, err := client.GetUser("zhang", nil)
				done <- err
			}()
			select {
			case err := <-done:
				require.Error(t, err)
			case <-time.After(10 * time.Second):
				require.Fail(t, "the request is held")
			}
			select {
			case <-closed:
			case <-time.After(10 * time.Second):
				require.Fail(t, "the connection stays open")
			}
		})
	}
}
