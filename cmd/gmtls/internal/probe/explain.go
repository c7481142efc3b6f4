// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"syscall"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
)

// connectFindings explains why there is no connection.
func connectFindings(target string, err error) []cause.Finding {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return []cause.Finding{cause.Find(cause.NameResolution, "%s: %s", loglimit.Printable(dns.Name), dns.Err)}
	case errors.Is(err, syscall.ECONNREFUSED):
		return []cause.Finding{cause.Find(cause.Refused, "%s refuses the connection", target)}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return []cause.Finding{cause.Find(cause.Unreachable, "%s: %v", target, err)}
	case errors.As(err, &timeout) && timeout.Timeout():
		return []cause.Finding{cause.Find(cause.ConnectTimeout, "%s does not answer the connection attempt", target)}
	}
	return []cause.Finding{cause.Find(cause.Unreachable, "%s: %v", target, err)}
}

// alertNumber returns the number of the alert in err, sent by the peer ("remote
// error") or by this end ("local error").
func alertNumber(err error, op string) (uint8, bool) {
	var opErr *net.OpError
	if !errors.As(err, &opErr) || opErr.Op != op {
		return 0, false
	}
	var tlcp gmtls.AlertError
	if errors.As(opErr.Err, &tlcp) {
		return uint8(tlcp), true
	}
	var std tls.AlertError
	if errors.As(opErr.Err, &std) {
		return uint8(std), true
	}
	// For alerts on TCP crypto/tls has a separate type, which only prints.
	for _, a := range cause.Alerts {
		if opErr.Err.Error() == tls.AlertError(a.Number).Error() {
			return a.Number, true
		}
	}
	return 0, false
}

// explain finds the causes of a failed handshake.
func (a *Attempt) explain(protocol string) []cause.Finding {
	version := a.wire.RecordVersion[1]
	switch {
	case protocol == protocolTLCP && version>>8 == 3:
		return []cause.Finding{cause.Find(cause.SpeaksTLS, "the answer to a TLCP ClientHello is a record of %s", wire.VersionName(version))}
	case protocol != protocolTLCP && version == gmtls.VersionTLCP:
		return []cause.Finding{cause.Find(cause.SpeaksTLCP, "the answer to a TLS ClientHello is a TLCP record")}
	case a.wire.Foreign[1] != nil:
		return []cause.Finding{cause.Find(cause.SpeaksPlain, "the answer begins with %s", strconv.QuoteToASCII(string(a.wire.Foreign[1][:min(len(a.wire.Foreign[1]), 24)])))}
	}
	if n, ok := alertNumber(a.err, "remote error"); ok {
		if protocol == protocolTLCP && a.wire.Server == nil && n == uint8(gmtls.AlertProtocolVersion) {
			return []cause.Finding{cause.Find(cause.SpeaksTLS, "the answer to a TLCP ClientHello is alert 70 protocol version not supported")}
		}
		return []cause.Finding{a.explainAlert(n)}
	}
	if protocol != protocolTLS {
		if n, ok := alertNumber(a.err, "local error"); ok {
			return a.explainLocal(protocol, n)
		}
	}
	return []cause.Finding{a.explainEnd()}
}

// explainAlert explains an alert that the server sent.
func (a *Attempt) explainAlert(number uint8) cause.Finding {
	name, meaning := cause.AlertName(number)
	text := fmt.Sprintf("alert %d %s: %s", number, name, meaning)
	id := cause.OfServerAlert(number, a.wire.Server != nil, a.Requested, a.offered)
	if id == cause.ClientCertRequired || id == cause.ClientCertRefused {
		text += a.authorities()
	}
	return cause.Find(id, "%s", text)
}

// explainLocal explains why this end broke the handshake with an alert.
func (a *Attempt) explainLocal(protocol string, number uint8) []cause.Finding {
	last := ""
	for _, s := range a.Ladder {
		if !s.FromClient {
			last = s.Name
		}
	}
	switch {
	case last == "Certificate" && protocol == protocolTLCP:
		found := a.pairFindings()
		if len(found) > 0 {
			return found
		}
	case errors.Is(a.err, gmx509.ErrPairSigningUsage), errors.Is(a.err, gmx509.ErrTLS13Usage):
		return []cause.Finding{cause.Find(cause.SignUsage, "%v", a.err)}
	case (last == "ServerKeyExchange" || last == "CertificateVerify") && number == uint8(gmtls.AlertDecryptError):
		return []cause.Finding{cause.Find(cause.BadServerSignature, "%v", a.err)}
	case number == uint8(gmtls.AlertDecryptError), number == uint8(gmtls.AlertBadRecordMAC):
		return []cause.Finding{cause.Find(cause.FinishedMismatch, "%v", a.err)}
	}
	return []cause.Finding{cause.Find(cause.Unparsable, "%v", a.err)}
}

// explainEnd explains a connection that ended, or stood still, without an alert.
func (a *Attempt) explainEnd() cause.Finding {
	var timeout net.Error
	answered := slices.ContainsFunc(a.Ladder, func(s wire.Step) bool { return !s.FromClient })
	switch {
	case errors.Is(a.err, os.ErrDeadlineExceeded), errors.As(a.err, &timeout) && timeout.Timeout():
		if !answered {
			return cause.Find(cause.SilentPeer, "no byte in answer to ClientHello in %s", wire.Milliseconds(a.Took))
		}
		return cause.Find(cause.HandshakeTimeout, "nothing more %s in %s", a.state(), wire.Milliseconds(a.Took))
	case errors.Is(a.err, syscall.ECONNRESET), errors.Is(a.err, syscall.EPIPE):
		if a.Requested && !a.offered {
			return cause.Find(cause.ClientCertRequired, "the connection is reset when no certificate comes%s", a.authorities())
		}
		return cause.Find(cause.Reset, "%s", a.state())
	case errors.Is(a.err, io.EOF), errors.Is(a.err, io.ErrUnexpectedEOF):
		switch {
		case !answered:
			return cause.Find(cause.ClosedAtHello, "the connection ends after ClientHello")
		case a.Requested && !a.offered:
			return cause.Find(cause.ClientCertRequired, "the connection ends when no certificate comes%s", a.authorities())
		}
		return cause.Find(cause.ClosedMidway, "the connection ends %s", a.state())
	}
	return cause.Find(cause.Unparsable, "%v", a.err)
}
