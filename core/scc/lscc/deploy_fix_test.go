// SPDX-License-Identifier: Apache-2.0

package lscc

import (
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/shim"
	"github.com/hyperledger/fabric-chaincode-go/shimtest"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/core/scc/lscc/mock"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

// The arguments are those of any member's proposal: lscc asks nobody before it reads them.
func TestDeployOfNothing(t *testing.T) {
	invoke := func(provider *mock.SystemChaincodeProvider, args ...[]byte) string {
		stub := shimtest.NewMockStub("lscc", &SCC{SCCProvider: provider, Support: &MockSupport{}, GetMSPIDs: getMSPIDs})
		response := stub.MockInvokeWithSignedProposal("1", args, nil)
		require.NotEqual(t, int32(shim.OK), response.Status)
		return response.Message
	}
	joined, unjoined := NewMockProvider().(*mock.SystemChaincodeProvider), &mock.SystemChaincodeProvider{}
	for _, function := range []string{DEPLOY, UPGRADE} {
		require.Contains(t, invoke(unjoined, []byte(function), []byte("nosuch"), nil), "has not joined channel 'nosuch'")
		for _, spec := range []*pb.ChaincodeDeploymentSpec{{}, {ChaincodeSpec: &pb.ChaincodeSpec{}}, {ChaincodeSpec: &pb.ChaincodeSpec{ChaincodeId: &pb.ChaincodeID{}}}} {
			require.Equal(t, InvalidChaincodeNameErr("").Error(), invoke(joined, []byte(function), []byte("trade"), protoutil.MarshalOrPanic(spec)))
		}
	}
}
