// SPDX-License-Identifier: Apache-2.0

//fork:file perf: large SM2 messages of a block are hashed together, and remembered as verified

package sw

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/stretchr/testify/require"
)

// large is a text that VerifyAhead takes.
func large(text string) string { return strings.Repeat(text, AheadFrom/len(text)+1) }

func TestVerifyAhead(t *testing.T) {
	csp, calls := counted(t)
	var list []gm.Signed
	var signatures []signature
	for i := range 40 {
		s := sign(t, csp, &bccsp.SM2KeyGenOpts{Temporary: true}, large("message "+strconv.Itoa(i)))
		signatures = append(signatures, s)
		list = append(list, gm.Signed{Key: s.public, Message: slices.Clone(s.digest), Signature: s.bytes})
	}
	ecdsa := sign(t, csp, &bccsp.ECDSAKeyGenOpts{Temporary: true}, "ECDSA")
	small := sign(t, csp, &bccsp.SM2KeyGenOpts{Temporary: true}, "small")
	list = append(list, gm.Signed{Key: ecdsa.public, Message: ecdsa.digest, Signature: ecdsa.bytes}, gm.Signed{},
		gm.Signed{Key: small.public, Message: small.digest, Signature: small.bytes})
	list[3].Signature = list[4].Signature                          // another's
	list[5].Message = []byte(large("another message"))             //
	list[6].Signature = append(slices.Clone(list[6].Signature), 0) // not DER to its end

	remembering(t, true)
	forget := VerifyAhead(list)
	require.Zero(t, calls.Load())
	computed := 0
	for i, s := range signatures {
		for range 2 {
			valid, err := s.verify(csp)
			require.NoError(t, err)
			require.True(t, valid)
		}
		if i == 3 || i == 5 || i == 6 {
			computed++ // and from then on in the memo
		}
		require.Equal(t, int64(computed), calls.Load(), "signature %d", i)
	}
	for _, i := range []int{3, 5, 6} {
		valid, err := csp.Verify(list[i].Key, list[i].Signature, list[i].Message, &bccsp.SM2SignerOpts{})
		require.False(t, valid && err == nil, "signature %d", i)
	}
	other := slices.Clone(list[7].Message)
	other[len(other)-1]++
	for _, message := range [][]byte{other, list[7].Message[:len(other)-1], list[8].Message} {
		valid, err := csp.Verify(list[7].Key, list[7].Signature, message, &bccsp.SM2SignerOpts{})
		require.False(t, valid && err == nil, "a known signature is not valid for another message")
	}
	valid, err := csp.Verify(list[8].Key, list[7].Signature, list[7].Message, &bccsp.SM2SignerOpts{})
	require.False(t, valid && err == nil, "nor by another key")
	before := calls.Load()
	for _, s := range []signature{ecdsa, small} {
		_, err := s.verify(csp)
		require.NoError(t, err)
	}
	require.Equal(t, before+2, calls.Load(), "ECDSA and small messages are left alone")

	forget()
	before = calls.Load()
	_, err = signatures[9].verify(csp)
	require.NoError(t, err)
	require.Equal(t, before+1, calls.Load(), "what was forgotten is computed")
	ahead.Range(func(key, _ any) bool { t.Errorf("%x was not forgotten", key); return true })
}

// TestVerifyAheadTwice is the same transaction in blocks of two channels.
func TestVerifyAheadTwice(t *testing.T) {
	csp, calls := counted(t)
	var list []gm.Signed
	for i := range 2 {
		s := sign(t, csp, &bccsp.SM2KeyGenOpts{Temporary: true}, large(strconv.Itoa(i)))
		list = append(list, gm.Signed{Key: s.public, Message: s.digest, Signature: s.bytes})
	}
	remembering(t, true)
	first, second := VerifyAhead(slices.Clone(list)), VerifyAhead(slices.Clone(list))
	first()
	valid, err := csp.Verify(list[0].Key, list[0].Signature, list[0].Message, &bccsp.SM2SignerOpts{})
	require.NoError(t, err)
	require.True(t, valid)
	require.Zero(t, calls.Load(), "the second knows it still")
	second()
	ahead.Range(func(key, _ any) bool { t.Errorf("%x was not forgotten", key); return true })
}

func TestVerifyAheadWithoutMemo(t *testing.T) {
	csp, calls := counted(t)
	s := sign(t, csp, &bccsp.SM2KeyGenOpts{Temporary: true}, large("text"))
	remembering(t, false)
	defer VerifyAhead([]gm.Signed{{Key: s.public, Message: s.digest, Signature: s.bytes}, {Key: s.public, Message: s.digest, Signature: s.bytes}})()
	remembering(t, true)
	_, err := s.verify(csp)
	require.NoError(t, err)
	require.Equal(t, int64(1), calls.Load())
}

// BenchmarkBlock verifies what a peer verifies of 8 transactions of 260 KiB: by the creator, and two endorsements over most of
// it.
func BenchmarkBlock(b *testing.B) {
	csp, err := NewDefaultSecurityLevelWithKeystore(NewDummyKeyStore())
	require.NoError(b, err)
	defer RememberVerifications(RememberVerifications(true))
	var keys []bccsp.Key
	for range 3 {
		key, err := csp.KeyGen(&bccsp.SM2KeyGenOpts{Temporary: true})
		require.NoError(b, err)
		keys = append(keys, key)
	}
	var list []gm.Signed
	for i := range 24 {
		message := bytes.Repeat([]byte{byte(i)}, []int{260 << 10, 195 << 10, 195 << 10}[i%3])
		signature, err := csp.Sign(keys[i%3], message, &bccsp.SM2SignerOpts{})
		require.NoError(b, err)
		public, err := keys[i%3].PublicKey()
		require.NoError(b, err)
		list = append(list, gm.Signed{Key: public, Message: message, Signature: signature})
	}
	for b.Loop() {
		RememberVerifications(true) // an empty memo
		forget := VerifyAhead(list)
		for _, s := range list {
			if valid, err := csp.Verify(s.Key, s.Signature, bytes.Clone(s.Message), &bccsp.SM2SignerOpts{}); !valid || err != nil {
				b.Fatal(err)
			}
		}
		forget()
	}
}
