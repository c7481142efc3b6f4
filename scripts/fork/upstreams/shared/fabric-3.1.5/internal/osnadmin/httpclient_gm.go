// SPDX-License-Identifier: Apache-2.0

package osnadmin

import (
	"crypto/tls"
	"net/http"
	"time"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// httpClient connects as Client was told, if it made the certificate.
//
//fork:wrap gm: osnadmin reaches an orderer over TLS or TLCP
func httpClient(caCertPool *x509.CertPool, tlsClientCert tls.Certificate, timeShift time.Duration) *http.Client {
	if c, ok := tlsClientCert.PrivateKey.(carried); ok {
		return c.client(timeShift)
	}
	return upstreamHttpClient(caCertPool, tlsClientCert, timeShift)
}
