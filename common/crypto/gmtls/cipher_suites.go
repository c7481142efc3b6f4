// SPDX-License-Identifier: Apache-2.0

package gmtls

// A suite is what the number in a ServerHello stands for. All suites use SM3
// for the PRF and a 16-byte SM4 key.
type suite struct {
	id    uint16
	name  string
	ecdhe bool // SM2 key exchange; otherwise SM2 encryption
	gcm   bool // SM4-GCM; otherwise SM4-CBC with HMAC-SM3
}

var cipherSuites = []*suite{
	{id: ECC_SM4_GCM_SM3, name: "ECC_SM4_GCM_SM3", gcm: true},
	{id: ECDHE_SM4_GCM_SM3, name: "ECDHE_SM4_GCM_SM3", ecdhe: true, gcm: true},
	{id: ECC_SM4_CBC_SM3, name: "ECC_SM4_CBC_SM3"},
	{id: ECDHE_SM4_CBC_SM3, name: "ECDHE_SM4_CBC_SM3", ecdhe: true},
}

func suiteByID(id uint16) *suite {
	for _, s := range cipherSuites {
		if s.id == id {
			return s
		}
	}
	return nil
}
