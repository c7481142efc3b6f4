// SPDX-License-Identifier: Apache-2.0

//fork:file perf: large SM2 messages of a block are hashed together, and remembered as verified

package sw

import (
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/bccsp/memo"
)

// VerifyAhead verifies SM2 signatures that will be verified one by one later, and remembers those that are valid. It
// gains by hashing the messages together, so it leaves alone other keys, a single message, and a process that remembers
// nothing. It decides nothing: what it does not find valid is verified again in its place.
func VerifyAhead(list []gm.Signed) {
	known := verified.Load()
	if known == nil {
		return
	}
	var unknown []gm.Signed
	var tags []memo.Tag
	for _, s := range list {
		if algorithm, key := memoKey(s.Key, &bccsp.SM2SignerOpts{}); algorithm == memoSM2 {
			if tag := known.Tag(algorithm, key, s.Signature, s.Message); !known.Has(tag) {
				unknown, tags = append(unknown, s), append(tags, tag)
			}
		}
	}
	if len(unknown) < 2 {
		return
	}
	for i, valid := range gm.VerifyTogether(unknown) {
		countVerification(unknown[i].Key, computed)
		if valid && known.Add(tags[i]) {
			countEviction()
		}
	}
}
