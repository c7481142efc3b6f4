// SPDX-License-Identifier: Apache-2.0

package etcdraft

import (
	"math"
	"net"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/orderer/common/cluster"
	"github.com/hyperledger/fabric/orderer/common/cluster/mocks"
	"github.com/hyperledger/fabric/protoutil"
)

// liar answers each request with a block that does not exist, as the last one.
type liar struct {
	orderer.UnimplementedAtomicBroadcastServer
}

func (liar) Deliver(stream orderer.AtomicBroadcast_DeliverServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	block := protoutil.NewBlock(math.MaxUint32, nil)
	return stream.Send(&orderer.DeliverResponse{Type: &orderer.DeliverResponse_Block{Block: block}})
}

// TestEvictionWithFalseHeight: a node that looks whether it is still a consenter does not wait for a block that does not exist.
func TestEvictionWithFalseHeight(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	orderer.RegisterAtomicBroadcastServer(server, &liar{})
	go server.Serve(listener)
	t.Cleanup(server.Stop)

	remote := &cluster.BlockPuller{
		VerifyBlockSequence: func([]*common.Block, string) error { return cluster.ErrForbidden },
		Logger:              flogging.MustGetLogger("test"), RetryTimeout: time.Millisecond, FetchTimeout: time.Second, MaxTotalBufferBytes: 1000,
		Endpoints: []cluster.EndpointCriteria{{Endpoint: listener.Addr().String()}},
		Dialer:    &cluster.StandardDialer{Config: comm.ClientConfig{DialTimeout: time.Second}},
		Signer:    &mocks.SignerSerializer{}, StopChannel: make(chan struct{}),
	}
	t.Cleanup(func() { close(remote.StopChannel) })
	done := make(chan error, 1)
	go func() {
		_, err := pullLastConfig(&LedgerBlockPuller{BlockPuller: remote, Height: func() uint64 { return 7 }})
		done <- err
	}()
	select {
	case err := <-done:
		require.ErrorIs(t, err, cluster.ErrRetryCountExhausted)
	case <-time.After(20 * time.Second):
		t.Fatal("waits for a block that nobody has")
	}
	require.Zero(t, remote.MaxPullBlockRetries)
}
