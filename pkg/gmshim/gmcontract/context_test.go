// SPDX-License-Identifier: Apache-2.0

package gmcontract_test

import (
	"crypto/x509/pkix"
	"errors"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/pkg/gmshim/gmcontract"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

// stub is as much of a chaincode stub as the contract API and this test use.
type stub struct {
	shim.ChaincodeStubInterface
	function string
	creator  []byte
	err      error
}

func (s stub) GetFunctionAndParameters() (string, []string) { return s.function, nil }
func (s stub) GetCreator() ([]byte, error)                  { return s.creator, s.err }

// greeter greets its callers by their MSP.
type greeter struct{ contractapi.Contract }

func (*greeter) Greet(ctx contractapi.TransactionContextInterface) (string, error) {
	mspID, err := ctx.GetClientIdentity().GetMSPID()
	return "hello " + mspID, err
}

func creator(t *testing.T, family gmtlstest.Family) []byte {
	t.Helper()
	leaf := gmtlstest.NewFamilyCA(t, family, "ca").Issue(t, pkix.Name{CommonName: "user"})
	b, err := proto.Marshal(&msp.SerializedIdentity{Mspid: "Org1MSP", IdBytes: leaf.CertPEM})
	require.NoError(t, err)
	return b
}

func call(t *testing.T, contract *greeter, s stub) *peer.Response {
	t.Helper()
	chaincode, err := contractapi.NewChaincode(contract)
	require.NoError(t, err)
	return chaincode.Invoke(s)
}

func TestContractOfTheContractAPI(t *testing.T) {
	gm := &greeter{}
	gm.TransactionContextHandler = new(gmcontract.TransactionContext)
	for _, family := range []gmtlstest.Family{gmtlstest.ECDSA, gmtlstest.SM2} {
		response := call(t, gm, stub{function: "Greet", creator: creator(t, family)})
		require.EqualValues(t, shim.OK, response.GetStatus(), response.GetMessage())
		require.Equal(t, "hello Org1MSP", string(response.GetPayload()))
	}
	response := call(t, gm, stub{function: "Greet", err: errors.New("no creator today")})
	require.EqualValues(t, shim.ERROR, response.GetStatus())
	require.Contains(t, response.GetMessage(), "no creator today")

	// Why this package exists: the contract API's own context panics on an SM2 creator.
	require.Panics(t, func() { call(t, &greeter{}, stub{function: "Greet", creator: creator(t, gmtlstest.SM2)}) })
}

func TestEveryMethodReportsAnUnreadableCreator(t *testing.T) {
	ctx := &gmcontract.TransactionContext{}
	ctx.SetStub(stub{creator: []byte("garbage")})
	ctx.SetClientIdentity(nil)
	id := ctx.GetClientIdentity()
	_, err := id.GetID()
	require.ErrorContains(t, err, "cid:")
	_, err = id.GetMSPID()
	require.ErrorContains(t, err, "cid:")
	_, found, err := id.GetAttributeValue("role")
	require.False(t, found)
	require.ErrorContains(t, err, "cid:")
	require.ErrorContains(t, id.AssertAttributeValue("role", ""), "cid:")
	cert, err := id.GetX509Certificate()
	require.Nil(t, cert)
	require.ErrorContains(t, err, "cid:")
}
