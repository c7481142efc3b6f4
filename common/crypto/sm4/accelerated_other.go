// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package sm4

import "crypto/cipher"

func newAccelerated([]byte) cipher.Block { return nil }
