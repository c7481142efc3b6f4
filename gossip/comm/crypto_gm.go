// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/tls"
	"sync/atomic"

	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// ownCertificateHash returns the hash of the certificate that this peer presented on the connection behind ctx. A peer that
// speaks TLS and TLCP presents different certificates on different connections, so the connection is asked first; the
// process-wide certificate answers for connections that the comm layer did not make.
func ownCertificateHash(ctx context.Context, fallback *atomic.Value) []byte {
	if hash := comm.LocalCertificateHash(ctx); hash != nil {
		return hash
	}
	return certHashFromRawCert(fallback.Load().(*tls.Certificate).Certificate[0])
}
