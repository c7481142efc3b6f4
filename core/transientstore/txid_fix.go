// SPDX-License-Identifier: Apache-2.0

package transientstore

import (
	"strings"

	"github.com/hyperledger/fabric-protos-go/transientstore"
	"github.com/pkg/errors"
)

// Persist stores private data of a transaction. The store separates the parts of its keys by a zero byte. With one in the
// identifier, which another peer chose, data could not be purged, and would hide those of the transaction whose identifier is
// before that byte.
//
//fork:wrap fix: private data of an identifier with a zero byte are refused
func (s *Store) Persist(txid string, blockHeight uint64, private *transientstore.TxPvtReadWriteSetWithConfigInfo) error {
	if strings.IndexByte(txid, compositeKeySep) >= 0 {
		return errors.Errorf("private data of transaction %q are refused: a zero byte in its identifier", txid)
	}
	return s.upstreamPersist(txid, blockHeight, private)
}
