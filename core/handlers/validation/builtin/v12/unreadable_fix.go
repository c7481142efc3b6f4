// SPDX-License-Identifier: Apache-2.0

package v12

import (
	"github.com/hyperledger/fabric-protos-go/peer"

	"github.com/hyperledger/fabric/core/common/privdata"
)

// collections returns the collections that a chaincode has before its deployment is judged. Such that cannot be read count as absent, as they
// do for the ledger (core/scc/lscc/unreadable_fix.go). Upstream takes them for a failure of the peer, and stops.
func collections(of privdata.CollectionCriteria, state privdata.State) (*peer.CollectionConfigPackage, error) {
	stored, err := state.GetState("lscc", privdata.BuildCollectionKVSKey(of.Namespace))
	if err == nil && stored != nil {
		if _, err := privdata.ParseCollectionConfig(stored); err != nil {
			logger.Warningf("The collections of chaincode %q cannot be read, and count as absent: %s", of.Namespace, err)
			return nil, privdata.NoSuchCollectionError(of)
		}
	}
	return privdata.RetrieveCollectionConfigPackageFromState(of, state)
}
