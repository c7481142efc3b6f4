// SPDX-License-Identifier: Apache-2.0

package common

import (
	"fmt"
	"os"

	"github.com/hyperledger/fabric/common/metadata"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"gopkg.in/alecthomas/kingpin.v2"
)

var (
	tlsMode, gmProtocol                   *string
	tlsEncCert, tlsEncKey, tlsKeyPassword **os.File
)

// configureFlags adds the flags of TLCP and --version.
//
//fork:wrap gm: flags of discover, to reach a peer over TLCP
func configureFlags(app *kingpin.Application) {
	upstreamConfigureFlags(app)
	app.Version(metadata.VersionInfo(app.Name))
	tlsMode = app.Flag("tlsMode", "Protocol towards the peer: tls, or gm for TLCP; with gm, --tlsCert and --tlsKey name the signing pair").
		Default("tls").Enum("tls", "gm")
	for _, other := range []string{"tlsmode", "tls-mode"} { // as the commands peer and osnadmin have it
		app.Flag(other, "").Hidden().PreAction(func(*kingpin.ParseContext) error {
			return fmt.Errorf("--%s: this command spells it --tlsMode", other)
		}).String()
	}
	gmProtocol = app.Flag("gmProtocol", "With --tlsMode gm: TLCP, or TLS13 for TLS 1.3 with GM suites (RFC 8998)").
		Default(comm.GMProtocolTLCP).Enum(comm.GMProtocolTLCP, comm.GMProtocolTLS13)
	tlsEncCert = app.Flag("tlsEncCert", "(Optional) TLCP encryption certificate that goes with --tlsCert").File()
	tlsEncKey = app.Flag("tlsEncKey", "(Optional) Private key of --tlsEncCert").File()
	tlsKeyPassword = app.Flag("tlsKeyPassword", "(Optional) File whose first line opens --tlsKey and --tlsEncKey, if they are encrypted").File()
}

// parseFlagsToConfig adds what the TLCP flags say. A mode of tls, and TLCP, are left empty, so that saved files stay as upstream writes them.
//
//fork:wrap gm: flags of discover, to reach a peer over TLCP
func parseFlagsToConfig() Config {
	conf := upstreamParseFlagsToConfig()
	if *tlsMode != "tls" {
		conf.TLSConfig.TLSMode = *tlsMode
	}
	if *gmProtocol != comm.GMProtocolTLCP {
		conf.TLSConfig.GMProtocol = *gmProtocol
	}
	conf.TLSConfig.EncCertPath = evaluateFileFlag(tlsEncCert)
	conf.TLSConfig.EncKeyPath = evaluateFileFlag(tlsEncKey)
	conf.TLSConfig.KeyPasswordPath = evaluateFileFlag(tlsKeyPassword)
	return conf
}
