// SPDX-License-Identifier: Apache-2.0

package txvalidator

import (
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/core/common/validation"
	"github.com/hyperledger/fabric/core/ledger/channelhash"
)

// validateTransaction checks the form of a transaction. Its proposal is hashed by the function of the channel whose block it is in,
// whatever its header says. If that function is not known, there is no verdict, and the block is not committed.
func (v *TxValidator) validateTransaction(envelope *common.Envelope) (*common.Payload, peer.TxValidationCode, error) {
	f, err := channelhash.Of(v.ChannelID)
	if err != nil {
		return nil, peer.TxValidationCode_NOT_VALIDATED, err
	}
	payload, code := validation.ValidateTransactionOf(f, envelope, v.CryptoProvider)
	return payload, code, nil
}
