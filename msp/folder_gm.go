// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"os"

	"github.com/hyperledger/fabric/common/mspfolder"
	"github.com/pkg/errors"
)

// getPemMaterialFromDir reads every file of a folder of an MSP once, in whatever form it is, and returns each certificate or
// revocation list in PEM, one in each element. In signcerts a file gives one, the owner's.
//
// A file that cannot be read stops the node, by its name. So does one that holds no certificate and no list at all, a README
// or a .gitkeep, in an MSP with an SM2 CA; in others there is a warning, and it is ignored, as by upstream.
//
//fork:replace fix: nothing in an MSP's folders is ignored: DER, byte order marks, and further objects in a file are read, what cannot be read stops the node
func getPemMaterialFromDir(dir string) ([][]byte, error) {
	mspLogger.Debugf("Reading directory %s", dir)
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		return nil, err
	}
	objects, err := readFolder(dir)
	if err != nil {
		return nil, err
	}
	content := make([][]byte, 0, len(objects))
	for _, o := range objects {
		content = append(content, o.PEM())
	}
	return content, nil
}

// readFolder reads a folder of an MSP, whose name says what belongs into it.
func readFolder(dir string) ([]mspfolder.Object, error) {
	objects, passed, err := mspfolder.Read(dir)
	for _, reason := range passed {
		mspLogger.Warningf("%s; it is ignored", reason)
	}
	return objects, errors.WithStack(err) // callers take a bare fs.ErrNotExist for the folder's
}
