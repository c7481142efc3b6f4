// SPDX-License-Identifier: Apache-2.0

package statebased

import (
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/pkg/errors"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
)

// TestEndsOfTransactions: whoever waits for a transaction learns that it has ended, before or after it began to wait; if the peer fails to
// judge what is left of it, this is no verdict. Nothing is kept of a block that is over.
func TestEndsOfTransactions(t *testing.T) {
	builder := rwsetutil.NewRWSetBuilder()
	builder.AddToMetadataWriteSet("cc", "key", map[string][]byte{peer.MetaDataKeys_VALIDATION_PARAMETER.String(): nil})
	results, err := builder.GetTxSimulationResults()
	require.NoError(t, err)
	set, err := results.GetPubSimulationBytes()
	require.NoError(t, err)

	disk := errors.New("disk")
	for name, test := range map[string]struct {
		judge func(*KeyLevelValidationParameterManagerImpl) Judge
		want  func(error)
	}{
		"nothing left": {nil, func(err error) { require.NoError(t, err) }},
		"left, and refused": {func(m *KeyLevelValidationParameterManagerImpl) Judge {
			return func(ns string) error { m.SetTxValidationResult(ns, 1, 0, errors.New("refused")); return nil }
		}, func(err error) { require.NoError(t, err) }},
		"left, and accepted": {func(m *KeyLevelValidationParameterManagerImpl) Judge {
			return func(ns string) error { m.SetTxValidationResult(ns, 1, 0, nil); return nil }
		}, func(err error) { require.IsType(t, &ValidationParameterUpdatedError{}, err) }},
		"left, and not known": {func(*KeyLevelValidationParameterManagerImpl) Judge {
			return func(string) error { return disk }
		}, func(err error) { require.ErrorContains(t, err, "disk") }},
	} {
		for when, late := range map[string]bool{"before": false, "after": true} {
			t.Run(name+", "+when, func(t *testing.T) {
				m := &KeyLevelValidationParameterManagerImpl{StateFetcher: &mockStateFetcher{FetchStateRv: &mockState{}}, PolicyTranslator: &mockTranslator{}}
				v := NewKeyLevelValidator(NewV13Evaluator(&mockPolicyEvaluator{}, m), m)
				block := buildBlockWithTxs(buildTXWithRwset(set), buildTXWithRwset(nil))
				block.Header.Number = 1
				first, second := Validating(block, 0), Validating(block, 1)
				end := func() {
					if test.judge != nil {
						LeaveToJudge(block, 0, test.judge(m))
					}
					first()
				}
				if !late {
					end()
				}
				v.PreValidate(1, block)
				got := make(chan error, 1)
				go func() {
					_, err := m.GetValidationParameterForKey("cc", "", "key", 1, 1)
					got <- err
				}()
				if late {
					select {
					case <-got:
						require.Fail(t, "it does not wait")
					case <-time.After(50 * time.Millisecond):
					}
					end()
				}
				select {
				case err := <-got:
					test.want(err)
				case <-time.After(20 * time.Second):
					require.Fail(t, "it waits for ever")
				}
				second()
				require.NotContains(t, blocks.underway, block)
			})
		}
	}
	listen(&common.Block{}, nil) // of no validation: nothing is kept
	require.Empty(t, blocks.underway)
}
