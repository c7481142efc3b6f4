// SPDX-License-Identifier: Apache-2.0

//fork:file fix: what a leader has accepted reaches the next leader

package etcdraft_test

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer"
	raftprotos "github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/protoutil"
	. "github.com/onsi/gomega"
	"go.etcd.io/etcd/raft/v3/raftpb"
)

// threeConsenters is upstream's simulated network with three of them; the first leads. Those of cutting make a block of each transaction,
// the others leave it in the cutter.
func threeConsenters(t *testing.T, cutting ...uint64) *network {
	t.Helper()
	RegisterTestingT(t)
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	Expect(err).NotTo(HaveOccurred())
	ca, err := tlsgen.NewCA()
	Expect(err).NotTo(HaveOccurred())
	metadata := &raftprotos.BlockMetadata{ConsenterIds: []uint64{1, 2, 3}, NextConsenterId: 4}
	consenters := map[uint64]*raftprotos.Consenter{}
	for i, c := range createMetadata(3, ca).Consenters {
		consenters[uint64(i+1)] = c
	}
	n := handoverNetwork(t, metadata, consenters, provider, ca)
	n.exec(cutEach, cutting...)
	n.init()
	n.start()
	t.Cleanup(func() { n.stop() })
	n.elect(1)
	return n
}

func transaction(text string) *common.Envelope {
	return &common.Envelope{Payload: protoutil.MarshalOrPanic(&common.Payload{
		Header: &common.Header{ChannelHeader: protoutil.MarshalOrPanic(&common.ChannelHeader{Type: int32(common.HeaderType_MESSAGE), ChannelId: "handover"})},
		Data:   []byte(text),
	})}
}

// written are the transactions in a node's blocks behind the first, in order.
func (c *chain) written() []string {
	var list []string
	for i := range c.support.WriteBlockCallCount() {
		block, _ := c.support.WriteBlockArgsForCall(i)
		for _, data := range block.Data.Data {
			envelope, err := protoutil.UnmarshalEnvelope(data)
			Expect(err).NotTo(HaveOccurred())
			payload, err := protoutil.UnmarshalPayload(envelope.Payload)
			Expect(err).NotTo(HaveOccurred())
			list = append(list, string(payload.Data))
		}
	}
	return list
}

// TestHandOver: a leader that is asked to stop gives its leadership to another, and what it had accepted is written by that one.
func TestHandOver(t *testing.T) {
	n := threeConsenters(t, 2, 3)
	leader := n.chains[1]
	for _, text := range []string{"one", "two"} {
		Expect(leader.Order(transaction(text), 0)).To(Succeed())
	}
	Eventually(leader.cutter.CurBatch, LongEventualTimeout).Should(HaveLen(2))

	leader.HandOver()
	for id, c := range n.chains {
		Eventually(c.written, LongEventualTimeout).Should(Equal([]string{"one", "two"}), "node %d", id)
	}
}

// TestHandOverOfFollower: only a leader has something to hand over.
func TestHandOverOfFollower(t *testing.T) {
	n := threeConsenters(t, 2, 3)
	n.chains[2].HandOver()
	Expect(n.chains[1].Order(transaction("still led by the first"), 0)).To(Succeed())
	Eventually(n.chains[1].cutter.CurBatch, LongEventualTimeout).Should(HaveLen(1))
}

// TestProposalDuringFailedTransfer: raft drops proposals while leadership is being transferred. When the transfer fails, the leader
// continues with the block that was dropped.
func TestProposalDuringFailedTransfer(t *testing.T) {
	n := threeConsenters(t, 1, 2, 3)
	leader := n.chains[1]
	step := leader.getStepFunc()
	asked := make(chan struct{}, 16)
	leader.setStepFunc(func(dest uint64, request *orderer.ConsensusRequest) error {
		m := &raftpb.Message{}
		if err := m.Unmarshal(request.Payload); err == nil && m.Type == raftpb.MsgTimeoutNow {
			asked <- struct{}{}
			return nil // never arrives
		}
		return step(dest, request)
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		leader.HandOver()
	}()
	Eventually(asked, LongEventualTimeout).Should(Receive())
	Expect(leader.Order(transaction("one"), 0)).To(Succeed())
	Eventually(func() []string {
		leader.clock.Increment(interval) // the transfer is given up after an election timeout
		return leader.written()
	}, LongEventualTimeout, interval).Should(Equal([]string{"one"}))
	Eventually(done, LongEventualTimeout).Should(BeClosed())
	Expect(leader.Order(transaction("two"), 0)).To(Succeed())
	Eventually(leader.written, LongEventualTimeout).Should(Equal([]string{"one", "two"}))
}
