// SPDX-License-Identifier: Apache-2.0

package configtx

import (
	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/protoutil"
)

// recorded records that signers do not satisfy the policy of an item of the configuration.
type recorded struct {
	policies.Policy
	channel, item string
}

// EvaluateSignedData refuses what the policy refuses.
func (r recorded) EvaluateSignedData(signed []*protoutil.SignedData) error {
	err := r.Policy.EvaluateSignedData(signed)
	if err != nil {
		audit.Bounded(audit.PolicyFailed, "channel", r.channel, "rule", "update of "+r.item,
			"by", func() string { return protoutil.LogMessageForSerializedIdentities(signed) }, "reason", err.Error())
	}
	return err
}
