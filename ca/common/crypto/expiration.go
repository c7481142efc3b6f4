// SPDX-License-Identifier: Apache-2.0

// Package crypto logs when certificates of the CA will expire. Fabric has a package of this name for nodes.
package crypto

import (
	"time"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// MessageFunc writes a message to a log.
type MessageFunc func(format string, args ...any)

// Scheduler calls f after a time.
type Scheduler func(d time.Duration, f func()) *time.Timer

// TrackExpiration reports when the certificates of a listener or a client end, and schedules a warning a week before. A CA has no
// identity of an MSP: the fourth argument is not looked at.
func TrackExpiration(tls bool, serverCert []byte, clientCertChain [][]byte, _ []byte, info, warn MessageFunc, now time.Time, s Scheduler) {
	if !tls {
		return
	}
	for _, raw := range append([][]byte{serverCert}, clientCertChain...) {
		for _, der := range certificatesIn(raw) {
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				warn("The expiration of a certificate cannot be tracked: %s", err)
				continue
			}
			trackOne(cert, roleOf(cert, "TLS"), info, warn, now, s)
		}
	}
}

// ExpiresAt is the end of an identity of an MSP, which a CA has not.
func ExpiresAt([]byte) time.Time { return time.Time{} }
