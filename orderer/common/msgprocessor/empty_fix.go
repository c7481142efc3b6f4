// SPDX-License-Identifier: Apache-2.0

package msgprocessor

import cb "github.com/hyperledger/fabric-protos-go/common"

// Apply refuses a message without a payload, and no message. It is the first filter of each channel.
//
//fork:replace fix: a configuration that another consenter forwards without the update that it was made of is refused; it ended the leader
func (a emptyRejectRule) Apply(message *cb.Envelope) error {
	if message.GetPayload() == nil {
		return ErrEmptyMessage
	}
	return nil
}
