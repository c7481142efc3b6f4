// SPDX-License-Identifier: Apache-2.0

package osnadmin

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// carried in the PrivateKey field of a tls.Certificate is what httpClient connects with, instead of making a transport. It is no
// crypto.Signer, so crypto/tls refuses such a certificate instead of misusing it.
type carried struct{ options comm.SecureOptions }

// Client makes a client certificate for the calls of this package with which they connect as the options say, over TLS or
// TLCP (GB/T 38636). The roots are those of the options; the calls' pool is not looked at. Options that cannot work are an
// error here, not at the first call.
func Client(options comm.SecureOptions) (tls.Certificate, error) {
	if _, err := options.HTTPTransport(); err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{PrivateKey: carried{options}}, nil
}

// client connects as the options say, with the clock that certificates are judged by set back.
func (c carried) client(shift time.Duration) *http.Client {
	c.options.TimeShift = shift
	transport, err := c.options.HTTPTransport()
	if err != nil {
		return &http.Client{Transport: refusal{err}}
	}
	return &http.Client{Transport: transport}
}

// refusal answers each request with the reason why there is no transport.
type refusal struct{ reason error }

func (r refusal) RoundTrip(*http.Request) (*http.Response, error) { return nil, r.reason }
