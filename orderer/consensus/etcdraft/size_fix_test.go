// SPDX-License-Identifier: Apache-2.0

package etcdraft_test

import (
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/orderer"
	. "github.com/onsi/gomega"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hyperledger/fabric/orderer/consensus/etcdraft/mocks"
)

// TestForwardedMessageIsBounded: a consenter of stock Fabric forwards a message whose unknown fields it has not counted.
func TestForwardedMessageIsBounded(t *testing.T) {
	n := threeConsenters(t, 1, 2, 3)
	config := &mocks.OrdererConfig{}
	config.BatchSizeReturns(&orderer.BatchSize{AbsoluteMaxBytes: 1000})
	leader := n.chains[1]
	leader.support.SharedConfigReturns(config)

	large := transaction("large")
	wire, err := proto.Marshal(large)
	Expect(err).NotTo(HaveOccurred())
	field := protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), make([]byte, 1000))
	Expect(proto.Unmarshal(append(wire, field...), large)).To(Succeed())
	for _, from := range []uint64{2, 0} {
		Expect(leader.Submit(&orderer.SubmitRequest{Payload: large, Channel: "handover"}, from)).To(Succeed())
	}
	Expect(leader.Submit(&orderer.SubmitRequest{Channel: "handover"}, 2)).To(Succeed())
	Expect(leader.Order(transaction("small"), 0)).To(Succeed())
	for id, c := range n.chains {
		Eventually(c.written, LongEventualTimeout).Should(Equal([]string{"small"}), "node %d", id)
	}
}
