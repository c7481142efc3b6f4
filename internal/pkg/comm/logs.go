// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/loglimit"
)

var commLogger = flogging.MustGetLogger("comm")

// tlsLogger reports client handshakes and, at level debug, traces the messages
// of every TLCP handshake.
var tlsLogger = flogging.MustGetLogger("comm.tls")

// clientLogLimit is that of the process's dialers.
var clientLogLimit loglimit.Limit

// logFailure reports a failed handshake. Clients that leave without a byte,
// health probes above all, are no news.
func (e *endpoint) logFailure(raw net.Conn, took time.Duration, err error) {
	l := e.logger.With("remote address", raw.RemoteAddr().String())
	if errors.Is(err, errSilent) {
		l.Debugf("Server TLS handshake failed in %s with error %s", took, err)
		return
	}
	ok, note := e.limit.Allow(time.Now())
	if !ok {
		return
	}
	l.Errorf("Server TLS handshake failed in %s with error %s%s", took, shortened(err), note)
}

// shortened is the text of an error for the log. The other end may have put much into it: names of a certificate take up to eight times their
// bytes.
func shortened(err error) string { return loglimit.Shorten(err.Error()) }

// auditRefusal records that this process has refused the certificate of the other end.
func auditRefusal(role, side, address string, err error) {
	switch resultOf(err) {
	case "certificate", "revoked":
		audit.Bounded(audit.CertificateRefused, "role", roleName(role), "side", side, "address", address, "reason", err.Error())
	}
}

// resultOf names the outcome of a handshake for metrics.
func resultOf(err error) string {
	var mode *ModeError
	var gmVerification *gmtls.CertificateVerificationError
	var stdVerification *tls.CertificateVerificationError
	var timeout net.Error
	var revoked *RevocationError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &mode):
		return "mode"
	case errors.Is(err, errSilent):
		return "silent"
	case errors.Is(err, errDisplaced):
		return "displaced"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.As(err, &revoked):
		return "revoked"
	case errors.As(err, &gmVerification), errors.As(err, &stdVerification):
		return "certificate"
	}
	return "failed"
}
