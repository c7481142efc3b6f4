// SPDX-License-Identifier: Apache-2.0

package osnadmin

import (
	"crypto/tls"
	"net/http"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// carried in the PrivateKey field of a tls.Certificate is what httpClient uses in place of a transport of its own. It is no
// crypto.Signer, so crypto/tls refuses such a certificate instead of misusing it.
type carried struct{ *http.Transport }

// Client makes a client certificate for the calls of this package with which they connect as the options say, over TLS or
// TLCP (GB/T 38636). The roots are those of the options; the calls' pool is not looked at. Options that cannot work are an
// error here, not at the first call.
func Client(options comm.SecureOptions) (tls.Certificate, error) {
	transport, err := options.HTTPTransport()
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{PrivateKey: carried{transport}}, nil
}

// httpClient uses the transport that Client made, if it is given one.
//
//fork:wrap gm: osnadmin reaches an orderer over TLS or TLCP
func httpClient(caCertPool *x509.CertPool, tlsClientCert tls.Certificate) *http.Client {
	if c, ok := tlsClientCert.PrivateKey.(carried); ok {
		return &http.Client{Transport: c.Transport}
	}
	return upstreamHttpClient(caCertPool, tlsClientCert)
}
