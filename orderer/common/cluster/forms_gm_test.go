// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/orderer/common/cluster"
	"google.golang.org/grpc"
)

// openStep opens a bare stream to a node.
func openStep(ctx context.Context, remote *cluster.RemoteContext) (orderer.Cluster_StepClient, error) {
	return remote.Client.Step(ctx)
}

func heightsOf(p *cluster.BlockPuller) (map[string]uint64, error) { return p.HeightsByEndpoints() }

// remoteWith is a remote node whose streams come from the client.
func remoteWith(client cluster.ClusterClient) *cluster.RemoteContext {
	return &cluster.RemoteContext{
		SendBuffSize: 10, Metrics: cluster.NewMetrics(&disabled.Provider{}), Logger: flogging.MustGetLogger("test"),
		Client: client, ProbeConn: func(*grpc.ClientConn) error { return nil },
	}
}

// verifySequence verifies blocks of another orderer, all of whose signatures are good.
func verifySequence(blocks []*common.Block) error {
	return cluster.VerifyBlocks(blocks, &cluster.NoopBlockVerifier{})
}
