// SPDX-License-Identifier: Apache-2.0

//fork:file perf: a peer parses each transaction of a block once while it commits the block

package rwsetutil

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/protoutil"
)

func TestSetParsedOnce(t *testing.T) {
	builder := NewRWSetBuilder()
	builder.AddToWriteSet("asset", "key", []byte("value"))
	results, err := builder.GetTxSimulationResults()
	require.NoError(t, err)
	encoded, err := results.GetPubSimulationBytes()
	require.NoError(t, err)
	parse := func(encoded []byte) *TxRwSet {
		set := new(TxRwSet)
		require.NoError(t, set.FromProtoBytes(encoded))
		require.Equal(t, "value", string(set.NsRwSets[0].KvRwSet.Writes[0].Value))
		return set
	}
	broken := []byte("\x0a\xff")
	end := protoutil.ParseOnce(&common.BlockData{Data: [][]byte{encoded, broken}})
	first, second := parse(encoded), parse(encoded)
	require.NotSame(t, first, second)
	require.Same(t, first.NsRwSets[0], second.NsRwSets[0])
	for range 2 {
		require.Error(t, first.FromProtoBytes(broken))
		require.NotEmpty(t, first.NsRwSets, "a set stays as it was")
	}
	end()
	require.NotSame(t, first.NsRwSets[0], parse(encoded).NsRwSets[0])
}
