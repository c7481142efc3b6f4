// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"maps"
	"sync"
	"time"

	"github.com/golang/protobuf/proto"
	protosgossip "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/loglimit"
	privdatacommon "github.com/hyperledger/fabric/gossip/privdata/common"
	"github.com/hyperledger/fabric/gossip/protoext"
	"github.com/hyperledger/fabric/gossip/util"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/protoutil"
)

// Bounds of an answer to a request for private data. A peer asks for what a block lacks, or a few blocks of its past
// (peer.gossip.pvtData.reconcileBatchSize). Nothing bounds what an honest peer may lack, so a request beyond these bounds is
// answered as far as they go: who asks, asks again for what did not come.
const (
	maxDigests     = 10_000
	maxAnswer      = 50 << 20             // bytes: half of what a peer takes in one message by default
	maxAround      = 4 << 10              // bytes of a message around the write sets
	answerTime     = responseWaitTime / 2 // who asks waits no longer than responseWaitTime
	requestsAtOnce = 2                    // of one peer: it commits a block, and reconciles others
)

// leftOut limits the lines about what is left out of answers.
var leftOut loglimit.Limit

//fork:fields fix: requests for private data that are being answered, by the peer that asks
type puller struct {
	answeringLock sync.Mutex
	answering     map[string]int
}

// handleRequest answers beside the goroutine that takes all messages, because the answers that the commit of a block waits for
// are among these. A peer that asks for more while it is being answered gets nothing.
//
//fork:wrap fix: the answers that a peer waits for do not wait for the requests of others
func (p *puller) handleRequest(message protoext.ReceivedMessage) {
	who := string(message.GetConnectionInfo().ID)
	p.answeringLock.Lock()
	defer p.answeringLock.Unlock()
	if p.answering[who] >= requestsAtOnce {
		p.logger.Warningf("A request of %s for private data is not answered: %d others of it are being answered. It may ask again afterwards",
			message.GetConnectionInfo().Endpoint, requestsAtOnce)
		return
	}
	if p.answering == nil {
		p.answering = make(map[string]int)
	}
	p.answering[who]++
	go func() {
		defer p.answered(who)
		p.upstreamHandleRequest(message)
	}()
}

func (p *puller) answered(who string) {
	p.answeringLock.Lock()
	defer p.answeringLock.Unlock()
	if p.answering[who]--; p.answering[who] == 0 {
		delete(p.answering, who)
	}
}

// part is a request for some of the digests of a message.
type part struct {
	protoext.ReceivedMessage
	digests []*protosgossip.PvtDataDigest
}

func (r part) GetGossipMessage() *protoext.SignedGossipMessage {
	return &protoext.SignedGossipMessage{GossipMessage: &protosgossip.GossipMessage{
		Content: &protosgossip.GossipMessage_PrivateReq{PrivateReq: &protosgossip.RemotePvtDataRequest{Digests: r.digests}},
	}}
}

// createResponse reads block by block what the peer that asks may have, until the answer is large enough or has taken too long. A write set that
// no message can have is left out: the connection would end, and nothing beside it arrive.
//
//fork:wrap fix: a request for private data cannot make a peer read or send without bound
func (p *puller) createResponse(message protoext.ReceivedMessage) []*protosgossip.PvtDataElement {
	end := time.Now().Add(answerTime)
	var answer []*protosgossip.PvtDataElement
	size, full, most := 0, false, util.GetIntOrDefault("peer.maxSendMsgSize", comm.DefaultMaxSendMsgSize)-maxAround
	for _, digests := range groupDigestsByBlockNum(p.allowed(message, end)) {
		if full || time.Now().After(end) {
			break
		}
		for _, element := range p.upstreamCreateResponse(part{message, digests}) {
			more := proto.Size(element)
			if more > most {
				if ok, note := leftOut.Allow(time.Now()); ok {
					p.logger.Warningf("The private data of transaction %d of block %d, chaincode %s, collection %s are not sent: they have %d bytes, more than "+
						"the %d of a message (peer.maxSendMsgSize)%s", element.Digest.SeqInBlock, element.Digest.BlockSeq,
						loglimit.Quoted(element.Digest.Namespace), loglimit.Quoted(element.Digest.Collection), more, most, note)
				}
				continue
			}
			if full = len(answer) > 0 && size+more > min(maxAnswer, most); full {
				break
			}
			answer, size = append(answer, element), size+more
		}
	}
	return answer
}

// allowed returns the digests of a request that are answered: each once, whatever transaction they name, and only of
// collections whose members the peer that asks belongs to, by their definition of today or of the block.
func (p *puller) allowed(message protoext.ReceivedMessage, end time.Time) []*protosgossip.PvtDataDigest {
	asked := message.GetGossipMessage().GetPrivateReq().Digests
	var allowed []*protosgossip.PvtDataDigest
	seen := make(map[privdatacommon.DigKey]bool)
	members := make(map[privdatacommon.DigKey]bool)
	for _, d := range asked[:min(len(asked), maxDigests)] {
		if time.Now().After(end) {
			break
		}
		key := privdatacommon.DigKey{Namespace: d.Namespace, Collection: d.Collection, BlockSeq: d.BlockSeq, SeqInBlock: d.SeqInBlock}
		if seen[key] {
			continue
		}
		seen[key] = true
		key.SeqInBlock = 0
		member, known := members[key]
		if !known {
			member = p.isMember(message.GetConnectionInfo(), d)
			members[key] = member
		}
		if member {
			allowed = append(allowed, d)
		}
	}
	if len(allowed) < len(asked) {
		p.logger.Warningf("Of a request of %s for %d private data, %d are answered. Others came twice, or are of collections that it is no "+
			"member of, or are too many for one answer: it may ask for these again",
			message.GetConnectionInfo().Endpoint, len(asked), len(allowed))
	}
	return allowed
}

// isMember says whether the peer that asks is a member of a collection, by its definition of today or that of the block.
func (p *puller) isMember(asking *protoext.ConnectionInfo, d *protosgossip.PvtDataDigest) bool {
	signed := protoutil.SignedData{Identity: asking.Identity, Data: asking.Auth.SignedData, Signature: asking.Auth.Signature}
	if p.isEligibleByLatestConfig(p.channel, d.Collection, d.Namespace, signed) {
		return true
	}
	past, ok := p.PrivateDataRetriever.(interface {
		collectionAt(d *protosgossip.PvtDataDigest) *peer.CollectionConfig
	})
	if !ok {
		return false
	}
	config := past.collectionAt(d)
	if config == nil {
		return false
	}
	policy, err := p.AccessPolicy(config, p.channel)
	if err != nil || policy.AccessFilter() == nil {
		return false
	}
	return policy.AccessFilter()(signed)
}

// collectionAt returns the definition of a collection that was in force at the block of a digest; nil if there was none, or the
// peer does not have the block.
func (dr *dataRetriever) collectionAt(d *protosgossip.PvtDataDigest) *peer.CollectionConfig {
	history, err := dr.committer.GetConfigHistoryRetriever()
	if err != nil {
		return nil
	}
	info, err := history.MostRecentCollectionConfigBelow(d.BlockSeq, d.Namespace)
	if err != nil || info == nil {
		return nil
	}
	return extractCollectionConfig(info.CollectionConfig, d.Collection)
}

// fromLedgerOrSome reads what upstream reads. There, one digest of a collection that had no definition at the block fails the answer to all.
func (dr *dataRetriever) fromLedgerOrSome(digests []*protosgossip.PvtDataDigest, blockNum uint64) (Dig2PvtRWSetWithConfig, bool, error) {
	found, committed, err := dr.upstreamCollectionRWSet(digests, blockNum)
	if err != nil && len(digests) > 1 {
		if some := dr.defined(digests); len(some) > 0 && len(some) < len(digests) {
			return dr.upstreamCollectionRWSet(some, blockNum)
		}
	}
	return found, committed, err
}

// defined leaves out digests of collections that had no definition at their block.
func (dr *dataRetriever) defined(digests []*protosgossip.PvtDataDigest) []*protosgossip.PvtDataDigest {
	var defined []*protosgossip.PvtDataDigest
	known := make(map[privdatacommon.DigKey]bool)
	for _, d := range digests {
		key := privdatacommon.DigKey{Namespace: d.Namespace, Collection: d.Collection, BlockSeq: d.BlockSeq}
		has, ok := known[key]
		if !ok {
			has = dr.collectionAt(d) != nil
			known[key] = has
		}
		if has {
			defined = append(defined, d)
		} else if ok, note := leftOut.Allow(time.Now()); ok {
			dr.logger.Warningf("No private data of collection %s of chaincode %s is sent: it has no definition that can be read and was in force at block %d%s",
				loglimit.Quoted(d.Collection), loglimit.Quoted(d.Namespace), d.BlockSeq, note)
		}
	}
	return defined
}

// CollectionRWSet reads from the ledger as upstream does. Of the transient store, where members can put as much as they like, it
// reads no more than an answer can hold, and no longer.
//
//fork:wrap fix: a request for private data does not bring all of the transient store into memory
func (dr *dataRetriever) CollectionRWSet(digests []*protosgossip.PvtDataDigest, blockNum uint64) (Dig2PvtRWSetWithConfig, bool, error) {
	height, err := dr.committer.LedgerHeight()
	if err != nil || height > blockNum {
		return dr.fromLedgerOrSome(digests, blockNum)
	}
	results, size, end := make(Dig2PvtRWSetWithConfig), 0, time.Now().Add(answerTime)
	for i := range digests {
		found, committed, err := dr.upstreamCollectionRWSet(digests[i:i+1], blockNum)
		if err != nil {
			return nil, false, err
		}
		if committed { // meanwhile; what is missing is asked for again
			break
		}
		maps.Copy(results, found)
		for _, data := range found {
			for _, writes := range data.RWSet {
				size += len(writes)
			}
		}
		if size > maxAnswer || time.Now().After(end) {
			break
		}
	}
	return results, false, nil
}
