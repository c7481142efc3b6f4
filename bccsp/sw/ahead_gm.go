// SPDX-License-Identifier: Apache-2.0

//fork:file perf: large SM2 messages of a block are hashed together, and remembered as verified

package sw

import (
	"bytes"
	"sync"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
)

// AheadFrom is the length in bytes of the messages that VerifyAhead is for: from there on hashing a message alone costs more
// than finding it in its block.
const AheadFrom = 4 << 10

// VerifyAhead verifies SM2 signatures over messages of AheadFrom bytes and more, which will be verified one by one later, and
// knows those that are valid until forget is called. It gains by hashing the messages together, so it leaves alone other keys,
// a single message, and a process that remembers nothing. It decides nothing: what it does not find valid is verified again in
// its place.
//
// Messages must not change before forget is called. They are compared as they are, which costs less than the hash by which the
// memo knows a message.
func VerifyAhead(list []gm.Signed) (forget func()) {
	if verified.Load() == nil {
		return func() {}
	}
	var suitable []gm.Signed
	var keys []aheadKey
	for _, s := range list {
		if algorithm, key := memoKey(s.Key, &bccsp.SM2SignerOpts{}); algorithm == memoSM2 && len(s.Message) >= AheadFrom {
			suitable, keys = append(suitable, s), append(keys, aheadKey{string(key), string(s.Signature)})
		}
	}
	if len(suitable) < 2 {
		return func() {}
	}
	known := map[aheadKey]*gm.Signed{}
	for i, valid := range gm.VerifyTogether(suitable) {
		countVerification(suitable[i].Key, computed)
		if valid {
			known[keys[i]] = &suitable[i]
			ahead.Store(keys[i], &suitable[i])
		}
	}
	return func() {
		for key, s := range known {
			ahead.CompareAndDelete(key, s) // another channel's block may have the same
		}
	}
}

// ahead has the valid ones of all calls of VerifyAhead: an aheadKey leads to a *gm.Signed.
var ahead sync.Map

// aheadKey is a public key, as memoKey returns it, and a signature in DER.
type aheadKey struct{ key, signature string }

// verifiedAhead reports whether VerifyAhead has found this very signature over this very message valid.
func verifiedAhead(key, signature, message []byte) bool {
	if len(message) < AheadFrom {
		return false
	}
	s, ok := ahead.Load(aheadKey{string(key), string(signature)})
	return ok && bytes.Equal(s.(*gm.Signed).Message, message)
}
