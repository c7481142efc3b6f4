// SPDX-License-Identifier: Apache-2.0

package roots

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"
)

// EndInterval is the time between two warnings of the same certificate.
const EndInterval = 12 * time.Hour

// endNotice is when warnings begin before the end of a certificate, as in gmtls.
const endNotice = 30 * 24 * time.Hour

// WarnOfEnds tells a log of certificates that have ended or end soon. whose names their owner.
func WarnOfEnds(log *slog.Logger, whose string, certs ...*x509.Certificate) {
	for _, cert := range certs {
		switch left := time.Until(cert.NotAfter); {
		case left <= 0:
			log.Error("a certificate of "+whose+" has ended, and peers refuse it: renew it", "subject", cert.Subject.String(), "ended", cert.NotAfter)
		case left < endNotice:
			log.Warn("a certificate of "+whose+" ends soon: renew it", "subject", cert.Subject.String(), "ends", cert.NotAfter)
		}
	}
}

// KeepWarningOfEnds warns now, and then twice a day until ctx ends.
func KeepWarningOfEnds(ctx context.Context, log *slog.Logger, whose string, certs ...*x509.Certificate) {
	WarnOfEnds(log, whose, certs...)
	go func() {
		ticker := time.NewTicker(EndInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				WarnOfEnds(log, whose, certs...)
			}
		}
	}()
}
