// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"fmt"
	"testing"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/internal/pkg/comm/testpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

// benchServer serves a node that requires client certificates and returns the
// options of a client for each mode.
func benchServer(b *testing.B) (address string, options map[ClientMode]SecureOptions) {
	b.Helper()
	spec := flogging.Global.Spec()
	flogging.ActivateSpec("error")
	b.Cleanup(func() { flogging.ActivateSpec(spec) })
	org := newPKI(b)
	so := org.node(b).options()
	so.ServerMode, so.RequireClientCert = ModeDual, true
	srv, _ := startServer(b, so)
	options = make(map[ClientMode]SecureOptions)
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		co := org.node(b).options()
		co.ClientMode, co.RequireClientCert = mode, true
		options[mode] = co
	}
	return srv.Address(), options
}

func eachMode(b *testing.B, run func(b *testing.B, mode ClientMode)) {
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		b.Run(string(mode), func(b *testing.B) { run(b, mode) })
	}
}

// BenchmarkConnect makes a gRPC connection and one call, as dialers of short
// lived connections do.
func BenchmarkConnect(b *testing.B) {
	address, options := benchServer(b)
	eachMode(b, func(b *testing.B, mode ClientMode) {
		for b.Loop() {
			require.NoError(b, try(b, address, options[mode]))
		}
	})
}

// BenchmarkUnary makes calls that carry and return 1 KiB and 64 KiB.
func BenchmarkUnary(b *testing.B) {
	address, options := benchServer(b)
	for _, size := range []int{1 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			eachMode(b, func(b *testing.B, mode ClientMode) {
				conn, err := dial(b, address, options[mode])
				require.NoError(b, err)
				client := testpb.NewEchoServiceClient(conn)
				echo := &testpb.Echo{Payload: make([]byte, size)}
				b.SetBytes(int64(2 * size))
				b.ReportAllocs()
				for b.Loop() {
					_, err := client.EchoCall(context.Background(), echo)
					require.NoError(b, err)
				}
			})
		})
	}
}

// BenchmarkUnaryParallel makes calls of 1 KiB over one connection from many
// goroutines.
func BenchmarkUnaryParallel(b *testing.B) {
	address, options := benchServer(b)
	eachMode(b, func(b *testing.B, mode ClientMode) {
		conn, err := dial(b, address, options[mode])
		require.NoError(b, err)
		client := testpb.NewEchoServiceClient(conn)
		echo := &testpb.Echo{Payload: make([]byte, 1<<10)}
		b.SetParallelism(16)
		b.SetBytes(2 << 10)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := client.EchoCall(context.Background(), echo); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// blobDesc is a stream that sends blobs of 64 KiB until the client cancels, the
// size of a block of a few transactions.
var blobDesc = grpc.ServiceDesc{
	ServiceName: "bench.Blobs",
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{
		StreamName:    "Pull",
		ServerStreams: true,
		Handler: func(_ any, stream grpc.ServerStream) error {
			blob := &testpb.Echo{Payload: make([]byte, 64<<10)}
			for {
				if err := stream.SendMsg(blob); err != nil {
					return err
				}
			}
		},
	}},
}

// BenchmarkStream receives blobs of 64 KiB on one stream.
func BenchmarkStream(b *testing.B) {
	spec := flogging.Global.Spec()
	flogging.ActivateSpec("error")
	b.Cleanup(func() { flogging.ActivateSpec(spec) })
	org := newPKI(b)
	eachMode(b, func(b *testing.B, mode ClientMode) {
		so := org.node(b).options()
		so.ServerMode, so.RequireClientCert = ModeDual, true
		server, err := NewGRPCServer("127.0.0.1:0", ServerConfig{SecOpts: so, KaOpts: DefaultKeepaliveOptions})
		require.NoError(b, err)
		server.Server().RegisterService(&blobDesc, nil)
		go server.Start()
		b.Cleanup(server.Stop)
		co := org.node(b).options()
		co.ClientMode, co.RequireClientCert = mode, true
		conn, err := dial(b, server.Address(), co)
		require.NoError(b, err)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		stream, err := conn.NewStream(ctx, &blobDesc.Streams[0], "/bench.Blobs/Pull")
		require.NoError(b, err)
		require.NoError(b, stream.CloseSend())
		b.SetBytes(64 << 10)
		for b.Loop() {
			require.NoError(b, stream.RecvMsg(new(testpb.Echo)))
		}
	})
}
