// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package sm3

const useOne = false

func lanes() int { return 0 }

func compressOne(*[8]uint32, *byte, int) {
	panic("sm3: this processor has no kernel")
}

func compress(*[8][mostLanes]uint32, *[mostLanes]*byte, int) {
	panic("sm3: this processor has no lanes")
}
