// SPDX-License-Identifier: Apache-2.0

package chaincode_test

import (
	"testing"
	"time"

	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/core/chaincode"
	"github.com/hyperledger/fabric/core/chaincode/fake"
	"github.com/hyperledger/fabric/core/chaincode/mock"
	"github.com/stretchr/testify/require"
)

// A panic in serving a request is answered as any error is, and the transaction is deregistered.
func TestPanicInARequestIsAnError(t *testing.T) {
	stream, registry, contexts := &mock.ChaincodeStream{}, &mock.TransactionRegistry{}, &fake.ContextRegistry{}
	registry.AddReturns(true)
	contexts.GetReturns(&chaincode.TransactionContext{TXSimulator: &mock.TxSimulator{}})
	sent := make(chan *pb.ChaincodeMessage, 1)
	stream.SendCalls(func(msg *pb.ChaincodeMessage) error { sent <- msg; return nil })
	handler := &chaincode.Handler{
		ActiveTransactions: registry, TXContexts: contexts,
		Metrics: chaincode.NewHandlerMetrics(&disabled.Provider{}),
	}
	chaincode.SetHandlerChatStream(handler, stream)

	request := &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_QUERY_STATE_NEXT, Txid: "transaction", ChannelId: "channel"}
	require.NotPanics(t, func() {
		handler.HandleTransaction(request, func(*pb.ChaincodeMessage, *chaincode.TransactionContext) (*pb.ChaincodeMessage, error) {
			var closed *pb.ChaincodeMessage
			return &pb.ChaincodeMessage{Txid: closed.Txid}, nil
		})
	})
	select {
	case answer := <-sent:
		require.Equal(t, pb.ChaincodeMessage_ERROR, answer.Type)
		require.Equal(t, "QUERY_STATE_NEXT failed: transaction ID: transaction: the peer failed to serve the request", string(answer.Payload))
		require.Equal(t, "channel", answer.ChannelId)
	case <-time.After(30 * time.Second):
		require.FailNow(t, "no answer")
	}
	require.Equal(t, 1, registry.RemoveCallCount())
}
