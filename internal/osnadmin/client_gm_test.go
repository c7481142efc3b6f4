// SPDX-License-Identifier: Apache-2.0

package osnadmin

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// TestClientClock: an orderer whose pair has expired is reached with the clock set back behind that, and not without.
func TestClientClock(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	expired := ca.NewPairUntil(t, time.Now().Add(-time.Hour), "127.0.0.1")
	pair, err := gmtls.X509KeyPair(expired.SignCert, expired.SignKey, expired.EncCert, expired.EncKey)
	require.NoError(t, err)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{ReadTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go server.Serve(gmtls.NewListener(inner, &gmtls.Config{Certificates: []gmtls.Certificate{pair}}))
	t.Cleanup(func() { server.Close() })

	options := comm.SecureOptions{UseTLS: true, RequireClientCert: true, ServerRootCAs: [][]byte{ca.CertPEM}, ClientMode: comm.ClientGM}
	options.Certificate, options.Key = ca.NewPair(t).Bundle(nil, nil)
	certificate, err := Client(options)
	require.NoError(t, err)
	for shift, reached := range map[time.Duration]bool{0: false, 2 * time.Hour: true} {
		client := certificate.PrivateKey.(carried).client(shift)
		client.Timeout = 10 * time.Second
		resp, err := client.Get("https://" + inner.Addr().String())
		if !reached {
			require.ErrorContains(t, err, "expired")
			continue
		}
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}

	options.Certificate = nil
	_, err = Client(options)
	require.Error(t, err)
	_, err = carried{options}.client(0).Get("https://" + inner.Addr().String())
	require.Error(t, err)
}
