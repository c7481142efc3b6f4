// SPDX-License-Identifier: Apache-2.0

package v12

import (
	"fmt"
	"runtime"
	"testing"

	mb "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/protoutil"
)

type endorsed struct{ set []*protoutil.SignedData }

func (e *endorsed) Evaluate(_ []byte, set []*protoutil.SignedData) error {
	e.set = set
	return nil
}

// TestManyEndorsements: the memory that a transaction takes does not grow with the product of its results and its endorsements, and a policy is
// evaluated for what each endorser has signed.
func TestManyEndorsements(t *testing.T) {
	e := &endorsed{}
	vscc := &Validator{policyEvaluator: e}
	action := &peer.ChaincodeActionPayload{Action: &peer.ChaincodeEndorsedAction{ProposalResponsePayload: make([]byte, 1<<18)}}
	for i := range 2000 {
		action.Action.Endorsements = append(action.Action.Endorsements, &peer.Endorsement{
			Endorser: protoutil.MarshalOrPanic(&mb.SerializedIdentity{Mspid: fmt.Sprint(i)}), Signature: []byte("signature"),
		})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	set, err := vscc.endorsements(action)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Len(t, set, 2000)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20)) // 512 MiB in stock

	require.NoError(t, vscc.evaluate(nil, set[:1]))
	endorser := action.Action.Endorsements[0].Endorser
	require.Equal(t, []*protoutil.SignedData{{
		Data: append(action.Action.ProposalResponsePayload, endorser...), Identity: endorser, Signature: []byte("signature"),
	}}, e.set)
}
