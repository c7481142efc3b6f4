// SPDX-License-Identifier: Apache-2.0

package blocksprovider

import (
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// createSeekInfo waits for a device that has the key, until the deliverer is stopped.
//
//fork:wrap gm: a peer whose key is in a device goes on asking for blocks when the device is back
func (d *Deliverer) createSeekInfo(ledgerHeight uint64) (envelope *common.Envelope, err error) {
	err = keyd.Retry(d.DoneC, func() (err error) {
		envelope, err = d.upstreamCreateSeekInfo(ledgerHeight)
		return err
	})
	return envelope, err
}
