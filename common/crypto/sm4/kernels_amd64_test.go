// SPDX-License-Identifier: Apache-2.0

package sm4

import "testing"

type kernel struct {
	name string
	use  func() (restore func())
}

// kernels lists what this processor can run, the engine last.
func kernels() (list []kernel) {
	had512, had2 := useAVX512, useAVX2
	set := func(name string, avx512, avx2 bool) {
		list = append(list, kernel{name, func() func() {
			useAVX512, useAVX2 = avx512, avx2
			return func() { useAVX512, useAVX2 = had512, had2 }
		}})
	}
	if had512 {
		set("avx512", true, true)
	}
	if had2 {
		set("avx2", false, true)
	}
	set("engine", false, false)
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
