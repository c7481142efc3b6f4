// SPDX-License-Identifier: Apache-2.0

//fork:file perf: a peer parses each transaction of a block once while it commits the block

package privdata

import (
	"errors"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/gossip/metrics"
	"github.com/hyperledger/fabric/protoutil"
)

// parsingValidator parses the first transaction of a block, and refuses the block.
type parsingValidator struct{ parsed []*common.Envelope }

var errRefused = errors.New("refused")

func (v *parsingValidator) Validate(block *common.Block) error {
	for range 2 {
		envelope, err := protoutil.GetEnvelopeFromBlock(block.Data.Data[0])
		if err != nil {
			return err
		}
		v.parsed = append(v.parsed, envelope)
	}
	return errRefused
}

// TestStoreBlockParsesOnce: messages of a block are shared while it is committed, and not afterwards, if it is refused too.
func TestStoreBlockParsesOnce(t *testing.T) {
	validator := new(parsingValidator)
	c := &coordinator{
		Support: Support{Validator: validator},
		logger:  flogging.MustGetLogger("test"),
		metrics: metrics.NewGossipMetrics(&disabled.Provider{}).PrivdataMetrics,
	}
	block := &common.Block{
		Header: &common.BlockHeader{Number: 5},
		Data:   &common.BlockData{Data: [][]byte{protoutil.MarshalOrPanic(&common.Envelope{Payload: []byte("payload")})}},
	}
	for range 2 {
		require.ErrorIs(t, c.StoreBlock(block, nil), errRefused)
	}
	require.Len(t, validator.parsed, 4)
	require.Same(t, validator.parsed[0], validator.parsed[1])
	require.NotSame(t, validator.parsed[0], validator.parsed[2])
	require.Same(t, validator.parsed[2], validator.parsed[3])
	require.ErrorContains(t, c.StoreBlock(&common.Block{}, nil), "Block data is empty")
}
