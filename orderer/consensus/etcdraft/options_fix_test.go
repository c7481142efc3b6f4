// SPDX-License-Identifier: Apache-2.0

package etcdraft_test

import (
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	raftprotos "github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/orderer/consensus/etcdraft/mocks"
)

// TestOptionsThatEndOrderers: what would end each orderer at its next start, or as a leader, is refused in an update that makes it so.
func TestOptionsThatEndOrderers(t *testing.T) {
	chain := threeConsenters(t).chains[1]
	ca, err := tlsgen.NewCA()
	require.NoError(t, err)
	metadata := createMetadata(3, ca)
	config := func(tick string, inflight uint32) *mocks.OrdererConfig {
		m := proto.Clone(metadata).(*raftprotos.ConfigMetadata)
		m.Options = &raftprotos.Options{TickInterval: tick, ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: inflight}
		c := mockOrdererWithTLSRootCert(time.Hour, protoutil.MarshalOrPanic(m), ca)
		c.ConsensusTypeReturns("etcdraft")
		return c
	}
	good := config("500ms", 5)
	require.NoError(t, chain.ValidateConsensusMetadata(good, config("1ms", 10000), false))
	require.NoError(t, chain.ValidateConsensusMetadata(config("-1s", 20000), config("-1s", 20000), false), "as it was")
	require.NoError(t, chain.ValidateConsensusMetadata(config("-1s", 20000), good, false))
	require.EqualError(t, chain.ValidateConsensusMetadata(good, config("-500ms", 5), false), "TickInterval (-500ms) must be a positive duration such as 500ms")
	require.EqualError(t, chain.ValidateConsensusMetadata(good, config("500ms", 1<<32-1), false), "MaxInflightBlocks (4294967295) must be at most 10000")
	require.EqualError(t, chain.ValidateConsensusMetadata(good, config("500ms", 10001), false), "MaxInflightBlocks (10001) must be at most 10000")
	require.ErrorContains(t, chain.ValidateConsensusMetadata(good, config("0s", 5), false), "TickInterval cannot be zero", "as upstream says it")

	leaving := config("-500ms", 5)
	leaving.ConsensusTypeReturns("BFT")
	for _, org := range leaving.Organizations() {
		org.(*mocks.OrdererOrg).EndpointsReturns([]string{"localhost:7050"})
	}
	require.NoError(t, chain.ValidateConsensusMetadata(good, leaving, false), "options of another consensus")
}
