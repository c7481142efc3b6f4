// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/core/ledger/channelhash"
	"github.com/hyperledger/fabric/protoutil"
)

type hashFunction = protoutil.HashFunction

// ValidateTransactionIn checks the form of a transaction in a block of this channel. Its proposal is hashed by the function of the
// channel, whatever channel its header names. If that function is not known, there is no verdict, and the block is not committed.
func ValidateTransactionIn(channel string, envelope *common.Envelope, csp bccsp.BCCSP) (*common.Payload, peer.TxValidationCode, error) {
	f, err := channelhash.Of(channel)
	if err != nil {
		return nil, peer.TxValidationCode_NOT_VALIDATED, err
	}
	payload, code := ValidateTransactionOf(f, envelope, csp)
	return payload, code, nil
}
