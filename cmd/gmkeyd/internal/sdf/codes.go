// SPDX-License-Identifier: Apache-2.0

package sdf

import "github.com/hyperledger/fabric/cmd/gmkeyd/internal/device"

// base is SDR_BASE of GM/T 0018, appendix A. Codes above base+0x1F are the vendor's own.
const base = 0x01000000

// codes are those of GM/T 0018, appendix A, without SDR_; the last one is in the edition of 2023 alone. None of them is for a session
// that the device has closed, so devices use several for that: the class Unknown stands wherever it may be meant.
var codes = [...]struct {
	name  string
	class device.Class
}{
	0x01: {"UNKNOWERR", device.Unknown},
	0x02: {"NOTSUPPORT", device.Refused},
	0x03: {"COMMFAIL", device.Lost},
	0x04: {"HARDFAIL", device.Lost},
	0x05: {"OPENDEVICE", device.Lost},
	0x06: {"OPENSESSION", device.Lost},
	0x07: {"PARDENY", device.Broken}, // the right to use the key was given when the session was opened
	0x08: {"KEYNOTEXIST", device.KeyGone},
	0x09: {"ALGNOTSUPPORT", device.Refused},
	0x0A: {"ALGMODNOTSUPPORT", device.Refused},
	0x0B: {"PKOPERR", device.Unknown},
	0x0C: {"SKOPERR", device.Unknown},
	0x0D: {"SIGNERR", device.Unknown},
	0x0E: {"VERIFYERR", device.Refused},
	0x0F: {"SYMOPERR", device.Refused},
	0x10: {"STEPERR", device.Unknown},
	0x11: {"FILESIZEERR", device.Refused},
	0x12: {"FILENOEXIST", device.Refused},
	0x13: {"FILEOFSERR", device.Refused},
	0x14: {"KEYTYPEERR", device.Refused},
	0x15: {"KEYERR", device.Unknown},
	0x16: {"ENCDATAERR", device.Input},
	0x17: {"RANDERR", device.Refused},
	0x18: {"PRKRERR", device.Pin},
	0x19: {"MACERR", device.Input},
	0x1A: {"FILEEXISTS", device.Refused},
	0x1B: {"FILEWERR", device.Refused},
	0x1C: {"NOBUFFER", device.Unknown},
	0x1D: {"INARGERR", device.Unknown},
	0x1E: {"OUTARGERR", device.Unknown},
	0x1F: {"USERIDERR", device.Refused},
}

// Codes that are looked at by themselves.
const (
	codeNotSupport  = base + 0x02
	codeParDeny     = base + 0x07
	codeKeyNotExist = base + 0x08
)

// check makes an error of what a function returned.
func check(call string, code uint32) error {
	if code == 0 {
		return nil
	}
	e := &device.Error{Call: call, Code: uint64(code), Class: device.Unknown}
	if n := code - base; code > base && int(n) < len(codes) {
		e.Name, e.Class = "SDR_"+codes[n].name, codes[n].class
	}
	return e
}
