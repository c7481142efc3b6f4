// SPDX-License-Identifier: Apache-2.0

package v12

import (
	"github.com/hyperledger/fabric-protos-go/peer"

	"github.com/hyperledger/fabric/core/common/validation/statebased"
	"github.com/hyperledger/fabric/protoutil"
)

// endorsements returns those of a transaction as upstream does, but they share the results, of which upstream makes a copy for each.
func (vscc *Validator) endorsements(of *peer.ChaincodeActionPayload) ([]*protoutil.SignedData, error) {
	set, err := vscc.deduplicateIdentity(&peer.ChaincodeActionPayload{Action: &peer.ChaincodeEndorsedAction{Endorsements: of.Action.Endorsements}})
	for _, s := range set {
		s.Data = of.Action.ProposalResponsePayload
	}
	return set, err
}

// evaluate evaluates a policy for endorsements that share their Data: each signs it with the Identity behind it.
func (vscc *Validator) evaluate(policy []byte, endorsements []*protoutil.SignedData) error {
	return statebased.ForEndorsements(vscc.policyEvaluator, endorsements)(policy)
}
