// SPDX-License-Identifier: Apache-2.0

package smartbft_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger-labs/SmartBFT/smartbftprotos"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/protoutil"
)

// key signs as the consenter whose identity it is; verifying takes such signatures alone. Both stand for the MSPs, which the network of
// these tests does not have.
type key []byte

func (k key) Sign(message []byte) ([]byte, error) {
	digest := sha256.Sum256(slices.Concat(k, message))
	return digest[:], nil
}

func (k key) Serialize() ([]byte, error) { return k, nil }

// verifying keeps the view data that have verified.
type verifying struct {
	lock     sync.Mutex
	viewData []*protoutil.SignedData
}

func (v *verifying) Evaluate(set []*protoutil.SignedData) error {
	for _, signed := range set {
		expected, _ := key(signed.Identity).Sign(signed.Data)
		if !bytes.Equal(expected, signed.Signature) {
			return errors.New("bad signature")
		}
		data := &smartbftprotos.ViewData{}
		if proto.Unmarshal(signed.Data, data) == nil && data.NextView > 0 && data.LastDecision != nil {
			v.lock.Lock()
			v.viewData = append(v.viewData, signed)
			v.lock.Unlock()
		}
	}
	return nil
}

// by returns the view data of one consenter.
func (v *verifying) by(identity []byte) *protoutil.SignedData {
	v.lock.Lock()
	defer v.lock.Unlock()
	for _, signed := range v.viewData {
		if bytes.Equal(signed.Identity, identity) {
			return signed
		}
	}
	return nil
}

// newView is a leader's proof with what each of the signers says, and bad signatures.
func newView(data *smartbftprotos.ViewData, signers ...uint64) *smartbftprotos.Message {
	proof := &smartbftprotos.NewView{}
	for _, id := range signers {
		proof.SignedViewData = append(proof.SignedViewData, &smartbftprotos.SignedViewData{RawViewData: protoutil.MarshalOrPanic(data), Signer: id})
	}
	return &smartbftprotos.Message{Content: &smartbftprotos.Message_NewView{NewView: proof}}
}

func startWithKeys(t *testing.T, channel string) (*NetworkSetupInfo, map[uint64]*Node, *verifying) {
	network, nodes, verifier := createWithKeys(t, channel)
	network.StartAllNodes()
	return network, nodes, verifier
}

func createWithKeys(t *testing.T, channel string) (*NetworkSetupInfo, map[uint64]*Node, *verifying) {
	network := NewNetworkSetupInfo(t, channel, t.TempDir())
	network.configInfo.leaderHeartbeatTimeout = 5 * time.Second
	nodes := network.CreateNodes(4)
	verifier := &verifying{}
	for id, node := range nodes {
		node.Chain.UseKeys(key(node.Chain.IdentityOf(id)), verifier)
	}
	return network, nodes, verifier
}

func order(t *testing.T, network *NetworkSetupInfo, text string, height int) {
	require.NoError(t, network.SendTxToAllAvailableNodes(createEndorserTxEnvelope(text, network.channelId)))
	for _, node := range network.nodeIdToNode {
		if node.IsAvailable() {
			require.Eventually(t, func() bool { return node.State.GetLedgerHeight() == height }, time.Minute, 50*time.Millisecond)
		}
	}
}

// TestForgedNewView: a leader that makes up what others said ends nobody and changes no view. When it stops, the view changes as ever, and what
// the others then signed cannot be used again.
func TestForgedNewView(t *testing.T) {
	network, nodes, verifier := startWithKeys(t, "testchannel")
	for number, text := range []string{"one", "two"} {
		order(t, network, text, number+2)
	}
	liar := network.GetAgreedLeader()
	inFlight := &smartbftprotos.Proposal{Metadata: protoutil.MarshalOrPanic(&smartbftprotos.ViewMetadata{LatestSequence: 1})}
	for id, node := range nodes {
		if id == liar {
			continue
		}
		node.Chain.HandleMessage(liar, newView(&smartbftprotos.ViewData{LastDecision: &smartbftprotos.Proposal{}, InFlightProposal: inFlight, InFlightPrepared: true}, 1, 2, 3))
		node.Chain.HandleMessage(liar, newView(&smartbftprotos.ViewData{LastDecision: &smartbftprotos.Proposal{}}, 1, 2, 3))
	}
	order(t, network, "three", 4)
	require.Equal(t, liar, network.GetAgreedLeader())

	nodes[liar].Stop()
	others := maps.Clone(nodes)
	delete(others, liar)
	require.Eventually(t, func() bool {
		for _, node := range others {
			if node.Chain.EstablishedView() == 0 {
				return false
			}
		}
		return true
	}, time.Minute, 50*time.Millisecond)

	leader := network.GetAgreedLeader()
	replayed := newView(nil)
	for id, node := range others {
		signed := verifier.by(node.Chain.IdentityOf(id))
		require.NotNil(t, signed, "what the others signed in the change of the view")
		part := &smartbftprotos.SignedViewData{RawViewData: signed.Data, Signer: id, Signature: signed.Signature}
		replayed.GetNewView().SignedViewData = append(replayed.GetNewView().SignedViewData, part)
	}
	for number, text := range []string{"four", "five"} { // before and after a decision in the new view
		for _, node := range others {
			require.ErrorContains(t, node.Chain.CheckViewChange(leader, replayed), "it proves view 1, and view 1 is established")
			node.Chain.HandleMessage(leader, replayed)
		}
		order(t, network, text, number+5)
	}

	nodes[leader].Stop() // when it starts, it learns from its last block that there was a view 1
	restarted, err := createBFTChainUsingMocks(t, nodes[leader], network.configInfo)
	require.NoError(t, err)
	restarted.UseKeys(key(nil), verifier)
	require.ErrorContains(t, restarted.CheckViewChange(leader, replayed), "it proves view 1, and view 1 is established")
}

// TestChecksOfViewChange: each rule by itself, with signatures that verify in all cases but those about signatures.
func TestChecksOfViewChange(t *testing.T) {
	network, nodes, _ := startWithKeys(t, "testchannel")
	chain := nodes[1].Chain
	sign := func(id uint64, data *smartbftprotos.ViewData) *smartbftprotos.SignedViewData {
		raw := protoutil.MarshalOrPanic(data)
		signature, err := key(chain.IdentityOf(id)).Sign(raw)
		require.NoError(t, err)
		return &smartbftprotos.SignedViewData{RawViewData: raw, Signer: id, Signature: signature}
	}
	after := func(next, sequence uint64) *smartbftprotos.ViewData {
		return &smartbftprotos.ViewData{NextView: next, LastDecision: &smartbftprotos.Proposal{Metadata: protoutil.MarshalOrPanic(&smartbftprotos.ViewMetadata{LatestSequence: sequence})}}
	}
	viewData := func(svd *smartbftprotos.SignedViewData) *smartbftprotos.Message {
		return &smartbftprotos.Message{Content: &smartbftprotos.Message_ViewData{ViewData: svd}}
	}
	proof := func(parts ...*smartbftprotos.SignedViewData) *smartbftprotos.Message {
		return &smartbftprotos.Message{Content: &smartbftprotos.Message_NewView{NewView: &smartbftprotos.NewView{SignedViewData: parts}}}
	}
	unsigned := func(id uint64) *smartbftprotos.SignedViewData {
		return &smartbftprotos.SignedViewData{RawViewData: protoutil.MarshalOrPanic(after(1, 0)), Signer: id}
	}

	first := &smartbftprotos.ViewData{NextView: 1, LastDecision: &smartbftprotos.Proposal{}} // of a consenter that has the channel's first block only
	require.NoError(t, chain.CheckViewChange(2, viewData(sign(2, first))))
	require.ErrorContains(t, chain.CheckViewChange(2, viewData(unsigned(2))), "view data in the name of consenter 2: bad signature")
	require.ErrorContains(t, chain.CheckViewChange(2, viewData(sign(3, first))), "it bears the number of consenter 3")

	order(t, network, "one", 2)
	order(t, network, "two", 3)
	for want, m := range map[string]*smartbftprotos.Message{
		"view data of 0 consenters, and there are 4":                      proof(),
		"view data of 5 consenters, and there are 4":                      proof(sign(1, after(1, 2)), sign(2, after(1, 2)), sign(3, after(1, 2)), sign(4, after(1, 2)), sign(4, after(1, 2))),
		"view data of consenter 2 twice":                                  proof(sign(2, after(1, 2)), sign(3, after(1, 2)), sign(2, after(1, 2))),
		"view data in the name of consenter 4: bad signature":             proof(sign(2, after(1, 2)), sign(3, after(1, 2)), unsigned(4)),
		"view data in the name of consenter 9: node with id of 9 doesn't": proof(sign(2, after(1, 2)), sign(3, after(1, 2)), unsigned(9)),
		"view data for view 1 and for view 2":                             proof(sign(2, after(1, 2)), sign(3, after(2, 2))),
		"view data of consenter 3: the last decision is missing":          proof(sign(2, after(1, 2)), sign(3, &smartbftprotos.ViewData{NextView: 1})),
		"it proves view 0, and view 0 is established":                     proof(sign(2, after(0, 2)), sign(3, after(0, 2)), sign(4, after(0, 2))),
		"the last decision in it is 0, and that of this orderer is 2":     proof(sign(2, after(1, 0)), sign(3, first), sign(4, after(1, 0))),
	} {
		require.ErrorContains(t, chain.CheckViewChange(2, m), want)
	}
	behind := proof(sign(2, after(1, 1)), sign(3, after(1, 1)), sign(4, after(1, 1))) // this orderer has one decision more than the others
	require.NoError(t, chain.CheckViewChange(2, behind))
	require.ErrorContains(t, chain.CheckViewChange(2, behind), "this consenter has already proved view 1")
	require.NoError(t, chain.CheckViewChange(3, proof(sign(2, after(2, 2)), sign(3, after(2, 2)), sign(4, after(2, 2)))))
}
