// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"github.com/hyperledger/fabric-protos-go/peer"

	"github.com/hyperledger/fabric/common/policydsl"
	"github.com/hyperledger/fabric/core/chaincode/implicitcollection"
	"github.com/hyperledger/fabric/core/common/privdata"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// CheckCollectionPolicy reports whether a client may have the data of a collection with its blocks. The data of the collection that each
// organisation has without a definition are for its own clients. Upstream gives them to everybody who may read blocks, as the collection
// does not say that only members read: there it is the chaincode that decides, and no chaincode is asked here.
//
//fork:wrap fix: data of an implicit collection are delivered with blocks to clients of its organisation only
func (cs *collPolicyChecker) CheckCollectionPolicy(
	blockNum uint64, ccName string, collName string, cfgHistoryRetriever ledger.ConfigHistoryRetriever,
	deserializer msp.IdentityDeserializer, signedData *protoutil.SignedData,
) (bool, error) {
	implicit, mspID := implicitcollection.MspIDIfImplicitCollection(collName)
	if !implicit {
		return cs.upstreamCheckCollectionPolicy(blockNum, ccName, collName, cfgHistoryRetriever, deserializer, signedData)
	}
	members := &privdata.SimpleCollection{}
	err := members.Setup(&peer.StaticCollectionConfig{
		Name: collName, MemberOrgsPolicy: &peer.CollectionPolicyConfig{Payload: &peer.CollectionPolicyConfig_SignaturePolicy{
			SignaturePolicy: policydsl.SignedByMspMember(mspID),
		}},
	}, deserializer)
	if err != nil {
		return false, err
	}
	return members.AccessFilter()(*signedData), nil
}
