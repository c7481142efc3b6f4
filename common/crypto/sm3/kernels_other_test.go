// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package sm3

import "testing"

func forEachKernel(t *testing.T, test func(t *testing.T)) { t.Run("engine", test) }
