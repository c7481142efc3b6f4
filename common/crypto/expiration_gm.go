// SPDX-License-Identifier: Apache-2.0

//go:build fork

package crypto

import (
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/msp"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// TrackExpiration reports when the certificates of a node expire and schedules a
// warning a week before. serverCert is PEM and may be a bundle; the members of
// clientCertChain are PEM or DER, the first one the client's own. Both may hold
// the two halves of a TLCP pair and CA certificates. Without tls the
// certificates of TLS are not looked at.
//
//fork:replace gm: every certificate is tracked, encryption certificates and DER included
func TrackExpiration(tls bool, serverCert []byte, clientCertChain [][]byte, sIDBytes []byte, info MessageFunc, warn MessageFunc, now time.Time, s Scheduler) {
	sID := &msp.SerializedIdentity{}
	if err := proto.Unmarshal(sIDBytes, sID); err != nil {
		return
	}
	trackCertExpiration(sID.IdBytes, "enrollment", info, warn, now, s)
	if !tls {
		return
	}
	trackCertExpiration(serverCert, "server TLS", info, warn, now, s)
	for _, cert := range clientCertChain {
		trackCertExpiration(cert, "client TLS", info, warn, now, s)
	}
}

// trackCertExpiration tracks each certificate in raw, which is a PEM bundle or
// one DER certificate. An X.509 certificate that cannot be parsed is warned of;
// identities of other kinds have no expiration that this package knows.
//
//fork:replace gm: the whole bundle is tracked, and what cannot be parsed is not silently ignored
func trackCertExpiration(rawCert []byte, certRole string, info MessageFunc, warn MessageFunc, now time.Time, sched Scheduler) {
	for _, der := range certificatesIn(rawCert) {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			warn("The expiration of a %s certificate cannot be tracked: %s", certRole, err)
			continue
		}
		trackOne(cert, roleOf(cert, certRole), info, warn, now, sched)
	}
}
