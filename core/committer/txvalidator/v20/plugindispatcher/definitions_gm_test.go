// SPDX-License-Identifier: Apache-2.0

//fork:file perf: the definition of a chaincode is read once for a block

package plugindispatcher

import (
	"errors"
	"sync"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/stretchr/testify/require"
)

// countedState is a ledger and the lifecycle over it, with one definition for every chaincode.
type countedState struct {
	lock   sync.Mutex
	reads  map[string]int
	policy string
	err    error
}

func (*countedState) NewQueryExecutor() (ledger.QueryExecutor, error) { return idleExecutor{}, nil }

func (s *countedState) ValidationInfo(_, chaincode string, _ ledger.SimpleQueryExecutor) (string, []byte, error, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.reads[chaincode]++
	return "vscc", []byte(s.policy), s.err, nil
}

type idleExecutor struct{ ledger.QueryExecutor }

func (idleExecutor) Done() {}

// inBlock has v meet a transaction of block, one that ends at its first bytes.
func inBlock(t *testing.T, v *dispatcherImpl, block *common.Block) {
	t.Helper()
	_, err := v.Dispatch(0, &common.Payload{Header: &common.Header{ChannelHeader: []byte{0xff}}}, nil, block)
	require.Error(t, err)
}

// TestDefinitionsOfABlock: within a block the state is read once for a chaincode, and the next block sees what has changed.
func TestDefinitionsOfABlock(t *testing.T) {
	state := &countedState{reads: map[string]int{}, policy: "one"}
	v := New("channel", nil, state, state, nil)
	want := func(chaincode, policy string, reads int) {
		t.Helper()
		plugin, args, err := v.getCDataForCC("channel", chaincode)
		require.NoError(t, err)
		require.Equal(t, "vscc", plugin)
		require.Equal(t, policy, string(args))
		require.Equal(t, reads, state.reads[chaincode])
		clear(args) // as a plugin may
	}

	want("asset", "one", 1)
	want("asset", "one", 2) // outside blocks nothing is kept

	// Blocks of one number and one content are different blocks.
	first, second := &common.Block{}, &common.Block{}
	inBlock(t, v, first)
	want("asset", "one", 3)
	state.policy = "two"
	inBlock(t, v, first)
	want("asset", "one", 3)
	want("asset", "one", 3)
	want("other", "two", 1)
	want("_lifecycle", "two", 1)
	want("_lifecycle", "two", 2) // its policy is in the configuration

	inBlock(t, v, second)
	want("asset", "two", 4)

	state.err = errors.New("the ledger is closed")
	for range 2 {
		_, _, err := v.getCDataForCC("channel", "third")
		require.ErrorContains(t, err, "the ledger is closed")
	}
	state.err = nil
	want("third", "two", 3)
}

// TestDefinitionsAtOnce: the transactions of a block are validated at once.
func TestDefinitionsAtOnce(t *testing.T) {
	state := &countedState{reads: map[string]int{}, policy: "one"}
	v := New("channel", nil, state, state, nil)
	block := &common.Block{}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				v.definitions.start(block)
				_, args, err := v.getCDataForCC("channel", "asset")
				if err != nil || string(args) != "one" {
					t.Errorf("%q, %v", args, err)
				}
			}
		})
	}
	group.Wait()
	require.LessOrEqual(t, state.reads["asset"], 8)
}
