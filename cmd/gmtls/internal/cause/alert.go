// SPDX-License-Identifier: Apache-2.0

package cause

// OfServerAlert reports what an alert of the server that ends a handshake means,
// by where the handshake stood: whether the server had answered with its hello,
// had asked for a client certificate, and the client had one to send.
func OfServerAlert(number uint8, answered, requested, offered bool) ID {
	aboutCert := number >= 40 && number <= 49 || number == 116
	switch {
	case requested && !offered && aboutCert:
		return ClientCertRequired
	case requested && aboutCert:
		return ClientCertRefused
	case number == 20 || number == 51:
		return FinishedMismatch
	case number == 120:
		return NoSharedALPN
	case number == 112:
		return NameUnknown
	case !answered && (number == 40 || number == 71):
		return NoSharedSuite
	}
	return AlertReceived
}
