// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package sm4

import "testing"

type kernel struct {
	name string
	use  func() (restore func())
}

func kernels() []kernel { return []kernel{{"engine", func() func() { return func() {} }}} }

func forEachKernel(t *testing.T, test func(t *testing.T)) { t.Run("engine", test) }
