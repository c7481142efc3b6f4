// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/orderer/common/cluster"
	"google.golang.org/grpc"
)

// openStep opens a bare stream to a node.
func openStep(ctx context.Context, remote *cluster.RemoteContext) (cluster.StepClientStream, error) {
	return remote.GetStreamFunc(ctx)
}

func heightsOf(p *cluster.BlockPuller) (map[string]uint64, error) {
	heights, _, err := p.HeightsByEndpoints()
	return heights, err
}

// remoteWith is a remote node whose streams come from the client.
func remoteWith(client orderer.ClusterClient) *cluster.RemoteContext {
	return &cluster.RemoteContext{
		SendBuffSize: 10, Metrics: cluster.NewMetrics(&disabled.Provider{}), Logger: flogging.MustGetLogger("test"),
		ProbeConn: func(*grpc.ClientConn) error { return nil },
		GetStreamFunc: func(ctx context.Context) (cluster.StepClientStream, error) {
			stream, err := client.Step(ctx)
			return &cluster.CommClientStream{StepClient: stream}, err
		},
	}
}

// verifySequence verifies blocks of another orderer, all of whose signatures are good.
func verifySequence(blocks []*common.Block) error {
	return cluster.VerifyBlocksBFT(blocks, func(*common.BlockHeader, *common.BlockMetadata) error { return nil }, nil)
}
