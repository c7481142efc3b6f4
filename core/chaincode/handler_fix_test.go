// SPDX-License-Identifier: Apache-2.0

package chaincode_test

import (
	"testing"
	"time"

	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/metrics/metricsfakes"
	"github.com/hyperledger/fabric/core/chaincode"
	"github.com/hyperledger/fabric/core/chaincode/fake"
	"github.com/hyperledger/fabric/core/chaincode/mock"
	"github.com/stretchr/testify/require"
)

// A panic in serving a request, and a request that names no chaincode, are answered and counted as any error is, and the
// transaction is deregistered.
func TestRequestsThatPanic(t *testing.T) {
	panics := func(*pb.ChaincodeMessage, *chaincode.TransactionContext) (*pb.ChaincodeMessage, error) {
		var closed *pb.ChaincodeMessage
		return &pb.ChaincodeMessage{Txid: closed.Txid}, nil
	}
	for _, test := range []struct {
		request *pb.ChaincodeMessage
		answer  string
	}{
		{&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_QUERY_STATE_NEXT, ChannelId: "channel"}, "the peer failed to serve the request"},
		{&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_INVOKE_CHAINCODE, ChannelId: "channel"}, "the peer failed to serve the request"},
		{&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_INVOKE_CHAINCODE}, "the request names no chaincode"},
	} {
		t.Run(test.request.Type.String()+" "+test.request.ChannelId, func(t *testing.T) {
			stream, registry, contexts := &mock.ChaincodeStream{}, &mock.TransactionRegistry{}, &fake.ContextRegistry{}
			registry.AddReturns(true)
			contexts.GetReturns(&chaincode.TransactionContext{TXSimulator: &mock.TxSimulator{}})
			sent := make(chan *pb.ChaincodeMessage, 1)
			stream.SendCalls(func(msg *pb.ChaincodeMessage) error { sent <- msg; return nil })
			received, completed, duration := &metricsfakes.Counter{}, &metricsfakes.Counter{}, &metricsfakes.Histogram{}
			received.WithReturns(received)
			completed.WithReturns(completed)
			duration.WithReturns(duration)
			handler := &chaincode.Handler{
				ActiveTransactions: registry, TXContexts: contexts,
				Metrics: &chaincode.HandlerMetrics{ShimRequestsReceived: received, ShimRequestsCompleted: completed, ShimRequestDuration: duration},
			}
			chaincode.SetHandlerChatStream(handler, stream)

			test.request.Txid = "transaction"
			require.NotPanics(t, func() { handler.HandleTransaction(test.request, panics) })
			select {
			case answer := <-sent:
				require.Equal(t, pb.ChaincodeMessage_ERROR, answer.Type)
				require.Equal(t, test.request.Type.String()+" failed: transaction ID: transaction: "+test.answer, string(answer.Payload))
				require.Equal(t, test.request.ChannelId, answer.ChannelId)
			case <-time.After(30 * time.Second):
				require.FailNow(t, "no answer")
			}
			require.Equal(t, 1, registry.RemoveCallCount())
			require.Equal(t, 1, received.AddCallCount())
			require.Equal(t, 1, completed.AddCallCount())
			require.Equal(t, []string{"success", "false"}, completed.WithArgsForCall(0)[6:])
		})
	}
}
