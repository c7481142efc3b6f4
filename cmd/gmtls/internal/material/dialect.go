// SPDX-License-Identifier: Apache-2.0

package material

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// Dialect is where a stack departs from what the others make of TLCP. The zero value is what nodes speak.
type Dialect struct {
	OmitExtensions, SingleCertificate, RawTranscript, VectorParams bool
}

// Flags adds the flags of a client.
func (d *Dialect) Flags(flags *pflag.FlagSet) {
	flags.BoolVar(&d.OmitExtensions, "omit-extensions", false, "TLCP: send no extension, for servers that refuse any (GmSSL 3.1)")
	flags.BoolVar(&d.SingleCertificate, "single-certificate", false, "TLCP: send the signing certificate alone, in ECC suites (GmSSL from 3.2 on)")
	flags.BoolVar(&d.RawTranscript, "raw-transcript", false, "TLCP: sign the messages in CertificateVerify, not their hash (GmSSL from 3.2 on)")
	flags.BoolVar(&d.VectorParams, "vector-params", false, "TLCP: send the params of ECDHE suites with their length (GmSSL from 3.3 on)")
}

// Apply sets the dialect of a client or server.
func (d Dialect) Apply(config *gmtls.Config) {
	config.OmitExtensions, config.SingleClientCertificate = d.OmitExtensions, d.SingleCertificate
	config.RawTranscriptVerify, config.VectorClientParams = d.RawTranscript, d.VectorParams
}

// String gives the flags.
func (d Dialect) String() string {
	var flags []string
	for _, f := range []struct {
		on   bool
		name string
	}{
		{d.OmitExtensions, "--omit-extensions"}, {d.SingleCertificate, "--single-certificate"},
		{d.RawTranscript, "--raw-transcript"}, {d.VectorParams, "--vector-params"},
	} {
		if f.on {
			flags = append(flags, f.name)
		}
	}
	return strings.Join(flags, " ")
}
