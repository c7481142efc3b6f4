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
		audit.Bounded(audit.PolicyFailed, "channel", func() string { return channelOf(message) }, "rule", sf.normalPolicyName,
			"by", func() string { return signersOf(message) }, "reason", err.Error())
	}
	return err
}

func channelOf(message *cb.Envelope) string {
	header, err := protoutil.ChannelHeader(message)
	if err != nil {
		return ""
	}
	return header.ChannelId
}

func signersOf(message *cb.Envelope) string {
	data, err := protoutil.EnvelopeAsSignedData(message)
	if err != nil {
		return "unknown"
	}
	return protoutil.LogMessageForSerializedIdentities(data)
}
