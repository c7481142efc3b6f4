// SPDX-License-Identifier: Apache-2.0

package configtx

import (
	"errors"
	"strings"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/configtx/mock"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

// TestSecurityEvents changes an item of the configuration with and without the right to: the failure is recorded, with the item and who
// has signed.
func TestSecurityEvents(t *testing.T) {
	logger, lines := floggingtest.NewTestLogger(t)
	defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
	policy, manager := &mock.Policy{}, &mock.PolicyManager{}
	manager.GetPolicyReturns(policy, true)
	item := func(version uint64) comparable {
		return comparable{key: "BatchSize", ConfigValue: &cb.ConfigValue{Version: version, ModPolicy: "Admins"}}
	}
	const key = "[Value]  /Channel/Orderer/BatchSize"
	vi := &ValidatorImpl{channelID: "trade", pm: manager, configMap: map[string]comparable{key: item(0)}}
	by := protoutil.MarshalOrPanic(&msp.SerializedIdentity{Mspid: "Org9MSP", IdBytes: []byte("mallory")})
	update := func() error {
		return vi.verifyDeltaSet(map[string]comparable{key: item(1)}, []*protoutil.SignedData{{Identity: by}})
	}
	require.NoError(t, update())
	require.Empty(t, lines.Entries())
	policy.EvaluateSignedDataReturns(errors.New("no such right"))
	require.ErrorContains(t, update(), "not satisfied")
	require.Contains(t, strings.Join(lines.Entries(), "\n"), "event=policy-failed channel=trade rule=\"update of "+key+
		"\" by=\""+protoutil.LogMessageForSerializedIdentity(by)+"\" reason=\"no such right\"")
}
