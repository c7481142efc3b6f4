// SPDX-License-Identifier: Apache-2.0

package util

import (
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric/common/safefile"
)

// WriteFile writes a file, and makes its folder.
//
//fork:replace fix: a file was emptied and then written: a crash in between, or of the machine in the next half minute, left an identity without its certificate, and its node did not start
func WriteFile(file string, buf []byte, perm os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return safefile.Replace(safefile.File{Name: file, Data: buf, Mode: perm})
}
