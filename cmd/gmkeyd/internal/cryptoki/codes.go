// SPDX-License-Identifier: Apache-2.0

package cryptoki

import "github.com/hyperledger/fabric/cmd/gmkeyd/internal/device"

// codes are return values of PKCS #11 v2.40, section 5.1, that are met where this package calls; others are named by number.
var codes = map[uint64]struct {
	name  string
	class device.Class
}{
	0x002: {"HOST_MEMORY", device.Unknown},
	0x005: {"GENERAL_ERROR", device.Unknown},
	0x006: {"FUNCTION_FAILED", device.Unknown},
	0x007: {"ARGUMENTS_BAD", device.Refused},
	0x020: {"DATA_INVALID", device.Input},
	0x021: {"DATA_LEN_RANGE", device.Input},
	0x030: {"DEVICE_ERROR", device.Lost},
	0x031: {"DEVICE_MEMORY", device.Unknown},
	0x032: {"DEVICE_REMOVED", device.Lost},
	0x040: {"ENCRYPTED_DATA_INVALID", device.Input},
	0x041: {"ENCRYPTED_DATA_LEN_RANGE", device.Input},
	0x054: {"FUNCTION_NOT_SUPPORTED", device.Refused},
	0x060: {"KEY_HANDLE_INVALID", device.Broken},
	0x062: {"KEY_SIZE_RANGE", device.Refused},
	0x063: {"KEY_TYPE_INCONSISTENT", device.Refused},
	0x068: {"KEY_FUNCTION_NOT_PERMITTED", device.Refused},
	0x070: {"MECHANISM_INVALID", device.Refused},
	0x071: {"MECHANISM_PARAM_INVALID", device.Refused},
	0x082: {"OBJECT_HANDLE_INVALID", device.Broken},
	0x090: {"OPERATION_ACTIVE", device.Broken},
	0x091: {"OPERATION_NOT_INITIALIZED", device.Broken},
	0x0A0: {"PIN_INCORRECT", device.Pin},
	0x0A1: {"PIN_INVALID", device.Pin},
	0x0A2: {"PIN_LEN_RANGE", device.Pin},
	0x0A3: {"PIN_EXPIRED", device.Pin},
	0x0A4: {"PIN_LOCKED", device.Pin},
	0x0B0: {"SESSION_CLOSED", device.Broken},
	0x0B1: {"SESSION_COUNT", device.Refused},
	0x0B3: {"SESSION_HANDLE_INVALID", device.Broken},
	0x0E0: {"TOKEN_NOT_PRESENT", device.Lost},
	0x0E1: {"TOKEN_NOT_RECOGNIZED", device.Lost},
	0x101: {"USER_NOT_LOGGED_IN", device.Broken},
	0x102: {"USER_PIN_NOT_INITIALIZED", device.Pin},
	0x120: {"RANDOM_SEED_NOT_SUPPORTED", device.Refused},
	0x121: {"RANDOM_NO_RNG", device.Refused},
	0x150: {"BUFFER_TOO_SMALL", device.Refused},
	0x190: {"CRYPTOKI_NOT_INITIALIZED", device.Lost},
}

// Codes that are looked at by themselves; all but the first are no failures.
const (
	codeDeviceError        = 0x030
	codeAlreadyLoggedIn    = 0x100
	codeAlreadyInitialized = 0x191
	codeAttributeSensitive = 0x011
	codeAttributeInvalid   = 0x012
)

// check makes an error of what a function returned.
func check(call string, code uint64) error {
	if code == 0 {
		return nil
	}
	e := &device.Error{Call: call, Code: code, Class: device.Unknown}
	if c, ok := codes[code]; ok {
		e.Name, e.Class = "CKR_"+c.name, c.class
	}
	return e
}
