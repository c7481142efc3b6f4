// SPDX-License-Identifier: Apache-2.0

package blocksprovider

import (
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// seekPatiently makes a seek request. It waits for a device that has the key, until done is closed.
func seekPatiently(done <-chan struct{}, request func(uint64) (*common.Envelope, error), height uint64) (envelope *common.Envelope, err error) {
	err = keyd.Retry(done, func() (err error) {
		envelope, err = request(height)
		return err
	})
	return envelope, err
}
