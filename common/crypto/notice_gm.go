// SPDX-License-Identifier: Apache-2.0

//go:build fork

package crypto

import (
	"encoding/pem"
	"time"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// certificatesIn returns the DER of the certificates in raw.
func certificatesIn(raw []byte) [][]byte {
	const derSequence = 0x30
	if len(raw) > 0 && raw[0] == derSequence {
		return [][]byte{raw}
	}
	var ders [][]byte
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			ders = append(ders, block.Bytes)
		}
	}
	return ders
}

// roleOf tells apart the certificates that one node has in one role.
func roleOf(cert *x509.Certificate, role string) string {
	switch {
	case cert.IsCA:
		return role + " CA"
	case !x509.IsSM2(cert.PublicKey) || cert.KeyUsage == 0:
		return role
	case x509.IsPairSigning(cert):
		return role + " SM2"
	default:
		return role + " SM2 encryption"
	}
}

func trackOne(cert *x509.Certificate, role string, info MessageFunc, warn MessageFunc, now time.Time, sched Scheduler) {
	const day = 24 * time.Hour
	const notice = 7 * day

	if now.Before(cert.NotBefore) {
		warn("The %s certificate is not valid before %s, and this clock says %s: others refuse it until then; set the clock, or use the former certificate until then",
			role, cert.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	left := cert.NotAfter.Sub(now)
	if left < 0 {
		warn("The %s certificate has expired", role)
		return
	}
	info("The %s certificate will expire on %s", role, cert.NotAfter)
	if left < notice {
		warn("The %s certificate expires within %d days and %d hours", role, left/day, left%day/time.Hour)
		return
	}
	sched(left-notice, func() {
		warn("The %s certificate will expire within one week", role)
	})
}
