// SPDX-License-Identifier: Apache-2.0

package gmtls

// A suite is what the number in a ServerHello stands for. All suites use SM3
// for the PRF and a 16-byte SM4 key.
type suite struct {
	id    uint16
	name  string
	tls13 bool
	ecdhe bool // TLCP: SM2 key exchange; otherwise SM2 encryption
	gcm   bool // SM4-GCM; otherwise SM4-CBC with HMAC-SM3, in TLS 1.3 SM4-CCM
}

func (s *suite) version() uint16 {
	if s.tls13 {
		return VersionTLS13
	}
	return VersionTLCP
}

var cipherSuites = []*suite{
	{id: ECC_SM4_GCM_SM3, name: "ECC_SM4_GCM_SM3", gcm: true},
	{id: ECDHE_SM4_GCM_SM3, name: "ECDHE_SM4_GCM_SM3", ecdhe: true, gcm: true},
	{id: ECC_SM4_CBC_SM3, name: "ECC_SM4_CBC_SM3"},
	{id: ECDHE_SM4_CBC_SM3, name: "ECDHE_SM4_CBC_SM3", ecdhe: true},
}

var cipherSuites13 = []*suite{
	{id: TLS_SM4_GCM_SM3, name: "TLS_SM4_GCM_SM3", tls13: true, gcm: true},
	{id: TLS_SM4_CCM_SM3, name: "TLS_SM4_CCM_SM3", tls13: true},
}

func suiteByID(id uint16) *suite {
	for _, list := range [...][]*suite{cipherSuites, cipherSuites13} {
		for _, s := range list {
			if s.id == id {
				return s
			}
		}
	}
	return nil
}
