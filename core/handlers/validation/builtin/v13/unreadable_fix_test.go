// SPDX-License-Identifier: Apache-2.0

package v13

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"

	"github.com/hyperledger/fabric/common/capabilities"
	commonerrors "github.com/hyperledger/fabric/common/errors"
	"github.com/hyperledger/fabric/core/common/ccprovider"
	"github.com/hyperledger/fabric/core/common/privdata"
	"github.com/hyperledger/fabric/core/scc/lscc"
)

func TestUnreadableDefinitions(t *testing.T) {
	garbage := []byte{0xff}
	v := newValidationInstance(map[string]map[string][]byte{"lscc": {"mycc": garbage, privdata.BuildCollectionKVSKey("mycc"): garbage}})
	cd, exists, err := v.getInstantiatedCC("ch", "mycc")
	require.NoError(t, err)
	require.False(t, exists)
	require.Nil(t, cd)

	ac := capabilities.NewApplicationProvider(map[string]*common.Capability{capabilities.ApplicationV1_2: {}})
	collection := createCollectionConfig("c", &common.SignaturePolicyEnvelope{}, 0, 1, 0)
	for _, function := range []string{lscc.DEPLOY, lscc.UPGRADE} {
		chaincode := &ccprovider.ChaincodeData{Name: "mycc", Version: "1.0"}
		require.NoError(t, testValidateCollection(t, v, []*peer.CollectionConfig{collection}, chaincode, function, ac, "ch"), function)
	}

	// A state that cannot be read is a failure of the peer, as before.
	v = newValidationInstance(nil)
	_, _, err = v.getInstantiatedCC("ch", "mycc")
	require.Error(t, err)
	err = testValidateCollection(t, v, []*peer.CollectionConfig{collection}, &ccprovider.ChaincodeData{Name: "mycc"}, lscc.DEPLOY, ac, "ch")
	var failure *commonerrors.VSCCExecutionFailureError
	require.True(t, errors.As(err, &failure))
}
