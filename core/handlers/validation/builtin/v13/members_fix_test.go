// SPDX-License-Identifier: Apache-2.0

package v13

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/capabilities"
	"github.com/hyperledger/fabric/core/common/ccprovider"
	"github.com/hyperledger/fabric/core/scc/lscc"
)

func TestCollectionWithoutMembers(t *testing.T) {
	v := newValidationInstance(map[string]map[string][]byte{"lscc": {}})
	ac := capabilities.NewApplicationProvider(map[string]*common.Capability{capabilities.ApplicationV1_2: {}})
	chaincode := &ccprovider.ChaincodeData{Name: "mycc", Version: "1.0"}
	for name, members := range map[string]*peer.CollectionPolicyConfig{
		"no configuration": nil,
		"no kind":          {},
	} {
		collection := createCollectionConfig("c", nil, 0, 1, 0)
		collection.GetStaticCollectionConfig().MemberOrgsPolicy = members
		for _, function := range []string{lscc.DEPLOY, lscc.UPGRADE} {
			err := testValidateCollection(t, v, []*peer.CollectionConfig{collection}, chaincode, function, ac, "ch")
			require.Error(t, err, name)
		}
	}

	// As upstream: a policy without a rule passes here.
	collection := createCollectionConfig("c", &common.SignaturePolicyEnvelope{}, 0, 1, 0)
	require.NoError(t, testValidateCollection(t, v, []*peer.CollectionConfig{collection}, chaincode, lscc.DEPLOY, ac, "ch"))
}
