// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package sm3

func compress16(*[8][lanes]uint32, *[lanes]*byte, int, *[64]uint32) {
	panic("sm3: this processor has no lanes")
}

const useLanes = false
