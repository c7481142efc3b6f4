// SPDX-License-Identifier: Apache-2.0

package sm4

import "testing"

type kernel struct {
	name string
	use  func() (restore func())
}

// kernels lists what this processor can run, the engine last.
func kernels() (list []kernel) {
	had512, had2, hadECB := useAVX512, useAVX2, useECB
	set := func(name string, avx512, avx2, ecb bool) {
		list = append(list, kernel{name, func() func() {
			useAVX512, useAVX2, useECB = avx512, avx2, ecb
			return func() { useAVX512, useAVX2, useECB = had512, had2, hadECB }
		}})
	}
	if had512 {
		set("avx512", true, true, true)
	}
	if had2 {
		set("avx2", false, true, true)
	}
	if hadECB {
		set("ecb", false, false, true)
	}
	set("engine", false, false, false)
	return list
}

func forEachKernel(t *testing.T, test func(t *testing.T)) {
	for _, k := range kernels() {
		t.Run(k.name, func(t *testing.T) {
			defer k.use()()
			test(t)
		})
	}
}
