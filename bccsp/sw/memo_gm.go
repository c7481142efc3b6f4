// SPDX-License-Identifier: Apache-2.0

//fork:file perf: a signature that was verified once is not computed again for the next policy

package sw

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"
	"sync/atomic"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/bccsp/memo"
)

// verified is the memo of all providers of the process, nil for none.
var verified atomic.Pointer[memo.Memo]

func init() {
	memory = &memoryOf{wrap: func(v Verifier) Verifier { return rememberingVerifier{v} }, set: setMemo}
}

func setMemo(on bool) {
	if on {
		verified.Store(memo.New())
	} else {
		verified.Store(nil)
	}
}

// Numbers of algorithms in the memo.
const (
	memoP224 byte = iota + 1
	memoP256
	memoP384
	memoP521
	memoSM2
)

// memoKey returns the number of the algorithm of a verification and its public key, encoded. It returns 0 where nothing is to be
// remembered: for private keys, unusual curves, and options that the algorithm refuses.
func memoKey(k bccsp.Key, opts bccsp.SignerOpts) (algorithm byte, key []byte) {
	if public, ok := k.(*ecdsaPublicKey); ok {
		return memoECDSA(public.pubKey)
	}
	if _, ok := opts.(*bccsp.SM2SignerOpts); ok && gm.IsKey(k) && !k.Symmetric() && !k.Private() {
		return memoSM2, k.SKI() // a hash of the point
	}
	return 0, nil
}

// memoECDSA encodes the coordinates of the key, each in the length of the field.
func memoECDSA(key *ecdsa.PublicKey) (algorithm byte, point []byte) {
	switch key.Curve {
	case elliptic.P224():
		algorithm = memoP224
	case elliptic.P256():
		algorithm = memoP256
	case elliptic.P384():
		algorithm = memoP384
	case elliptic.P521():
		algorithm = memoP521
	default:
		return 0, nil
	}
	bits := key.Curve.Params().BitSize
	for _, coordinate := range []*big.Int{key.X, key.Y} {
		if coordinate.Sign() < 0 || coordinate.BitLen() > bits {
			return 0, nil
		}
	}
	size := (bits + 7) / 8
	point = make([]byte, 2*size)
	key.X.FillBytes(point[:size])
	key.Y.FillBytes(point[size:])
	return algorithm, point
}

// rememberingVerifier computes only what the memo does not know.
type rememberingVerifier struct{ Verifier }

// Verify checks a signature over a digest or, with an SM2 key, over a message.
func (v rememberingVerifier) Verify(k bccsp.Key, signature, digest []byte, opts bccsp.SignerOpts) (bool, error) {
	known := verified.Load()
	algorithm, key := byte(0), []byte(nil)
	if known != nil {
		algorithm, key = memoKey(k, opts)
	}
	if algorithm == 0 {
		countVerification(k, computed)
		return v.Verifier.Verify(k, signature, digest, opts)
	}
	if algorithm == memoSM2 && verifiedAhead(key, signature, digest) {
		countVerification(k, remembered)
		return true, nil
	}
	tag := known.Tag(algorithm, key, signature, digest)
	if known.Has(tag) {
		countVerification(k, remembered)
		return true, nil
	}
	countVerification(k, computed)
	valid, err := v.Verifier.Verify(k, signature, digest, opts)
	if valid && err == nil && known.Add(tag) {
		countEviction()
	}
	return valid, err
}
