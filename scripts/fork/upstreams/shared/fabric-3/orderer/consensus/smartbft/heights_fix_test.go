// SPDX-License-Identifier: Apache-2.0

//fork:file fix: one organisation with many endpoints cannot have a consenter wait for blocks that do not exist

package smartbft_test

import (
	"os"
	"testing"
	"time"

	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	"github.com/hyperledger-labs/SmartBFT/smartbftprotos"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/orderer/common/cluster"
	"github.com/hyperledger/fabric/orderer/common/localconfig"
	mocks2 "github.com/hyperledger/fabric/orderer/consensus/mocks"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft/mocks"
)

type organization struct {
	channelconfig.OrdererOrg
	id        string
	endpoints []string
}

func (o organization) MSPID() string       { return o.id }
func (o organization) Endpoints() []string { return o.endpoints }

// operated lists all endpoints in an organisation that has no consenter.
func operated(support *mocks2.FakeConsenterSupport) {
	shared := support.SharedConfig().(*mocks.OrdererConfig)
	shared.OrganizationsReturns(map[string]channelconfig.OrdererOrg{"o": organization{id: "O", endpoints: []string{"o:1", "o:2", "o:3"}}})
}

// fourConsenters is the ledger of 100 blocks of a channel with a consenter in each of four organisations. L lists three endpoints.
func fourConsenters(t *testing.T) *mocks2.FakeConsenterSupport {
	t.Helper()
	raw, err := os.ReadFile("testdata/mychannel.block")
	require.NoError(t, err)
	genesis := &cb.Block{}
	require.NoError(t, proto.Unmarshal(raw, genesis))
	config := makeConfigBlockWithMetadata(genesis, 42, &smartbftprotos.ViewMetadata{ViewId: 1, LatestSequence: 8})
	last := makeBlockWithMetadata(99, 42, &smartbftprotos.ViewMetadata{ViewId: 1, LatestSequence: 12})
	support := &mocks2.FakeConsenterSupport{}
	support.HeightReturns(100)
	support.BlockCalls(func(number uint64) *cb.Block { return map[uint64]*cb.Block{42: config, 99: last}[number] })
	shared := &mocks.OrdererConfig{}
	shared.ConsentersReturns([]*cb.Consenter{{MspId: "A"}, {MspId: "B"}, {MspId: "C"}, {MspId: "L"}})
	shared.OrganizationsReturns(map[string]channelconfig.OrdererOrg{
		"a": organization{id: "A", endpoints: []string{"a:1"}}, "b": organization{id: "B", endpoints: []string{"b:1"}},
		"c": organization{id: "C", endpoints: []string{"c:1"}}, "l": organization{id: "L", endpoints: []string{"l:1", "l:2", "l:2", "l:3"}},
	})
	shared.BatchSizeReturns(&orderer.BatchSize{AbsoluteMaxBytes: 1000000})
	support.SharedConfigReturns(shared)
	return support
}

func pullerOf(heights map[string]uint64) (*mocks.FakeBlockPullerFactory, *mocks.FakeBlockPuller) {
	puller, factory := &mocks.FakeBlockPuller{}, &mocks.FakeBlockPullerFactory{}
	puller.HeightsByEndpointsReturns(heights, "a:1", nil)
	factory.CreateBlockPullerReturns(puller, nil)
	return factory, puller
}

func bftSynchronizer(t *testing.T, heights map[string]uint64) (*smartbft.BFTSynchronizer, *mocks.BFTDelivererFactory) {
	t.Helper()
	deliverers, verifiers := &mocks.BFTDelivererFactory{}, &mocks.VerifierFactory{}
	deliverers.CreateBFTDelivererReturns(&mocks.BFTBlockDeliverer{}) // no block ever comes
	verifiers.CreateBlockVerifierReturns(&mocks.UpdatableBlockVerifier{}, nil)
	pullers, _ := pullerOf(heights)
	return &smartbft.BFTSynchronizer{
		LatestConfig:       func() (types.Configuration, []uint64) { return types.Configuration{SelfID: 1}, nil },
		BlockToDecision:    func(*cb.Block) *types.Decision { return &types.Decision{} },
		Support:            fourConsenters(t),
		ClusterDialer:      &cluster.PredicateDialer{},
		LocalConfigCluster: localconfig.Cluster{ReplicationPullTimeout: 50 * time.Millisecond, ReplicationMaxRetries: 2},
		BlockPullerFactory: pullers, VerifierFactory: verifiers, BFTDelivererFactory: deliverers,
		Logger: flogging.MustGetLogger("test.smartbft"),
	}, deliverers
}

func synced(t *testing.T, sync func() types.SyncResponse) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		sync()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the consenter waits for blocks that nobody has")
	}
}

// TestManyFalseHeights: three endpoints of one organisation claim a height. f is 1, and the organisation has one consenter.
func TestManyFalseHeights(t *testing.T) {
	heights := func() map[string]uint64 {
		return map[string]uint64{"a:1": 100, "b:1": 100, "c:1": 100, "l:1": 1 << 60, "l:2": 1 << 60, "l:3": 1 << 60}
	}
	s, deliverers := bftSynchronizer(t, heights())
	synced(t, s.Sync)
	require.Zero(t, deliverers.CreateBFTDelivererCallCount())

	pullers, puller := pullerOf(heights())
	simple := &smartbft.Synchronizer{
		LatestConfig: s.LatestConfig, BlockToDecision: s.BlockToDecision, Support: s.Support, BlockPullerFactory: pullers, Logger: s.Logger,
	}
	synced(t, simple.Sync)
	require.Zero(t, puller.PullBlockCallCount())
}

// TestHeightsOfTheOthers: addresses of the whole channel count, and a consenter that lags still learns the height.
func TestHeightsOfTheOthers(t *testing.T) {
	for _, heights := range []map[string]uint64{
		{"a:1": 100, "b:1": 105, "c:1": 105, "l:1": 1},
		{"a:1": 100, "b:1": 105, "channel:1": 105},
	} {
		s, deliverers := bftSynchronizer(t, heights)
		synced(t, s.Sync)
		require.Equal(t, 1, deliverers.CreateBFTDelivererCallCount())
	}
}

// TestOrganizationWithoutConsenters: where only such a one has endpoints, these count.
func TestOrganizationWithoutConsenters(t *testing.T) {
	s, deliverers := bftSynchronizer(t, map[string]uint64{"o:1": 105, "o:2": 105, "o:3": 105})
	operated(s.Support.(*mocks2.FakeConsenterSupport))
	synced(t, s.Sync)
	require.Equal(t, 1, deliverers.CreateBFTDelivererCallCount())
}

// TestOnlyLiarAnswers: nobody else can be asked. The synchronization ends all the same.
func TestOnlyLiarAnswers(t *testing.T) {
	s, deliverers := bftSynchronizer(t, map[string]uint64{"l:1": 1 << 60})
	synced(t, s.Sync)
	require.Equal(t, 1, deliverers.CreateBFTDelivererCallCount())
}
