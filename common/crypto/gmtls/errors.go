// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/x509"
	"fmt"
	"net"
)

// RecordHeaderError is returned when the first record from the peer does not
// look like TLCP, typically because the peer speaks TLS or no TLS at all.
type RecordHeaderError struct {
	// Msg says what is wrong.
	Msg string
	// RecordHeader is the header that was read.
	RecordHeader [5]byte
	// Conn is the underlying connection; it is given so that a server can
	// answer in the peer's protocol. It is nil once an alert was sent.
	Conn net.Conn
}

// Error describes the failure.
func (e RecordHeaderError) Error() string { return "gmtls: " + e.Msg }

// CertificateVerificationError says that the peer's certificates did not pass
// verification.
type CertificateVerificationError struct {
	// UnverifiedCertificates is what the peer sent, in its order.
	UnverifiedCertificates []*x509.Certificate
	// Err is the reason.
	Err error
}

// Error describes the failure.
func (e *CertificateVerificationError) Error() string {
	return fmt.Sprintf("gmtls: failed to verify the peer's certificates: %v", e.Err)
}

// Unwrap returns the reason.
func (e *CertificateVerificationError) Unwrap() error { return e.Err }
