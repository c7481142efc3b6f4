// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp/factory"
	"github.com/hyperledger/fabric/core/chaincode/implicitcollection"
	"github.com/hyperledger/fabric/msp/mgmt"
	msptesttools "github.com/hyperledger/fabric/msp/mgmt/testtools"
	"github.com/hyperledger/fabric/protoutil"
)

// TestImplicitCollectionIsDeliveredToItsOrganisation: a client of another organisation does not get the data with the blocks, nor does one
// who only claims to be of the organisation.
func TestImplicitCollectionIsDeliveredToItsOrganisation(t *testing.T) {
	require.NoError(t, msptesttools.LoadMSPSetupForTesting())
	local := mgmt.GetLocalMSP(factory.GetDefault())
	signer, err := local.GetDefaultSigningIdentity()
	require.NoError(t, err)
	identity, err := signer.Serialize()
	require.NoError(t, err)
	data := []byte("a request for blocks")
	signature, err := signer.Sign(data)
	require.NoError(t, err)
	for _, test := range []struct {
		org       string
		data      []byte
		delivered bool
	}{
		{"SampleOrg", data, true},
		{"Org2MSP", data, false},
		{"SampleOrg", []byte("another request"), false},
	} {
		eligible, err := (&collPolicyChecker{}).CheckCollectionPolicy(7, "cc", implicitcollection.NameForOrg(test.org), nil,
			mgmt.GetManagerForChain("testchannelid"), &protoutil.SignedData{Data: test.data, Identity: identity, Signature: signature})
		require.NoError(t, err)
		require.Equal(t, test.delivered, eligible, "%s %q", test.org, test.data)
	}
}
