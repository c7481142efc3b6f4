// SPDX-License-Identifier: Apache-2.0

package filerepo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric/internal/fileutil"
)

// createAnew stores a file by way of a temporary one. The caller has the repo's lock, so a temporary file that is there is what an attempt
// left that failed.
func createAnew(dir, temporary, final string, content []byte) error {
	if err := os.Remove(filepath.Join(dir, temporary)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fileutil.CreateAndSyncFileAtomically(dir, temporary, final, content, repoFilePermPrivateRW)
}
