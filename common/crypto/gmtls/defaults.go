// SPDX-License-Identifier: Apache-2.0

package gmtls

import "time"

// The defaults of a Config, and the limits on what strangers can make this end
// do.
const (
	defaultSessionLifetime  = time.Hour
	maxSessionLifetime      = 24 * time.Hour
	defaultHandshakeTimeout = 30 * time.Second
	defaultHandshakeSize    = 64 << 10
	defaultSessionCacheSize = 64

	// closeTimeout bounds the writing of the alert that ends a connection.
	closeTimeout = 5 * time.Second

	// maxUselessRecords bounds the records in a row that carry no data:
	// warnings and empty application data.
	maxUselessRecords = 16

	// maxPeerCertificates bounds the certificates in one message.
	maxPeerCertificates = 16
)

// defaultSuites has GCM before CBC and CCM, and for equal protection the suite
// that any client can use first.
var defaultSuites = map[uint16][]uint16{
	VersionTLCP:  {ECC_SM4_GCM_SM3, ECDHE_SM4_GCM_SM3, ECC_SM4_CBC_SM3, ECDHE_SM4_CBC_SM3},
	VersionTLS13: {TLS_SM4_GCM_SM3, TLS_SM4_CCM_SM3},
}

// defaultGroups leaves out what is in a draft.
var defaultGroups = []CurveID{CurveSM2}
