// SPDX-License-Identifier: Apache-2.0

package v12

import (
	"errors"

	"github.com/hyperledger/fabric-protos-go/peer"
)

// members returns an error if the policy on the members of a collection is not one that a deployment may have. Without a policy upstream
// has no verdict: it reads a rule that is not there, and the peer ends.
func members(collection *peer.StaticCollectionConfig) error {
	policy := collection.GetMemberOrgsPolicy().GetSignaturePolicy()
	if policy == nil {
		return errors.New("there is no policy")
	}
	return validateSpOrConcat(policy.GetRule())
}
