// SPDX-License-Identifier: Apache-2.0

package gmtls

import "strconv"

// AlertError is an alert, sent or received, as an error (GB/T 38636-2020,
// 6.4.2). A *net.OpError that wraps it has "remote error" as its Op if the peer
// sent the alert and "local error" if this end did.
type AlertError uint8

// Alerts of GB/T 38636-2020, 6.4.2.3, of the extensions that it allows, and of
// TLS 1.3 (RFC 8446, section 6).
const (
	AlertCloseNotify            AlertError = 0
	AlertUnexpectedMessage      AlertError = 10
	AlertBadRecordMAC           AlertError = 20
	AlertDecryptionFailed       AlertError = 21
	AlertRecordOverflow         AlertError = 22
	AlertDecompressionFailure   AlertError = 30
	AlertHandshakeFailure       AlertError = 40
	AlertBadCertificate         AlertError = 42
	AlertUnsupportedCertificate AlertError = 43
	AlertCertificateRevoked     AlertError = 44
	AlertCertificateExpired     AlertError = 45
	AlertCertificateUnknown     AlertError = 46
	AlertIllegalParameter       AlertError = 47
	AlertUnknownCA              AlertError = 48
	AlertAccessDenied           AlertError = 49
	AlertDecodeError            AlertError = 50
	AlertDecryptError           AlertError = 51
	AlertProtocolVersion        AlertError = 70
	AlertInsufficientSecurity   AlertError = 71
	AlertInternalError          AlertError = 80
	AlertUserCanceled           AlertError = 90
	AlertNoRenegotiation        AlertError = 100
	AlertMissingExtension       AlertError = 109
	AlertUnsupportedExtension   AlertError = 110
	AlertUnrecognizedName       AlertError = 112
	AlertCertificateRequired    AlertError = 116
	AlertNoApplicationProtocol  AlertError = 120
	AlertUnsupportedSite2Site   AlertError = 200
	AlertNoArea                 AlertError = 201
	AlertUnsupportedAreaType    AlertError = 202
	AlertBadIBCParam            AlertError = 203
	AlertUnsupportedIBCParam    AlertError = 204
	AlertIdentityNeed           AlertError = 205
)

const (
	alertLevelWarning = 1
	alertLevelFatal   = 2
)

var alertNames = map[AlertError]string{
	AlertCloseNotify:            "close notify",
	AlertUnexpectedMessage:      "unexpected message",
	AlertBadRecordMAC:           "bad record MAC",
	AlertDecryptionFailed:       "decryption failed",
	AlertRecordOverflow:         "record overflow",
	AlertDecompressionFailure:   "decompression failure",
	AlertHandshakeFailure:       "handshake failure",
	AlertBadCertificate:         "bad certificate",
	AlertUnsupportedCertificate: "unsupported certificate",
	AlertCertificateRevoked:     "certificate revoked",
	AlertCertificateExpired:     "certificate expired",
	AlertCertificateUnknown:     "certificate unknown",
	AlertIllegalParameter:       "illegal parameter",
	AlertUnknownCA:              "unknown certificate authority",
	AlertAccessDenied:           "access denied",
	AlertDecodeError:            "decode error",
	AlertDecryptError:           "decrypt error",
	AlertProtocolVersion:        "protocol version not supported",
	AlertInsufficientSecurity:   "insufficient security",
	AlertInternalError:          "internal error",
	AlertUserCanceled:           "user canceled",
	AlertNoRenegotiation:        "no renegotiation",
	AlertMissingExtension:       "missing extension",
	AlertUnsupportedExtension:   "unsupported extension",
	AlertUnrecognizedName:       "unrecognized name",
	AlertCertificateRequired:    "certificate required",
	AlertNoApplicationProtocol:  "no application protocol",
	AlertUnsupportedSite2Site:   "unsupported site to site",
	AlertNoArea:                 "no area",
	AlertUnsupportedAreaType:    "unsupported area type",
	AlertBadIBCParam:            "bad IBC parameter",
	AlertUnsupportedIBCParam:    "unsupported IBC parameter",
	AlertIdentityNeed:           "identity needed",
}

// Error returns the name of the alert with the package prefix.
func (a AlertError) Error() string { return "gmtls: " + a.name() }

func (a AlertError) name() string {
	if name, ok := alertNames[a]; ok {
		return name
	}
	return "alert(" + strconv.Itoa(int(a)) + ")"
}
