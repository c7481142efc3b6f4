// SPDX-License-Identifier: Apache-2.0

package material

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// Dialect says how a stack differs from other implementations of TLCP or TLS 1.3. The zero value is what nodes speak.
type Dialect struct {
	OmitExtensions, SingleCertificate, RawTranscript, VectorParams bool // TLCP
	OmitMiddlebox                                                  bool // TLS 1.3
}

// Flags adds the flags of a client.
func (d *Dialect) Flags(flags *pflag.FlagSet) {
	flags.BoolVar(&d.OmitExtensions, "omit-extensions", false, "TLCP: send no extension, for servers that refuse any (GmSSL 3.1)")
	flags.BoolVar(&d.SingleCertificate, "single-certificate", false, "TLCP: send only the signing certificate, in ECC suites (GmSSL from 3.2 on)")
	flags.BoolVar(&d.RawTranscript, "raw-transcript", false, "TLCP: sign the messages in CertificateVerify, not their hash (GmSSL from 3.2 on)")
	flags.BoolVar(&d.VectorParams, "vector-params", false, "TLCP: send the params of ECDHE suites with their length (GmSSL from 3.3 on)")
	flags.BoolVar(&d.OmitMiddlebox, "omit-middlebox-compatibility", false,
		"TLS 1.3 with GM suites: send neither session identifier nor ChangeCipherSpec, for servers that fail at the latter (GmSSL 3.3)")
}

// Apply sets the dialect of a client or server.
func (d Dialect) Apply(config *gmtls.Config) {
	config.OmitExtensions, config.SingleClientCertificate = d.OmitExtensions, d.SingleCertificate
	config.RawTranscriptVerify, config.VectorClientParams = d.RawTranscript, d.VectorParams
	config.OmitMiddleboxCompatibility = d.OmitMiddlebox
}

// Check refuses flags that have no meaning in the chosen protocol. chosen is the flag that chose it, with its value. Version 0 is a
// protocol without dialects.
func (d Dialect) Check(version uint16, chosen string) error {
	rest := d
	switch version {
	case gmtls.VersionTLCP:
		rest = Dialect{OmitMiddlebox: d.OmitMiddlebox}
	case gmtls.VersionTLS13:
		rest.OmitMiddlebox = false
	}
	if rest == (Dialect{}) {
		return nil
	}
	return fmt.Errorf("%s means nothing with %s", rest, chosen)
}

// With returns the dialect with the differences of both d and more.
func (d Dialect) With(more Dialect) Dialect {
	return Dialect{
		OmitExtensions: d.OmitExtensions || more.OmitExtensions, SingleCertificate: d.SingleCertificate || more.SingleCertificate,
		RawTranscript: d.RawTranscript || more.RawTranscript, VectorParams: d.VectorParams || more.VectorParams,
		OmitMiddlebox: d.OmitMiddlebox || more.OmitMiddlebox,
	}
}

// String returns the flags.
func (d Dialect) String() string {
	var flags []string
	for _, f := range []struct {
		on   bool
		name string
	}{
		{d.OmitExtensions, "--omit-extensions"}, {d.SingleCertificate, "--single-certificate"},
		{d.RawTranscript, "--raw-transcript"}, {d.VectorParams, "--vector-params"},
		{d.OmitMiddlebox, "--omit-middlebox-compatibility"},
	} {
		if f.on {
			flags = append(flags, f.name)
		}
	}
	return strings.Join(flags, " ")
}
