// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"sync"

	mspi "github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// Endorsers returns those whose signatures of the set are right, each once, in the order of SignatureSetToValidIdentities. An endorser signs the
// Data followed by its Identity. The set shares one Data, and the signed message is made for one signature after another: a transaction may
// have 250,000 endorsements per 500 KB, and as many copies of its results end a peer.
// They are verified when they are first asked for.
func Endorsers(set []*protoutil.SignedData, identities mspi.IdentityDeserializer) func() []mspi.Identity {
	return sync.OnceValue(func() []mspi.Identity {
		var endorsers []mspi.Identity
		var message []byte
		known := map[string]struct{}{}
		for i, s := range set {
			identity, err := identities.DeserializeIdentity(s.Identity)
			if err != nil {
				logger.Debugf("endorsement %d is of no identity of the channel: %s", i, err)
				continue
			}
			id := identity.GetIdentifier().Mspid + identity.GetIdentifier().Id
			if _, ok := known[id]; ok {
				continue
			}
			message = append(append(message[:0], s.Data...), s.Identity...)
			if err := identity.Verify(message, s.Signature); err != nil {
				logger.Warningf("endorsement %d, of %s, is not valid: %s", i, protoutil.LogMessageForSerializedIdentity(s.Identity), err)
				continue
			}
			known[id] = struct{}{}
			endorsers = append(endorsers, identity)
		}
		if len(endorsers) < len(set) {
			logger.Infof("%d of %d endorsements count", len(endorsers), len(set))
		}
		return endorsers
	})
}
