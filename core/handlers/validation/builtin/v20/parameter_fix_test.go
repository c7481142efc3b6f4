// SPDX-License-Identifier: Apache-2.0

package v20

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/policydsl"
	"github.com/hyperledger/fabric/core/common/validation/statebased"
	"github.com/hyperledger/fabric/protoutil"
)

// TestParametersThatAreNoPolicy: they are told from what else can fail, and a policy is none of them.
func TestParametersThatAreNoPolicy(t *testing.T) {
	policy := protoutil.MarshalOrPanic(policydsl.SignedByMspPeer("Org1MSP"))
	var unreadable *statebased.UnreadableParameterError
	for _, parameter := range []string{"OR('Org1MSP.peer')", "\x4f", string(policy[:len(policy)-1])} {
		_, err := (&toApplicationPolicyTranslator{}).Translate([]byte(parameter))
		require.ErrorAs(t, err, &unreadable, "%q", parameter)
	}
	for _, parameter := range [][]byte{nil, policy} {
		_, err := (&toApplicationPolicyTranslator{}).Translate(parameter)
		require.NoError(t, err)
	}
}
