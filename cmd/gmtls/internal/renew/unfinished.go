// SPDX-License-Identifier: Apache-2.0

package renew

import (
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric/common/safefile"
)

// mark is a file that is there while files of a folder are renewed, until the node uses them. If it is there at the start of a run, an earlier
// one was killed, or could not end what it began: the files may be new while the node uses the old ones, or a mixture.
type mark string

func markOf(folder, section string) mark {
	return mark(filepath.Join(folder, ".gmtls-renew-"+section+"-unfinished"))
}

func (m mark) set() error {
	return safefile.Replace(safefile.File{Name: string(m), Mode: 0o600,
		Data: []byte("gmtls renew has not ended what it began here. Its next run makes it again, and removes this file.\n")})
}

// isSet does not ask why a mark cannot be read: then the folder cannot be written, which set says.
func (m mark) isSet() bool {
	_, err := os.Lstat(string(m))
	return err == nil
}

func (m mark) remove() error { return os.Remove(string(m)) }

func (i *identity) mark() mark { return markOf(i.MSP, "identity") }

// marks are all that a run may leave.
func (n *node) marks() (all []mark) {
	for _, p := range n.presented() {
		all = append(all, p.mark)
	}
	if n.Identity != nil {
		all = append(all, n.Identity.mark())
	}
	return all
}
