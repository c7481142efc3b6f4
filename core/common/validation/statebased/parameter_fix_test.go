// SPDX-License-Identifier: Apache-2.0

package statebased

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/errors"
	"github.com/hyperledger/fabric/core/common/validation/statebased/mocks"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
)

// TestUnreadableParameters: a key whose parameter is no policy makes a transaction invalid, and stops no peer, which a failure of the peer's
// own state does. It holds for public keys and for those of collections.
func TestUnreadableParameters(t *testing.T) {
	parameter := map[string][]byte{pb.MetaDataKeys_VALIDATION_PARAMETER.String(): []byte("OR('Org1MSP.peer')")}
	public, private := rwsetutil.NewRWSetBuilder(), rwsetutil.NewRWSetBuilder()
	public.AddToWriteSet("cc", "key", []byte("value"))
	private.AddToPvtAndHashedWriteSet("cc", "coll", "key", []byte("value"))
	for name, builder := range map[string]*rwsetutil.RWSetBuilder{"public": public, "private": private} {
		results, err := builder.GetTxSimulationResults()
		require.NoError(t, err)
		rwset, err := results.GetPubSimulationBytes()
		require.NoError(t, err)
		for what, c := range map[string]struct {
			state   *mockState
			failure error
			want    error
		}{
			"unreadable": {&mockState{GetStateMetadataRv: parameter, GetPrivateDataMetadataByHashRv: parameter}, &UnreadableParameterError{"cut off"}, &errors.VSCCEndorsementPolicyError{}},
			"other":      {&mockState{GetStateMetadataRv: parameter, GetPrivateDataMetadataByHashRv: parameter}, fmt.Errorf("out of memory"), &errors.VSCCExecutionFailureError{}},
			"state":      {&mockState{GetStateMetadataErr: fmt.Errorf("disk"), GetPrivateDataMetadataByHashErr: fmt.Errorf("disk")}, nil, &errors.VSCCExecutionFailureError{}},
		} {
			for _, version := range []string{"v13", "v20"} {
				states := &mockStateFetcher{FetchStateRv: c.state}
				manager := &KeyLevelValidationParameterManagerImpl{PolicyTranslator: &mockTranslator{TranslateError: c.failure}, StateFetcher: states}
				var evaluator RWSetPolicyEvaluatorFactory = NewV13Evaluator(&mockPolicyEvaluator{}, manager)
				if version == "v20" {
					evaluator = NewV20Evaluator(manager, &mockPolicyEvaluator{}, &mocks.CollectionResources{}, states)
				}
				validator := NewKeyLevelValidator(evaluator, manager)
				validator.PreValidate(0, buildBlockWithTxs(buildTXWithRwset(rwset)))
				err := validator.Validate("cc", 1, 0, rwset, []byte("response"), []byte("policy"), []*pb.Endorsement{{Endorser: []byte("endorser")}})
				require.IsType(t, c.want, err, "%s, %s, %s", name, what, version)
			}
		}
	}
}
