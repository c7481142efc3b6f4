// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"errors"
	"math"
	"testing"

	protostransientstore "github.com/hyperledger/fabric-protos-go/transientstore"
	"github.com/hyperledger/fabric/core/committer"
	"github.com/hyperledger/fabric/core/transientstore"
	"github.com/stretchr/testify/require"
)

type ofHeight struct {
	committer.Committer
	height uint64
	err    error
}

func (c ofHeight) LedgerHeight() (uint64, error) { return c.height, c.err }

// TestHeightOfPrivateData: what a peer sends stays no longer than what one sends that is as far ahead as data are kept.
func TestHeightOfPrivateData(t *testing.T) {
	provider, err := transientstore.NewStoreProvider(t.TempDir())
	require.NoError(t, err)
	defer provider.Close()
	for name, test := range map[string]struct{ said, kept uint64 }{
		"behind": {7, 7}, "here": {50, 50}, "ahead": {149, 149}, "at most": {150, 150}, "too far": {151, 150}, "never": {math.MaxUint64, 150},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := provider.OpenStore(name)
			require.NoError(t, err)
			c := &coordinator{Support: Support{Committer: ofHeight{height: 50}}, store: store, transientBlockRetention: 100}
			require.NoError(t, c.StorePvtData("tx", &protostransientstore.TxPvtReadWriteSetWithConfigInfo{}, test.said))
			height, err := store.GetMinTransientBlkHt()
			require.NoError(t, err)
			require.Equal(t, test.kept, height)
		})
	}
	c := &coordinator{Support: Support{Committer: ofHeight{err: errors.New("no height")}}}
	require.EqualError(t, c.StorePvtData("tx", nil, 1), "no height")
}
