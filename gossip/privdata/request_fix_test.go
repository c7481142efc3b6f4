// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	protosgossip "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go/peer"
	protostransientstore "github.com/hyperledger/fabric-protos-go/transientstore"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/core/committer"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/transientstore"
	"github.com/hyperledger/fabric/gossip/comm"
	"github.com/hyperledger/fabric/gossip/common"
	privdatacommon "github.com/hyperledger/fabric/gossip/privdata/common"
	"github.com/hyperledger/fabric/gossip/privdata/mocks"
	"github.com/hyperledger/fabric/gossip/protoext"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
)

const height = 1000 // of the ledger of the peer that is asked

// pastBlocks is a ledger whose blocks all have the same private data.
type pastBlocks struct {
	committer.Committer
	data []*ledger.TxPvtData
	read func()
}

func (*pastBlocks) LedgerHeight() (uint64, error) { return height, nil }

func (b *pastBlocks) GetPvtDataByNum(uint64, ledger.PvtNsCollFilter) ([]*ledger.TxPvtData, error) {
	b.read()
	return b.data, nil
}

func (*pastBlocks) GetConfigHistoryRetriever() (ledger.ConfigHistoryRetriever, error) {
	history := &mocks.ConfigHistoryRetriever{}
	history.On("MostRecentCollectionConfigBelow", mock.Anything, "cc").Return(newCollectionConfig("coll"), nil)
	return history, nil
}

// writeSets are n write sets of some bytes, one for each transaction of a block.
func writeSets(n, bytes int) []*ledger.TxPvtData {
	var all []*ledger.TxPvtData
	for i := range n {
		all = append(all, &ledger.TxPvtData{SeqInBlock: uint64(i), WriteSet: &rwset.TxPvtReadWriteSet{
			NsPvtRwset: []*rwset.NsPvtReadWriteSet{pvtReadWriteSet("cc", "coll", make([]byte, bytes))},
		}})
	}
	return all
}

// asker sends requests to a puller of the peer "asked", whose collection has the member "member" today and had "past".
type asker struct {
	t       *testing.T
	network *gossipNetwork
	ledger  *pastBlocks
	store   *transientstore.Store
	asked   *puller
}

func newAsker(t *testing.T, data []*ledger.TxPvtData) *asker {
	provider, err := transientstore.NewStoreProvider(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(provider.Close)
	store, err := provider.OpenStore("A")
	require.NoError(t, err)
	today := newCollectionStore().withPolicy("coll", 0).thatMapsTo("member", "asked")
	once := &mocks.CollectionAccessPolicy{}
	Setup(once, 1, 2, func(d protoutil.SignedData) bool {
		return bytes.Equal(d.Identity, []byte("past")) || bytes.Equal(d.Identity, []byte("member"))
	}, nil, false)
	factory := &mocks.CollectionAccessFactory{}
	factory.On("AccessPolicy", mock.Anything, mock.Anything).Return(once, nil)
	a := &asker{t: t, network: &gossipNetwork{}, ledger: &pastBlocks{data: data, read: func() {}}, store: store}
	a.asked = a.network.newPuller("asked", today, factory)
	a.asked.PrivateDataRetriever = NewDataRetriever("A", store, a.ledger)
	return a
}

func request(digests []*protosgossip.PvtDataDigest) *protosgossip.GossipMessage {
	return &protosgossip.GossipMessage{Channel: []byte("A"), Content: &protosgossip.GossipMessage_PrivateReq{
		PrivateReq: &protosgossip.RemotePvtDataRequest{Digests: digests},
	}}
}

// identified is a message whose sender has a PKI-ID.
type identified struct{ *receivedMsg }

func (m identified) GetConnectionInfo() *protoext.ConnectionInfo {
	info := m.receivedMsg.GetConnectionInfo()
	info.ID = m.PKIID
	return info
}

// ask sends a request, and returns where its answer comes.
func (a *asker) ask(who string, digests []*protosgossip.PvtDataDigest) <-chan protoext.ReceivedMessage {
	message, err := protoext.NoopSign(request(digests))
	require.NoError(a.t, err)
	answers := make(chan protoext.ReceivedMessage, 1)
	asked := a.network.peers[0]
	asked.msgChan <- identified{&receivedMsg{
		RemotePeer: &comm.RemotePeer{PKIID: common.PKIidType(who)}, SignedGossipMessage: message, responseChan: answers,
	}}
	return answers
}

func (a *asker) answer(who string, digests []*protosgossip.PvtDataDigest) []*protosgossip.PvtDataElement {
	select {
	case m := <-a.ask(who, digests):
		return m.GetGossipMessage().GetPrivateRes().Elements
	case <-time.After(responseWaitTime):
		a.t.Fatal("there is no answer as long as a peer waits for one")
		return nil
	}
}

// wanted are n digests, each changed.
func wanted(n int, change func(d *protosgossip.PvtDataDigest, i int)) []*protosgossip.PvtDataDigest {
	var all []*protosgossip.PvtDataDigest
	for i := range n {
		d := &protosgossip.PvtDataDigest{TxId: "tx", Namespace: "cc", Collection: "coll", BlockSeq: 5}
		change(d, i)
		all = append(all, d)
	}
	return all
}

func bySeq(d *protosgossip.PvtDataDigest, i int) { d.SeqInBlock = uint64(i) }

// TestRequestsForMuch: what a request names often or beyond the bounds is left out.
func TestRequestsForMuch(t *testing.T) {
	a := newAsker(t, writeSets(1, 1<<20))
	require.Len(t, a.answer("member", wanted(300, func(d *protosgossip.PvtDataDigest, i int) { d.TxId = fmt.Sprint(i) })), 1)

	many := wanted(maxDigests+1, bySeq)
	many[0], many[maxDigests] = many[maxDigests], many[0] // the one that is there
	require.Empty(t, a.answer("member", many))
	require.Len(t, a.answer("member", many[1:]), 1)

	a.ledger.read = func() { time.Sleep(100 * time.Millisecond) }
	some := a.answer("member", wanted(500, func(d *protosgossip.PvtDataDigest, i int) { d.BlockSeq = uint64(i) }))
	require.NotEmpty(t, some)
	require.Less(t, len(some), 50)
}

// TestLargeAnswers: an answer is bounded, and who asks again for what did not come gets all of it, from ledger and transient store.
func TestLargeAnswers(t *testing.T) {
	const n = 60 // MiB, more than an answer may have
	for name, block := range map[string]uint64{"ledger": 5, "transient store": height} {
		t.Run(name, func(t *testing.T) {
			a := newAsker(t, writeSets(n, 1<<20))
			missing := make(map[privdatacommon.DigKey]bool)
			for i, set := range a.ledger.data {
				tx := fmt.Sprint(i)
				missing[privdatacommon.DigKey{TxId: tx, Namespace: "cc", Collection: "coll", BlockSeq: block, SeqInBlock: uint64(i)}] = true
				require.NoError(t, a.store.Persist(tx, 1, &protostransientstore.TxPvtReadWriteSetWithConfigInfo{
					PvtRwset:          set.WriteSet,
					CollectionConfigs: map[string]*peer.CollectionConfigPackage{"cc": newCollectionConfig("coll").CollectionConfig},
				}))
			}
			member := a.network.newPuller("member", newCollectionStore().withPolicy("coll", 0).thatMapsTo("asked"), nil,
				membership(peerData{"asked", height})...)
			for round := 0; len(missing) > 0; round++ {
				require.Less(t, round, 10)
				sources := make(dig2sources)
				for key := range missing {
					sources[key] = nil
				}
				fetched, err := member.fetch(sources)
				require.NoError(t, err)
				require.NotEmpty(t, fetched.AvailableElements)
				require.LessOrEqual(t, len(fetched.AvailableElements), maxAnswer>>20)
				for _, e := range fetched.AvailableElements {
					delete(missing, *toDigKey(e.Digest))
				}
			}
		})
	}
}

// TestTooLargeToArrive: a write set that no message can have does not take the place of others in an answer, and answers are as large as a message at most.
func TestTooLargeToArrive(t *testing.T) {
	defer viper.Set("peer.maxSendMsgSize", viper.Get("peer.maxSendMsgSize"))
	viper.Set("peer.maxSendMsgSize", 1<<20)
	a := newAsker(t, append(writeSets(3, 1<<20), writeSets(10, 400<<10)[3:]...))
	require.Empty(t, a.answer("member", wanted(3, bySeq)))
	require.Len(t, a.answer("member", wanted(4, bySeq)), 1)
	require.Len(t, a.answer("member", wanted(10, bySeq)), 2)
}

// TestUndefinedCollection: a digest of a collection that was not defined at the block does not keep the others of the block from who asks.
func TestUndefinedCollection(t *testing.T) {
	a := newAsker(t, writeSets(2, 1))
	logger, lines := floggingtest.NewTestLogger(t)
	a.asked.PrivateDataRetriever.(*dataRetriever).logger = logger
	a.asked.cs = newCollectionStore().withPolicy("coll", 0).thatMapsTo("member", "asked").withPolicy("later", 0).thatMapsTo("member", "asked")
	digests := wanted(2, bySeq)
	for i := range 2 * loglimit.Burst {
		digests = append(digests, &protosgossip.PvtDataDigest{TxId: "tx", Namespace: "cc", Collection: "later", BlockSeq: 5, SeqInBlock: uint64(i)})
	}
	require.Len(t, a.answer("member", digests), 2)
	require.Empty(t, a.answer("member", digests[2:]))
	warnings := lines.MessagesContaining("is sent: it has no definition")
	require.NotEmpty(t, warnings)
	require.Less(t, len(warnings), 2*loglimit.Burst)
	require.Contains(t, warnings[0], `collection "later" of chaincode "cc"`)
}

// TestRequestsOfStrangers: of a collection, nothing is read for others than its members of today or of the block.
func TestRequestsOfStrangers(t *testing.T) {
	for who, reads := range map[string]int{"stranger": 0, "past": 1, "member": 1} {
		t.Run(who, func(t *testing.T) {
			a := newAsker(t, writeSets(1, 1))
			read := 0
			a.ledger.read = func() { read++ }
			require.Len(t, a.answer(who, wanted(1, bySeq)), reads)
			require.Equal(t, reads, read)
		})
	}
}

// TestRequestsBesideAnswers: while a peer reads for others, it takes the answers that it waits for, and no further requests of
// the same peer.
func TestRequestsBesideAnswers(t *testing.T) {
	a := newAsker(t, writeSets(1, 1))
	reading, free := make(chan struct{}, 10), make(chan struct{})
	a.ledger.read = func() {
		reading <- struct{}{}
		<-free
	}
	var answers []<-chan protoext.ReceivedMessage
	for range requestsAtOnce {
		answers = append(answers, a.ask("member", wanted(1, bySeq)))
		<-reading
	}
	third := a.ask("member", wanted(1, bySeq))

	digest := wanted(1, bySeq)[0]
	topic, err := hashDigest(digest)
	require.NoError(t, err)
	waiting := a.asked.pubSub.Subscribe(answerTo(0, topic), responseWaitTime)
	from := newMockGossip(&comm.RemotePeer{PKIID: common.PKIidType("other")})
	from.network = a.network
	from.Send(&protosgossip.GossipMessage{Channel: []byte("A"), Content: &protosgossip.GossipMessage_PrivateRes{
		PrivateRes: &protosgossip.RemotePvtDataResponse{Elements: []*protosgossip.PvtDataElement{{Digest: digest}}},
	}}, &comm.RemotePeer{PKIID: common.PKIidType("asked")})
	_, err = waiting.Listen()
	require.NoError(t, err, "an answer waits for the requests of others")

	close(free)
	for _, answer := range answers {
		select {
		case <-answer:
		case <-time.After(responseWaitTime):
			t.Fatal("a request is not answered")
		}
	}
	require.Empty(t, reading)
	require.Empty(t, third)
	require.Len(t, a.answer("member", wanted(1, bySeq)), 1, "the peer that asked too often is not answered afterwards")
}

// TestRequestsAtOnce: a peer that asks often at a time is answered some requests, and others are answered meanwhile.
func TestRequestsAtOnce(t *testing.T) {
	a := newAsker(t, writeSets(1, 1))
	reading, free := make(chan struct{}, 100), make(chan struct{})
	a.ledger.read = func() {
		reading <- struct{}{}
		<-free
	}
	for range 10 {
		a.ask("member", wanted(1, bySeq))
	}
	other := a.ask("past", wanted(1, bySeq))
	for range requestsAtOnce + 1 {
		select {
		case <-reading:
		case <-time.After(20 * time.Second):
			t.Fatal("one of the requests waits for others")
		}
	}
	select {
	case <-reading:
		t.Error("more requests of one peer are answered at a time")
	case <-time.After(200 * time.Millisecond):
	}
	close(free)
	select {
	case <-other:
	case <-time.After(responseWaitTime):
		t.Fatal("the other peer is not answered")
	}
}
