// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"testing"

	proto "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric-protos-go/transientstore"
	"github.com/hyperledger/fabric/gossip/protoext"
	"github.com/hyperledger/fabric/gossip/util"
	"github.com/stretchr/testify/require"
)

// full is a ledger that cannot store private data, if err is set.
type full struct {
	ledgerResources
	err error
}

func (f full) StorePvtData(string, *transientstore.TxPvtReadWriteSetWithConfigInfo, uint64) error {
	return f.err
}

// acknowledged is a message that notes the answers to it.
type acknowledged struct {
	protoext.ReceivedMessage
	message *protoext.SignedGossipMessage
	answers []error
}

func (a *acknowledged) GetGossipMessage() *protoext.SignedGossipMessage { return a.message }

func (a *acknowledged) Ack(err error) { a.answers = append(a.answers, err) }

// TestAcknowledgedOnce: private data that could not be stored is refused and not acknowledged; who sends it counts the
// acknowledgements to know that enough peers have the data.
func TestAcknowledgedOnce(t *testing.T) {
	for name, err := range map[string]error{"stored": nil, "refused": errors.New("no space left on device")} {
		t.Run(name, func(t *testing.T) {
			m := &acknowledged{message: &protoext.SignedGossipMessage{GossipMessage: &proto.GossipMessage{
				Channel: []byte("mine"), Content: &proto.GossipMessage_PrivateData{PrivateData: &proto.PrivateDataMessage{
					Payload: &proto.PrivatePayload{Namespace: "ns", CollectionName: "coll", TxId: "tx", PrivateRwset: []byte("set")},
				}},
			}}}
			s := &GossipStateProviderImpl{logger: util.GetLogger("acknowledged", ""), chainID: "mine", ledger: full{err: err}}
			s.privateDataMessage(m)
			require.Equal(t, []error{err}, m.answers)
		})
	}
}
