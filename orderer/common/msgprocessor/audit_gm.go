// SPDX-License-Identifier: Apache-2.0

package msgprocessor

import (
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/protoutil"
)

// Apply refuses a message whose signers the policy of the channel does not let write, or read.
//
//fork:wrap gm: failed policies are security events
func (sf *SigFilter) Apply(message *cb.Envelope) error {
	err := sf.upstreamApply(message)
	if err != nil {
		by, channel := "unknown", ""
		if data, err := protoutil.EnvelopeAsSignedData(message); err == nil {
			by = protoutil.LogMessageForSerializedIdentities(data)
		}
		if header, err := protoutil.ChannelHeader(message); err == nil {
			channel = header.ChannelId
		}
		audit.Bounded(audit.PolicyFailed, "channel", channel, "rule", sf.normalPolicyName, "by", by, "reason", err.Error())
	}
	return err
}
