// SPDX-License-Identifier: Apache-2.0

package sm3

import "testing"

// forEachKernel runs the test with everything that this processor can run, the
// engine last.
func forEachKernel(t *testing.T, test func(t *testing.T)) {
	had512, had2, hadOne := useAVX512, useAVX2, useOne
	defer func() { useAVX512, useAVX2, useOne = had512, had2, hadOne }()
	for _, k := range []struct {
		name               string
		avx512, avx2, skip bool
	}{
		{"avx512", true, true, !had512},
		{"avx2", false, true, !had2},
		{"engine", false, false, false},
	} {
		if k.skip {
			continue
		}
		useAVX512, useAVX2, useOne = k.avx512, k.avx2, k.avx2 && hadOne
		t.Run(k.name, test)
	}
}
