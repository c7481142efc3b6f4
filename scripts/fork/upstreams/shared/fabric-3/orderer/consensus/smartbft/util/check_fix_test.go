// SPDX-License-Identifier: Apache-2.0

package util_test

import (
	"math"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	ob "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/smartbft"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft/util"
)

// channel is a configuration of a channel. It has the MSP Org.
type channel struct {
	channelconfig.Resources
	channelconfig.Orderer

	consensus  string
	options    *smartbft.Options
	metadata   []byte // in place of options
	batch      *ob.BatchSize
	consenters []*cb.Consenter
}

func (c *channel) OrdererConfig() (channelconfig.Orderer, bool) { return c, true }
func (c *channel) MSPManager() msp.MSPManager                   { return msps{} }
func (c *channel) ConsensusType() string                        { return c.consensus }
func (c *channel) BatchSize() *ob.BatchSize                     { return c.batch }
func (c *channel) Consenters() []*cb.Consenter                  { return c.consenters }
func (c *channel) Capabilities() channelconfig.OrdererCapabilities {
	return nil
}

func (c *channel) ConsensusMetadata() []byte {
	if c.metadata != nil {
		return c.metadata
	}
	data, _ := proto.Marshal(c.options)
	return data
}

type msps struct{ msp.MSPManager }

func (msps) GetMSPs() (map[string]msp.MSP, error) { return map[string]msp.MSP{"Org": member{}}, nil }

type member struct{ msp.MSP }

// newChannel has n consenters, the options of make network and configtxgen's BatchSize, and then what edit changes.
func newChannel(t *testing.T, n int, edit ...func(*channel)) *channel {
	t.Helper()
	cert := gmtlstest.NewCA(t).NewPair(t, "localhost").SignCert
	c := &channel{
		consensus: "BFT", batch: &ob.BatchSize{MaxMessageCount: 500, AbsoluteMaxBytes: 10 << 20, PreferredMaxBytes: 2 << 20},
		options: &smartbft.Options{
			RequestBatchMaxInterval: "500ms", RequestForwardTimeout: "2s", RequestComplainTimeout: "10s", RequestAutoRemoveTimeout: "3m",
			ViewChangeResendInterval: "2s", ViewChangeTimeout: "20s", LeaderHeartbeatTimeout: "10s", LeaderHeartbeatCount: 10,
			CollectTimeout: "1s", IncomingMessageBufferSize: 200, RequestPoolSize: 100000, SyncOnStart: true,
		},
	}
	for i := range n {
		c.consenters = append(c.consenters, &cb.Consenter{
			Id: uint32(i + 1), Host: "orderer", Port: 7050, MspId: "Org", Identity: cert, ClientTlsCert: cert, ServerTlsCert: cert,
		})
	}
	for _, e := range edit {
		e(c)
	}
	return c
}

// TestOptionsThatEndConsenters: what the library, or a consenter at its next start, cannot go on with is refused.
func TestOptionsThatEndConsenters(t *testing.T) {
	present := newChannel(t, 4)
	require.NoError(t, util.Check(present, present))
	require.NoError(t, util.Check(nil, present))
	require.NoError(t, util.Check(nil, newChannel(t, 4, func(c *channel) { c.consensus, c.options = "etcdraft", nil })), "options of Raft")
	for want, edit := range map[string]func(*channel){
		"RequestMaxBytes is bigger than RequestBatchMaxBytes (RequestMaxBytes is 2000000, AbsoluteMaxBytes of BatchSize is 1000000)": func(c *channel) {
			c.options.RequestMaxBytes, c.batch.AbsoluteMaxBytes = 2_000_000, 1_000_000
		},
		"RequestBatchMaxCount is bigger than RequestBatchMaxBytes": func(c *channel) { c.batch.MaxMessageCount = 10<<20 + 1 },
		"RequestMaxBytes is bigger than RequestBatchMaxBytes":      func(c *channel) { c.batch.AbsoluteMaxBytes = 9000 },
		"RequestPoolSize should be greater than zero":              func(c *channel) { c.options.RequestPoolSize = 0 },
		"LeaderHeartbeatCount should be greater than zero":         func(c *channel) { c.options.LeaderHeartbeatCount = 0 },
		"RequestForwardTimeout is bigger than":                     func(c *channel) { c.options.RequestForwardTimeout = "1h" },
		"bad config metadata option CollectTimeout":                func(c *channel) { c.options.CollectTimeout = "soon" },
		"the options of SmartBFT: proto":                           func(c *channel) { c.metadata = []byte{0xff} },
		"IncomingMessageBufferSize (18446744073709551615) must be at most 10000": func(c *channel) {
			c.options.IncomingMessageBufferSize = math.MaxUint64
		},
		"RequestPoolSize (9223372036854775808) must be at most 10000000": func(c *channel) { c.options.RequestPoolSize = math.MaxInt64 + 1 },
		"LeaderHeartbeatCount (9223372036854775807) must be at most":     func(c *channel) { c.options.LeaderHeartbeatCount = math.MaxInt64 },
	} {
		next := newChannel(t, 4, edit)
		require.ErrorContains(t, util.Check(present, next), want)
		require.ErrorContains(t, util.Check(nil, next), want)
		raft := newChannel(t, 0, func(c *channel) { c.consensus, c.metadata = "etcdraft", []byte{0xff} })
		require.ErrorContains(t, util.Check(raft, next), want, "a channel that leaves Raft")
	}
	large := func(c *channel) { c.options.IncomingMessageBufferSize = 20000 }
	require.NoError(t, util.Check(newChannel(t, 4, large), newChannel(t, 4, large)), "as it was")
}

// TestConsentersThatEndConsenters: consenters whom nobody can count, or whose MSP or certificates nobody has, are refused.
func TestConsentersThatEndConsenters(t *testing.T) {
	present := newChannel(t, 4)
	for want, edit := range map[string]func(c *channel){
		"consenter 0 (orderer:7050): its id must not be 0, nor that of another consenter": func(c *channel) { c.consenters[3].Id = 0 },
		"consenter 1 (orderer:7050): its id must not be 0, nor that of another consenter": func(c *channel) { c.consenters[3].Id = 1 },
		`consenter 4 (orderer:7050): the channel has no MSP "Other"`:                      func(c *channel) { c.consenters[3].MspId = "Other" },
		"consenter 4 (orderer:7050): identity: ":                                          func(c *channel) { c.consenters[3].Identity = []byte("x") },
		"consenter 4 (orderer:7050): server_tls_cert: ":                                   func(c *channel) { c.consenters[3].ServerTlsCert = nil },
		"the channel has no consenter":                                                    func(c *channel) { c.consenters = nil },
	} {
		require.ErrorContains(t, util.Check(present, newChannel(t, 4, edit)), want)
		require.ErrorContains(t, util.Check(nil, newChannel(t, 4, edit)), want)
	}
}

// TestSizeOfViewChange: a new leader can send the proof of its view, which has two blocks of each of a quorum.
func TestSizeOfViewChange(t *testing.T) {
	bytes := func(most uint32) func(*channel) { return func(c *channel) { c.batch.AbsoluteMaxBytes = most } }
	require.NoError(t, util.CheckFirstSize(newChannel(t, 4)), "4 x 10 MiB")
	require.NoError(t, util.CheckFirstSize(newChannel(t, 1, bytes(99<<20))), "no view to prove")
	require.NoError(t, util.CheckFirstSize(newChannel(t, 10, func(c *channel) { c.consensus = "etcdraft" })), "Raft")
	require.NoError(t, util.Check(nil, newChannel(t, 10)), "others live with it")
	require.ErrorContains(t, util.CheckFirstSize(newChannel(t, 10)), "with 10 consenters, AbsoluteMaxBytes of BatchSize may be at most 7145088, and it is 10485760")
	require.NoError(t, util.CheckFirstSize(newChannel(t, 10, bytes(7145088))))
	require.Error(t, util.CheckFirstSize(newChannel(t, 4, bytes(64<<20))))
	require.Error(t, util.Check(newChannel(t, 4), newChannel(t, 4, bytes(64<<20))), "larger blocks")
	require.Error(t, util.Check(newChannel(t, 4), newChannel(t, 7)), "more consenters")
	require.Error(t, util.Check(newChannel(t, 10, func(c *channel) { c.consensus = "etcdraft" }), newChannel(t, 10)), "a channel that leaves Raft")
	require.NoError(t, util.Check(newChannel(t, 10), newChannel(t, 10)), "as it was")
	require.NoError(t, util.Check(newChannel(t, 10), newChannel(t, 9)), "smaller, and still too large")
	// For each number of consenters, the size that the error names is accepted, and needs no more than a message.
	for n := 2; n <= 50; n++ {
		quorum := uint64(math.Ceil(float64(n+(n-1)/3+1) / 2))
		most := uint32((comm.DefaultMaxSendMsgSize/(2*quorum) - 64<<10) / 133 * 128)
		all := func(c *channel) { c.batch.MaxMessageCount = most }
		require.NoError(t, util.CheckFirstSize(newChannel(t, n, bytes(most), all)), n)
		require.Error(t, util.CheckFirstSize(newChannel(t, n, bytes(most+most/20), all)), n)
	}
}
