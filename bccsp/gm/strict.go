// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/randomness"
	"github.com/hyperledger/fabric/common/crypto/sm3"
)

var strict atomic.Bool

// EnableStrict makes this process use only approved algorithms, for as long as it runs, if its power-on tests pass: SelfTest, and the
// tests of GM/T 0005 over what Random gives. The latter take a tenth of a second. After an error the process must not continue.
func EnableStrict() error {
	if err := SelfTest(); err != nil {
		return err
	}
	if err := randomness.Check(Random()); err != nil {
		return stopRandom(fmt.Errorf("gm: power-on test of the source of random bytes: %w", err))
	}
	strict.Store(true)
	return nil
}

// Strict reports whether this process uses only approved algorithms: TLCP on every connection, SM2 for its own identity and in the MSPs
// of its channels. Signatures of others it judges as every node does.
func Strict() bool { return strict.Load() }

// StrictKey is the setting behind Strict, for messages.
const StrictKey = "BCCSP.GM.Strict"

var errInconsistent = errors.New("gm: a new SM2 key pair does not verify what it signs; this machine or build must not be used")

// checkPair is the conditional test of a new key pair (GB/T 37092): what the private key signs, the public one verifies.
func checkPair(key *sm2.PrivateKey) error {
	digest := sm3.Sum(key.X.Bytes())
	signature, err := sm2.SignASN1(Random(), key, digest[:], nil)
	if err != nil {
		return err
	}
	if !sm2.VerifyASN1(&key.PublicKey, digest[:], signature) {
		OnFailure(errInconsistent)
		return errInconsistent
	}
	return nil
}
