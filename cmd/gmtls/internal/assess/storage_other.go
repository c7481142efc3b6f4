// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package assess

import "errors"

func cipherUnder(string) (string, error) {
	return "", errors.New("--ledger is for Linux, whose dm-crypt it looks for")
}

func kernelLacks(string) string { return "" }
