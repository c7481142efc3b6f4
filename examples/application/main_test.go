// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/integration/chaincode/asset/contract"
	"github.com/hyperledger/fabric/internal/kittest/fakenet"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"github.com/hyperledger/fabric/pkg/gmgateway"
	"github.com/stretchr/testify/require"
)

func TestApplication(t *testing.T) {
	chaincode, err := contract.NewChaincode()
	require.NoError(t, err)
	n := fakenet.New(t, chaincode, fakenet.Options{Chaincode: "asset", Mode: gmgateway.ModeGM})
	profile := n.ProfileFile(t, gmtlstest.SM2)
	call := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := run(context.Background(), append([]string{"-profile", profile, "-channel", fakepeer.Channel, "-chaincode", "asset"}, args...), &out)
		return out.String(), err
	}
	_, err = call("submit", "CreateAsset", "a1", "red", "5", "Tom", "300")
	require.NoError(t, err)
	out, err := call("evaluate", "ReadAsset", "a1")
	require.NoError(t, err)
	require.Contains(t, out, `"owner":"Tom"`)

	_, err = call("evaluate", "ReadAsset", "a2")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "a2", "the detail is not part of the message")
	require.Contains(t, explain(err).Error(), "localhost:7051 (Org1MSP)")
	require.Contains(t, explain(err).Error(), "a2")
	// Private data, which arguments would make public.
	details := filepath.Join(t.TempDir(), "details.json")
	require.NoError(t, os.WriteFile(details, []byte(`{"appraisal":7,"remark":"r","salt":"0123456789abcdef"}`), 0o600))
	private := []string{"-transient", "details=" + details, "-endorsers", "Org1MSP"}
	_, err = call(append(private, "submit", "PutPrivateDetails", "_implicit_org_Org1MSP", "a1")...)
	require.NoError(t, err)
	out, err = call("evaluate", "ReadPrivateDetails", "_implicit_org_Org1MSP", "a1")
	require.NoError(t, err)
	require.Contains(t, out, `"appraisal":7`)
	_, err = call("submit", "PutPrivateDetails", "_implicit_org_Org1MSP", "a1")
	require.Contains(t, explain(err).Error(), `"details" is missing`)
	_, err = call("-transient", "details="+details+".none", "submit", "PutPrivateDetails", "_implicit_org_Org1MSP", "a1")
	require.ErrorContains(t, err, "no such file")

	_, err = call("-help")
	require.NoError(t, err)
	for _, args := range [][]string{{}, {"submit"}, {"read", "ReadAsset"}} {
		_, err = call(args...)
		require.Error(t, err)
	}
}
