// SPDX-License-Identifier: Apache-2.0

package protoutil

import (
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/pkg/identity"
)

// SignOrPanic waits for a device that has the key, however long.
//
//fork:wrap gm: an orderer whose key is in a device waits for the device to sign a block, and does not end
func SignOrPanic(signer identity.Signer, msg []byte) []byte {
	if signer == nil {
		return upstreamSignOrPanic(nil, msg)
	}
	return upstreamSignOrPanic(PatientSigner{signer}, msg)
}

// PatientSigner waits for a device that has the key, however long.
type PatientSigner struct{ identity.Signer }

// Sign signs.
func (p PatientSigner) Sign(msg []byte) (signature []byte, err error) {
	err = keyd.Retry(nil, func() (err error) {
		signature, err = p.Signer.Sign(msg)
		return err
	})
	return signature, err
}
