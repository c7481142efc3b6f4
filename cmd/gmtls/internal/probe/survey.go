// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// maxSurvey bounds what a server may answer to a survey, in bytes.
const maxSurvey = 64 << 10

// surveyed are the suites of the standard: those of gmtls, then the others.
func surveyed() (ids []uint16) {
	for _, s := range gmtls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	return append(ids, slices.Sorted(maps.Keys(wire.OtherSuites))...)
}

// survey finds what is behind a TLCP server that has no suite in common: it offers every suite of the standard, those that gmtls
// lacks too, and reads which one the server takes. main is the attempt that failed; nil is returned where nothing more comes of it.
func (p *prober) survey(ctx context.Context, main *Attempt) *cause.Finding {
	answer := p.answerTo(ctx, bareHello(surveyed()))
	if answer == nil {
		return nil
	}
	detail := main.Findings[0].Detail
	var found cause.Finding
	switch server := answer.Server; {
	case server == nil && !alerted(answer):
		return nil
	case server == nil:
		found = cause.Find(cause.NoServerPair, "%s; the %d suites of the standard are refused as well, offered without extensions", detail, len(surveyed()))
	case len(server.Suites) == 0:
		return nil
	case wire.OtherSuites[server.Suites[0]] != "":
		found = cause.Find(cause.OtherSuites, "%s; of all suites of the standard the server takes %s%s", detail, wire.SuiteName(server.Suites[0]), keys(answer))
	case p.pair == nil && isECDHE(server.Suites[0]):
		found = cause.Find(cause.NoSharedSuite, "%s; the server takes %s, for which the client needs a pair", detail, wire.SuiteName(server.Suites[0]))
	default:
		return nil
	}
	return &found
}

func alerted(answer *wire.Parser) bool {
	return slices.ContainsFunc(answer.Steps, func(s wire.Step) bool { return !s.FromClient && s.Name == "Alert" })
}

// keys tells of what kind the keys in the certificates are that a server sent.
func keys(answer *wire.Parser) string {
	if len(answer.Certificates) == 0 {
		return ""
	}
	cert, err := x509.ParseCertificate(answer.Certificates[0])
	if err != nil {
		return ", with a certificate that cannot be parsed"
	}
	return ", with a certificate of " + material.KeyName(cert.PublicKey)
}

func isECDHE(suite uint16) bool {
	return suite == gmtls.ECDHE_SM4_CBC_SM3 || suite == gmtls.ECDHE_SM4_GCM_SM3
}

// answerTo sends a record and reads what the server answers, until it waits for more; nil if it cannot be reached.
func (p *prober) answerTo(ctx context.Context, record []byte) *wire.Parser {
	conn, err := p.dial(ctx)
	if err != nil {
		return nil
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(p.Timeout)) // a closed connection shows in what is read
	parser := new(wire.Parser)
	rec := &recorder{conn, parser, time.Now()}
	if _, err := rec.Write(record); err != nil {
		return parser
	}
	buf := make([]byte, 4096)
	for read := 0; read < maxSurvey && !alerted(parser) && !done(parser); {
		n, err := rec.Read(buf)
		if read += n; err != nil {
			break
		}
	}
	return parser
}

// done reports whether a server of TLCP has said all that it says in the clear.
func done(answer *wire.Parser) bool {
	return slices.ContainsFunc(answer.Steps, func(s wire.Step) bool { return s.Name == wire.MessageName(wire.MsgServerHelloDone) })
}

// bareHello is a record with a ClientHello of TLCP that has no extensions.
func bareHello(suites []uint16) []byte {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // does not fail
	var b cryptobyte.Builder
	b.AddUint8(wire.RecordHandshake)
	b.AddUint16(gmtls.VersionTLCP)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(wire.MsgClientHello)
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint16(gmtls.VersionTLCP)
			b.AddBytes(random)
			b.AddUint8(0) // no session
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, id := range suites {
					b.AddUint16(id)
				}
			})
			b.AddUint8(1)
			b.AddUint8(0) // no compression
		})
	})
	return b.BytesOrPanic()
}
