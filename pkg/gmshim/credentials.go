// SPDX-License-Identifier: Apache-2.0

package gmshim

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
	"github.com/hyperledger/fabric/pkg/internal/roots"
	"google.golang.org/grpc/credentials"
)

// tlsCredentials builds those of the stock server: TLS 1.2 or later, no tickets, client certificates demanded when
// there are roots to check them against.
func tlsCredentials(props *shim.TLSProperties) (credentials.TransportCredentials, []*x509.Certificate, error) {
	pair, err := roots.TLSPair("CHAINCODE_TLS_CERT", props.Cert, "CHAINCODE_TLS_KEY", props.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("gmshim: TLS certificate and key: %w", err)
	}
	config := &tls.Config{
		MinVersion:             tls.VersionTLS12,
		Certificates:           []tls.Certificate{pair},
		SessionTicketsDisabled: true,
	}
	if len(props.ClientCACerts) > 0 {
		if config.ClientCAs, err = roots.Standard("CHAINCODE_CLIENT_CA_CERT", props.ClientCACerts); err != nil {
			return nil, nil, fmt.Errorf("gmshim: client roots: %w", err)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return credentials.NewTLS(config), []*x509.Certificate{pair.Leaf}, nil
}

// tlcpCredentials builds the same for TLCP and TLS 1.3 with GM suites: no resumption, client certificates demanded when there are roots.
func tlcpCredentials(props *TLCPProperties) (credentials.TransportCredentials, []*x509.Certificate, error) {
	pair, err := roots.TLCPPair(props.SignCert, props.SignKey, props.EncCert, props.EncKey, x509.ExtKeyUsageServerAuth)
	if err != nil {
		return nil, nil, fmt.Errorf("gmshim: TLCP pair (CHAINCODE_TLCP_SIGN_CERT, _SIGN_KEY, _ENC_CERT, _ENC_KEY): %w", err)
	}
	config := &gmtls.Config{
		Versions:               props.Versions,
		Certificates:           []gmtls.Certificate{pair},
		SessionTicketsDisabled: true,
		HandshakeTimeout:       handshakeTimeout,
		ChainCache:             gmtls.NewChainCache(16), // its clients are a few peers
	}
	if len(props.ClientCACerts) > 0 {
		trusted, err := roots.SM2("CHAINCODE_CLIENT_CA_CERT", props.ClientCACerts)
		if err != nil {
			return nil, nil, fmt.Errorf("gmshim: client roots: %w", err)
		}
		config.ClientCAs, config.Authorities = trusted.Pool, trusted.Authorities
		config.ClientAuth = gmtls.RequireAndVerifyClientCert
	}
	return gmcredentials.New(config), []*x509.Certificate{pair.Leaf, pair.EncLeaf}, nil
}
