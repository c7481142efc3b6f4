// SPDX-License-Identifier: Apache-2.0

package material

import "github.com/hyperledger/fabric/common/crypto/gmtls"

// The names of protocols in flags and files.
const (
	TLCP  = "tlcp"
	TLS   = "tls"
	TLS13 = "tls13-gm" // with GM suites
)

// Version returns the version of gmtls that a name stands for, 0 if gmtls does not speak it.
func Version(name string) uint16 {
	switch name {
	case TLCP:
		return gmtls.VersionTLCP
	case TLS13:
		return gmtls.VersionTLS13
	}
	return 0
}

// Groups returns the groups of TLS 1.3 in order of preference, with or without the hybrid one.
func Groups(hybrid bool) []gmtls.CurveID {
	if !hybrid {
		return []gmtls.CurveID{gmtls.CurveSM2}
	}
	return []gmtls.CurveID{gmtls.CurveSM2MLKEM768, gmtls.CurveSM2}
}
