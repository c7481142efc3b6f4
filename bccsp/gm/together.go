// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"runtime"
	"sync"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/sm3"
)

// Signed is a message with an SM2 signature of it in DER.
type Signed struct {
	Key                bccsp.Key // an SM2 public key of this package
	Message, Signature []byte
}

// VerifyTogether verifies many signatures (GB/T 32918.2, section 7) and reports which are valid. It hashes the messages
// together, which takes a fraction of the time that one after the other takes where the processor has the lanes for it, and
// shares the work out among the processors.
func VerifyTogether(list []Signed) []bool {
	valid := make([]bool, len(list))
	share := max(fewestTogether, (len(list)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for start := 0; start < len(list); start += share {
		end := min(start+share, len(list))
		all.Go(func() { verifyTogether(list[start:end], valid[start:end]) })
	}
	all.Wait()
	return valid
}

// fewestTogether is the number of messages that fill the lanes of the processors which have most.
const fewestTogether = 16

func verifyTogether(list []Signed, valid []bool) {
	messages := make([]sm3.Message, len(list))
	for i := range list {
		if key, ok := list[i].Key.(*sm2PublicKey); ok {
			messages[i] = sm3.Message{Prefix: key.za, Data: list[i].Message}
		}
	}
	for i, digest := range sm3.SumMany(messages) {
		key, ok := list[i].Key.(*sm2PublicKey)
		valid[i] = ok && gmx509.CheckSM2SignatureDER(list[i].Signature) == nil && key.verify(digest[:], list[i].Signature)
	}
}
