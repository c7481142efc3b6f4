// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"github.com/hyperledger/fabric/gossip/protoext"
	"github.com/hyperledger/fabric/gossip/util"
)

// supersede keeps what a member says of itself in place of what it said before. The members are told first: between the end of
// the old message and the new one, nobody would be found to endorse in the member's place.
func (cache *stateInfoCache) supersede(msg *protoext.SignedGossipMessage) bool {
	cache.adding.Lock()
	defer cache.adding.Unlock()
	if !cache.MessageStore.CheckValid(msg) { // a newer one came since it was verified
		return false
	}
	cache.MembershipStore.Put(msg.GetStateInfo().PkiId, msg)
	return cache.MessageStore.Add(msg)
}

// removeUnlessSuperseded takes a member away whose last message is given up, and leaves one that has a newer message.
func removeUnlessSuperseded(members *util.MembershipStore, last *protoext.SignedGossipMessage) {
	if id := last.GetStateInfo().PkiId; members.MsgByID(id) == last {
		members.Remove(id)
	}
}
