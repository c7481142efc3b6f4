// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	comm_utils "github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/orderer/common/cluster"
)

// TestAuthRequestWithoutTimestamp: a stranger's first message has nothing but what makes it a request for authentication.
func TestAuthRequestWithoutTimestamp(t *testing.T) {
	srv, err := comm_utils.NewGRPCServer("127.0.0.1:0", comm_utils.ServerConfig{})
	require.NoError(t, err)
	log := flogging.MustGetLogger("test")
	service := &cluster.ClusterService{
		StreamCountReporter: &cluster.StreamCountReporter{Metrics: cluster.NewMetrics(&disabled.Provider{})}, Logger: log, StepLogger: log,
	}
	empty := &orderer.ClusterNodeServiceStepRequest{
		Payload: &orderer.ClusterNodeServiceStepRequest_NodeAuthrequest{NodeAuthrequest: &orderer.NodeAuthRequest{}},
	}
	_, err = service.VerifyAuthRequest(nil, empty)
	require.EqualError(t, err, "the request for authentication has no timestamp")

	orderer.RegisterClusterNodeServiceServer(srv.Server(), service)
	go srv.Start()
	t.Cleanup(srv.Stop)
	conn, err := grpc.NewClient(srv.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	for _, request := range []*orderer.ClusterNodeServiceStepRequest{
		empty,
		{},
		{Payload: &orderer.ClusterNodeServiceStepRequest_NodeAuthrequest{}},
	} {
		stream, err := orderer.NewClusterNodeServiceClient(conn).Step(t.Context())
		require.NoError(t, err)
		require.NoError(t, stream.Send(request))
		_, err = stream.Recv()
		require.Equal(t, codes.Unauthenticated, status.Code(err), "%v", err)
	}
}
