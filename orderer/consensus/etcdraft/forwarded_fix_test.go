// SPDX-License-Identifier: Apache-2.0

package etcdraft_test

import (
	"errors"
	"math"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer"
	. "github.com/onsi/gomega"

	"github.com/hyperledger/fabric/protoutil"
)

func configuration() *common.Envelope {
	return &common.Envelope{Payload: protoutil.MarshalOrPanic(&common.Payload{
		Header: &common.Header{ChannelHeader: protoutil.MarshalOrPanic(&common.ChannelHeader{Type: int32(common.HeaderType_CONFIG), ChannelId: "handover"})},
		Data:   []byte("configuration"),
	})}
}

// accepted is how a simulated node validates a configuration.
func accepted(configuration *common.Envelope) (*common.Envelope, uint64, error) {
	return configuration, 0, nil
}

// TestForwardedConfigurationIsValidated: whatever another consenter says of a configuration, the leader validates it itself, and orders
// what it has made of it. At sequence 0 no number is too low.
func TestForwardedConfigurationIsValidated(t *testing.T) {
	n := threeConsenters(t, 1, 2, 3)
	leader := n.chains[1]
	for _, seq := range []uint64{0, 3} {
		leader.support.SequenceReturns(seq)
		leader.support.ProcessConfigMsgReturns(nil, 0, errors.New("not signed"))
		for _, claimed := range []uint64{0, math.MaxUint64} {
			Expect(leader.Submit(&orderer.SubmitRequest{Channel: "handover", Payload: configuration(), LastValidationSeq: claimed}, 2)).To(Succeed())
		}
	}
	leader.support.ProcessConfigMsgReturns(transaction("validated"), 3, nil)
	Expect(leader.Submit(&orderer.SubmitRequest{Channel: "handover", Payload: configuration(), LastValidationSeq: math.MaxUint64}, 2)).To(Succeed())
	for id, c := range n.chains {
		Eventually(c.written, LongEventualTimeout).Should(Equal([]string{"validated"}), "node %d", id)
		Expect(c.support.WriteConfigBlockCallCount()).To(BeZero(), "node %d", id)
	}
}
