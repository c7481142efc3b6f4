// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	cb "github.com/hyperledger/fabric-protos-go/common"
	pb "github.com/hyperledger/fabric-protos-go/peer"

	"github.com/hyperledger/fabric/common/semaphore"
)

// echoes answers each envelope, and keeps the stream until the client ends it.
type echoes struct{ pb.UnimplementedDeliverServer }

func (*echoes) Deliver(stream pb.Deliver_DeliverServer) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		if err := stream.Send(&pb.DeliverResponse{Type: &pb.DeliverResponse_Status{Status: cb.Status_SUCCESS}}); err != nil {
			return err
		}
	}
}

// limited serves echoes with the number of places, and returns a client.
func limited(t *testing.T, places int) (context.Context, pb.DeliverClient) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	server := grpc.NewServer(grpc.StreamInterceptor(firstMessageLimiter(map[string]semaphore.Semaphore{"/protos.Deliver": semaphore.New(places)})))
	pb.RegisterDeliverServer(server, &echoes{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	conn, err := grpc.Dial(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return ctx, pb.NewDeliverClient(conn)
}

// ask sends one envelope on a new stream, and returns the stream.
func ask(ctx context.Context, t *testing.T, client pb.DeliverClient) (pb.Deliver_DeliverClient, error) {
	stream, err := client.Deliver(ctx)
	require.NoError(t, err)
	require.NoError(t, stream.Send(&cb.Envelope{}))
	_, err = stream.Recv()
	return stream, err
}

func TestSilentStreamsTakeNoPlace(t *testing.T) {
	ctx, client := limited(t, 2)
	for range 10 {
		_, err := client.Deliver(ctx)
		require.NoError(t, err)
	}
	_, err := ask(ctx, t, client)
	require.NoError(t, err)
}

func TestServedStreamsAreBounded(t *testing.T) {
	ctx, client := limited(t, 2)
	first, err := ask(ctx, t, client)
	require.NoError(t, err)
	second, err := ask(ctx, t, client)
	require.NoError(t, err)
	_, err = ask(ctx, t, client)
	require.ErrorContains(t, err, "too many requests for /protos.Deliver, exceeding concurrency limit (2)")

	// A second message of a stream takes no second place, and the end of one gives its place back.
	require.NoError(t, second.Send(&cb.Envelope{}))
	_, err = second.Recv()
	require.NoError(t, err)
	require.NoError(t, first.CloseSend())
	require.Eventually(t, func() bool { _, err := ask(ctx, t, client); return err == nil }, 10*time.Second, 10*time.Millisecond)
	_, err = ask(ctx, t, client)
	require.ErrorContains(t, err, "too many requests")
}
