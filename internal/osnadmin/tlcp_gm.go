// SPDX-License-Identifier: Apache-2.0

package osnadmin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// tlcpPair in the PrivateKey field of a tls.Certificate makes httpClient speak TLCP. It is no crypto.Signer, so crypto/tls
// refuses such a certificate instead of misusing it.
type tlcpPair gmtls.Certificate

// LoadTLCPPair reads an SM2 signing and encryption pair from PEM files. Handed to the calls of this package as client
// certificate it makes them speak TLCP (GB/T 38636) and nothing else; the CA pool must then hold SM2 CAs.
func LoadTLCPPair(signCertFile, signKeyFile, encCertFile, encKeyFile string) (tls.Certificate, error) {
	pair, err := gmtls.LoadX509KeyPair(signCertFile, signKeyFile, encCertFile, encKeyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: pair.Certificate, PrivateKey: tlcpPair(pair)}, nil
}

// httpClient speaks TLCP when it is given a pair made for it.
//
//fork:wrap TLCP beside TLS
func httpClient(caCertPool *x509.CertPool, tlsClientCert tls.Certificate) *http.Client {
	pair, ok := tlsClientCert.PrivateKey.(tlcpPair)
	if !ok {
		return upstreamHttpClient(caCertPool, tlsClientCert)
	}
	dialer := &gmtls.Dialer{Config: &gmtls.Config{
		RootCAs:      caCertPool.SM(),
		Certificates: []gmtls.Certificate{gmtls.Certificate(pair)},
	}}
	return &http.Client{Transport: &http.Transport{
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
				return nil, err // nobody there: the protocol does not matter
			}
			if err != nil {
				return nil, fmt.Errorf("connecting to %s over TLCP (this client's mode is gm; the orderer's Admin.TLS.Mode must be gm or dual): %w", address, err)
			}
			return conn, nil
		},
	}}
}
