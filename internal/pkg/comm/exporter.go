// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// ExportKeyingMaterial returns length bytes that both ends of the gRPC connection behind ctx can compute and nobody else; see
// [gmtls.Conn.ExportKeyingMaterial] for what they prove. The state in credentials.TLSInfo cannot hold the secrets of a connection by
// gmtls, so the live connection is asked. It fails if there is neither TLS nor TLCP, and after the connection has ended.
func ExportKeyingMaterial(ctx context.Context, label string, material []byte, length int) ([]byte, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, errors.New("comm: no connection is known for this call, so that nothing can be bound to it")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || !info.State.HandshakeComplete {
		return nil, fmt.Errorf("comm: the connection with %s has neither TLS nor TLCP, so that nothing can be bound to it", p.Addr)
	}
	if t := connectionOf(ctx); t != nil && t.export != nil {
		return t.export(label, material, length)
	}
	if gmSuite(info.State.CipherSuite) {
		return nil, fmt.Errorf("comm: the connection with %s (%s) has ended, nothing can be bound to it any more",
			p.Addr, gmtls.CipherSuiteName(info.State.CipherSuite))
	}
	return info.State.ExportKeyingMaterial(label, material, length)
}

// gmSuite reports whether a cipher suite is one of gmtls, which crypto/tls cannot negotiate.
func gmSuite(id uint16) bool {
	for _, list := range [][]*gmtls.CipherSuite{gmtls.CipherSuites(), gmtls.CipherSuitesTLS13()} {
		for _, suite := range list {
			if suite.ID == id {
				return true
			}
		}
	}
	return false
}
