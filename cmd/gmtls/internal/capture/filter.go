// SPDX-License-Identifier: Apache-2.0

package capture

import "golang.org/x/net/bpf"

// maxFrame is the size in bytes up to which a frame is read. Network cards and
// the loopback interface join segments far above the MTU.
const maxFrame = 256 << 10

// Offsets in an Ethernet frame, and the values looked for.
const (
	frameType    = 12
	frameHeader  = 14
	typeIPv4     = 0x0800
	typeIPv6     = 0x86dd
	protocolTCP  = 6
	fragment     = 0x1fff // offset of an IPv4 fragment, in the word with its flags
	ipv6Header   = 40
	ipv4Fragment = frameHeader + 6
	ipv4Protocol = frameHeader + 9
	ipv6Next     = frameHeader + 6
)

// portFilter lets TCP over IPv4 or IPv6 from or to a port through, and nothing
// else. As with tcpdump, fragments behind the first one and TCP behind IPv6
// extension headers do not pass.
func portFilter(port uint16) []bpf.Instruction {
	const accept, reject = 19, 18
	skip := func(at, to int) uint8 { return uint8(to - at - 1) }
	unlessTCP := func(at int) bpf.Instruction {
		return bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocolTCP, SkipTrue: skip(at, reject)}
	}
	ifPort := func(at int) bpf.Instruction {
		return bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(port), SkipTrue: skip(at, accept)}
	}
	return []bpf.Instruction{
		0: bpf.LoadAbsolute{Off: frameType, Size: 2},
		1: bpf.JumpIf{Cond: bpf.JumpEqual, Val: typeIPv6, SkipTrue: skip(1, 12)},
		2: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: typeIPv4, SkipTrue: skip(2, reject)},

		3:  bpf.LoadAbsolute{Off: ipv4Protocol, Size: 1},
		4:  unlessTCP(4),
		5:  bpf.LoadAbsolute{Off: ipv4Fragment, Size: 2},
		6:  bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: fragment, SkipTrue: skip(6, reject)},
		7:  bpf.LoadMemShift{Off: frameHeader}, // X is the length of the IPv4 header
		8:  bpf.LoadIndirect{Off: frameHeader, Size: 2},
		9:  ifPort(9),
		10: bpf.LoadIndirect{Off: frameHeader + 2, Size: 2},
		11: bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(port), SkipTrue: skip(11, accept), SkipFalse: skip(11, reject)},

		12: bpf.LoadAbsolute{Off: ipv6Next, Size: 1},
		13: unlessTCP(13),
		14: bpf.LoadAbsolute{Off: frameHeader + ipv6Header, Size: 2},
		15: ifPort(15),
		16: bpf.LoadAbsolute{Off: frameHeader + ipv6Header + 2, Size: 2},
		17: ifPort(17),

		reject: bpf.RetConstant{Val: 0},
		accept: bpf.RetConstant{Val: maxFrame},
	}
}
