// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"errors"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
)

// What the validators of before V2_0 ask of a chaincode that is deployed by lscc.

// CheckMembers returns an error if the policy on the members of a collection is not one that a deployment may have, by what a validator demands
// of its rule. Without a policy upstream has no verdict: it reads a rule that is not there, and the peer ends.
func CheckMembers(collection *peer.StaticCollectionConfig, demanded func(rule *common.SignaturePolicy) error) error {
	policy := collection.GetMemberOrgsPolicy().GetSignaturePolicy()
	if policy == nil {
		return errors.New("there is no policy")
	}
	return demanded(policy.GetRule())
}

// ReadableCollections returns the collections that a chaincode has before its deployment is judged. Such that cannot be read count as absent, as
// they do for the ledger (core/scc/lscc/unreadable_fix.go). Upstream takes them for a failure of the peer, and stops.
func ReadableCollections(of CollectionCriteria, state State) (*peer.CollectionConfigPackage, error) {
	stored, err := state.GetState("lscc", BuildCollectionKVSKey(of.Namespace))
	if err == nil && stored != nil {
		if _, err := ParseCollectionConfig(stored); err != nil {
			logger.Warningf("The collections of chaincode %q cannot be read, and count as absent: %s", of.Namespace, err)
			return nil, NoSuchCollectionError(of)
		}
	}
	return RetrieveCollectionConfigPackageFromState(of, state)
}
