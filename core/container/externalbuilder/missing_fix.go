// SPDX-License-Identifier: Apache-2.0

package externalbuilder

import (
	"errors"
	"io/fs"
	"syscall"
)

// missing tells if an error of the file system says that there is no such file, also because no file can have such a name. Below V2_0 members
// choose the versions of chaincode, whose length has no bound.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, syscall.EINVAL)
}
