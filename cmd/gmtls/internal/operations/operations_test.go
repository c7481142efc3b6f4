// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/emmansun/gmsm/smx509"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// TestProtocols: the service is asked by the protocol that the file names, with the client's pair, and by no other.
func TestProtocols(t *testing.T) {
	dir := t.TempDir()
	ca := gmtlstest.NewCA(t)
	pair := ca.NewPair(t, "127.0.0.1")
	own, err := gmtls.X509KeyPair(pair.SignCert, pair.SignKey, pair.EncCert, pair.EncKey)
	require.NoError(t, err)
	roots := smx509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca.CertPEM))
	files := ca.NewPair(t).Write(t, dir, "client")
	root := gmtlstest.WriteFile(t, dir, "ca.crt", ca.CertPEM)
	for protocol, version := range map[string]uint16{"tlcp": gmtls.VersionTLCP, "tls13-gm": gmtls.VersionTLS13} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		server := &http.Server{
			ErrorLog: log.New(io.Discard, "", 0),
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `[{"role":"`+tlsstatus.PeerServer+`"}]`)
			}),
		}
		go server.Serve(gmtls.NewListener(listener, &gmtls.Config{
			Versions: []uint16{version}, Certificates: []gmtls.Certificate{own}, ClientAuth: gmtls.RequireAndVerifyClientCert, ClientCAs: roots,
		}))
		t.Cleanup(func() { server.Close() })
		for _, asked := range []string{"tlcp", "tls13-gm", "tls"} {
			access := &Access{Protocol: asked, CA: []string{root}, SignCert: files.SignCert, SignKey: files.SignKey, EncCert: files.EncCert, EncKey: files.EncKey}
			require.NoError(t, access.Complete(dir))
			service, err := NewService(access, listener.Addr().String())
			require.NoError(t, err)
			defer service.Close()
			roles, err := service.Roles(t.Context())
			if asked != protocol {
				require.Error(t, err, "%s was asked by %s", protocol, asked)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, tlsstatus.PeerServer, roles[0].Name)
		}
	}
	require.EqualError(t, (&Access{Protocol: "tls13"}).Complete(dir), `client.protocol is "tls13"; it must be tls, tlcp or tls13-gm`)
}

// TestLongPages: a page that is far longer than any node's is refused before it is decoded; metrics may be long.
func TestLongPages(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `[`)
		for range 1 << 17 {
			_, _ = io.WriteString(w, `{"role":"a name"},`)
		}
		_, _ = io.WriteString(w, `{}]`)
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	service := Over(address, AskLimit, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	})
	defer service.Close()
	_, err := service.Roles(t.Context())
	require.ErrorContains(t, err, tlsstatus.Path+": the answer is longer than 1 MiB")
	page, err := service.Metrics(t.Context())
	require.NoError(t, err)
	require.Greater(t, len(page), 1<<21)
}
