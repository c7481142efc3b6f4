// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"strconv"

	protosgossip "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/protoutil"
)

// Any member of the channel can push private data of any transaction to others, which hand all of it on to who asks. So what is wrong in an
// answer must not take the place of what is right, and nobody answers who was not asked.

// unguessable is a number that only the peer knows that is asked with it. It is not 0.
func unguessable() uint64 {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err)
	}
	return binary.BigEndian.Uint64(b[:]) | 1
}

// answerTo is the topic of an answer to one request: the digests are no secret. No request has the number 0.
func answerTo(nonce uint64, digest string) string {
	return strconv.FormatUint(nonce, 16) + digest
}

// right returns what an element has of the private data that a block lacks: those with the hash in the block, or else all that it has.
func (i *pvtdataRetrievalInfo) right(element *protosgossip.PvtDataElement) [][]byte {
	d := element.Digest
	expected := i.expectedHashes[rwSetKey{txID: d.TxId, seqInBlock: d.SeqInBlock, namespace: d.Namespace, collection: d.Collection}]
	for _, data := range element.Payload {
		if bytes.Equal(expected, i.hash.Sum(data)) {
			return [][]byte{data}
		}
	}
	return element.Payload
}

// filterNotEligible leaves out what the peer that asks may not have. Members by the ledger may have it: the definition that came with a push
// is the sender's word, and counts only for who is a member by that of the block (allowed in request_fix.go).
//
//fork:wrap fix: a member that pushes a false definition of a collection keeps no private data from others
func (p *puller) filterNotEligible(found Dig2PvtRWSetWithConfig, _ bool, asking protoutil.SignedData, endpoint string) []*protosgossip.PvtDataElement {
	return p.upstreamFilterNotEligible(found, true, asking, endpoint)
}

// populateFromCache takes private data that another peer sent along with the block. Where these are wrong, this peer may have got the right
// ones before.
//
//fork:wrap fix: wrong private data beside a block do not take the place of the right ones in the transient store
func (pdp *PvtdataProvider) populateFromCache(found rwsetByKeys, info *pvtdataRetrievalInfo, wanted []*ledger.TxPvtdataInfo) {
	pdp.upstreamPopulateFromCache(found, info, wanted)
	wrong := *info
	wrong.remainingEligibleMissingKeys = info.resolvedAsToReconcileLater // what is found leaves it
	pdp.populateFromTransientStore(found, &wrong)
}
