// SPDX-License-Identifier: Apache-2.0

package cause

// OfServerAlert returns the cause of an alert of the server that ends a handshake.
// It depends on whether the server had answered with its hello, whether it had
// asked for a client certificate, and whether the client had one to send.
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
