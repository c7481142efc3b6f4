// SPDX-License-Identifier: Apache-2.0

package valinforetriever_test

import (
	"testing"

	"github.com/hyperledger/fabric/core/committer/txvalidator/v20/valinforetriever"
	"github.com/hyperledger/fabric/core/committer/txvalidator/v20/valinforetriever/mocks"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/pkg/errors"
	"github.com/stretchr/testify/require"
)

type stored struct {
	ledger.SimpleQueryExecutor
	state []byte
	err   error
}

func (s stored) GetState(string, string) ([]byte, error) { return s.state, s.err }

// TestUnreadableLegacyDefinition: stored bytes that are no definition are the fault of the transaction. A state that cannot be read stops the peer.
func TestUnreadableLegacyDefinition(t *testing.T) {
	for name, test := range map[string]struct {
		qe      stored
		invalid bool
	}{
		"no definition":     {stored{state: []byte{0xff}}, true},
		"a good definition": {stored{state: []byte{}}, false},
		"no state":          {stored{}, false},
		"away":              {stored{err: errors.New("away")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			newer, legacy := &mocks.LifecycleResources{}, &mocks.LifecycleResources{}
			newer.On("ValidationInfo", "channel", "cc", test.qe).Return("", nil, nil, nil)
			legacy.On("ValidationInfo", "channel", "cc", test.qe).Return("", nil, errors.New("unexpected"), nil)
			shim := valinforetriever.ValidationInfoRetrieveShim{Legacy: legacy, New: newer}
			_, _, unexpected, invalid := shim.ValidationInfo("channel", "cc", test.qe)
			require.Equal(t, test.invalid, unexpected == nil)
			require.Equal(t, test.invalid, invalid != nil)
		})
	}
}
