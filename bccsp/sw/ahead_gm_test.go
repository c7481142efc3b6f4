// SPDX-License-Identifier: Apache-2.0

//fork:file perf: large SM2 messages of a block are hashed together, and remembered as verified

package sw

import (
	"slices"
	"strconv"
	"testing"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/stretchr/testify/require"
)

func TestVerifyAhead(t *testing.T) {
	csp, calls := counted(t)
	var list []gm.Signed
	var signatures []signature
	for i := range 20 {
		s := sign(t, csp, &bccsp.SM2KeyGenOpts{Temporary: true}, strconv.Itoa(i))
		signatures = append(signatures, s)
		list = append(list, gm.Signed{Key: s.public, Message: s.digest, Signature: s.bytes})
	}
	ecdsa := sign(t, csp, &bccsp.ECDSAKeyGenOpts{Temporary: true}, "ECDSA")
	list = append(list, gm.Signed{Key: ecdsa.public, Message: ecdsa.digest, Signature: ecdsa.bytes}, gm.Signed{})
	list[3].Signature = list[4].Signature                          // another's
	list[5].Message = []byte("another message")                    //
	list[6].Signature = append(slices.Clone(list[6].Signature), 0) // not DER to its end

	remembering(t, true)
	VerifyAhead(list)
	require.Zero(t, calls.Load())
	computed := 0
	for i, s := range signatures {
		valid, err := s.verify(csp)
		require.NoError(t, err)
		require.True(t, valid)
		if i == 3 || i == 5 || i == 6 {
			computed++
		}
		require.Equal(t, int64(computed), calls.Load(), "signature %d", i)
	}
	for _, i := range []int{3, 5, 6} {
		valid, err := csp.Verify(list[i].Key, list[i].Signature, list[i].Message, &bccsp.SM2SignerOpts{})
		require.False(t, valid && err == nil, "signature %d", i)
	}
	_, err := ecdsa.verify(csp)
	require.NoError(t, err)
	require.Equal(t, int64(computed+3+1), calls.Load(), "ECDSA is left alone")
}

func TestVerifyAheadWithoutMemo(t *testing.T) {
	csp, calls := counted(t)
	s := sign(t, csp, &bccsp.SM2KeyGenOpts{Temporary: true}, "text")
	remembering(t, false)
	VerifyAhead([]gm.Signed{{Key: s.public, Message: s.digest, Signature: s.bytes}, {Key: s.public, Message: s.digest, Signature: s.bytes}})
	remembering(t, true)
	_, err := s.verify(csp)
	require.NoError(t, err)
	require.Equal(t, int64(1), calls.Load())
}
