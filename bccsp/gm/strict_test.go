// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"crypto/rand"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"testing/iotest"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/crypto/randomness"
	"github.com/stretchr/testify/require"
)

// biased sets a bit of each byte: too little for the tests of each byte in use.
type biased struct{}

func (biased) Read(p []byte) (int, error) {
	n, err := rand.Read(p)
	for i := range p {
		p[i] |= 1
	}
	return n, err
}

// noise is a good generator with the same bytes in each run, which pass. Of chance, one self-test in 10,000 fails.
func noise() io.Reader { return mathrand.NewChaCha8([32]byte{1}) }

// requireStopped: whatever wants random bytes fails for the reason.
func requireStopped(t *testing.T, reason string) {
	t.Helper()
	p := []byte{1, 2, 3}
	_, err := Random().Read(p)
	require.ErrorContains(t, err, reason)
	require.Equal(t, make([]byte, 3), p)
	_, err = sm2KeyGenerator{}.KeyGen(nil)
	require.ErrorContains(t, err, reason)
	_, err = sm2DeviceSigner{}.Sign(nil, []byte("m"), nil)
	require.ErrorContains(t, err, reason)
}

func TestStrictNeedsRandomBytes(t *testing.T) {
	t.Cleanup(func() { UseRandom(rand.Reader); strict.Store(false) })
	UseRandom(biased{})
	require.ErrorContains(t, EnableStrict(), "power-on test of the source of random bytes: random bytes fail the test")
	require.False(t, Strict())
	requireStopped(t, "monobit frequency")
	UseRandom(noise())
	require.NoError(t, EnableStrict())
	require.True(t, Strict())
}

// TestStrictNeedsTheSelfTest: EnableStrict fails as SelfTest does.
func TestStrictNeedsTheSelfTest(t *testing.T) {
	failed := errors.New("a wrong answer")
	defer func(before func() error) { selfTestOnce = before }(selfTestOnce)
	selfTestOnce = func() error { return failed }
	require.Equal(t, failed, SelfTest())
	require.Equal(t, failed, EnableStrict())
	require.False(t, Strict())
}

// TestSelfTestComparesWithTheStandard runs SelfTest, which a process does once, in a process of its own with a wrong answer.
func TestSelfTestComparesWithTheStandard(t *testing.T) {
	const child = "GM_TEST_OF_A_WRONG_ANSWER"
	if os.Getenv(child) != "" {
		standardAnswers.sm3Abc = standardAnswers.sm3Abcd
		require.ErrorContains(t, SelfTest(), "self-test of SM3 hash")
		require.ErrorContains(t, SelfTest(), "self-test of SM3 hash")
		return
	}
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	command.Env = append(os.Environ(), child+"=1")
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// TestPairThatCannotBeTried: a pair is not given out before it has signed. That the source of random bytes ends is no fault of the pair.
func TestPairThatCannotBeTried(t *testing.T) {
	t.Cleanup(func() { UseRandom(rand.Reader) })
	defer func(before func(error)) { OnFailure = before }(OnFailure)
	OnFailure = func(err error) { t.Errorf("told: %s", err) }
	UseRandom(io.LimitReader(rand.Reader, 48)) // for a key, and no signature
	_, err := sm2KeyGenerator{}.KeyGen(nil)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NotContains(t, err.Error(), "generating an SM2 key")
}

func TestInconsistentPairIsRefused(t *testing.T) {
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	require.NoError(t, checkPair(key))
	other, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key.PublicKey = other.PublicKey
	defer func(before func(error)) { OnFailure = before }(OnFailure)
	var told error
	OnFailure = func(err error) { told = err }
	require.ErrorIs(t, checkPair(key), errInconsistent)
	require.Equal(t, errInconsistent, told)
}

// TestSelfTestAgain passes on a good machine. A bad generator, a wrong answer of an algorithm: nothing is signed any more.
func TestSelfTestAgain(t *testing.T) {
	answer := standardAnswers.sm3Abc
	t.Cleanup(func() { UseRandom(rand.Reader); standardAnswers.sm3Abc = answer })
	UseRandom(noise())
	require.NoError(t, SelfTestAgain())

	UseRandom(biased{})
	require.ErrorContains(t, SelfTestAgain(), "monobit frequency")
	requireStopped(t, "monobit frequency")

	UseRandom(rand.Reader)
	standardAnswers.sm3Abc = standardAnswers.sm3Abcd
	require.ErrorIs(t, SelfTestAgain(), ErrAlgorithm)
	requireStopped(t, "SM3 hash")

	standardAnswers.sm3Abc = answer
	gone := errors.New("gone")
	UseRandom(iotest.ErrReader(gone))
	require.ErrorIs(t, SelfTestAgain(), gone)
	require.NoError(t, source.Load().Err(), "a source that is away may come back")
}

// TestEachByteIsTested: a generator that begins to repeat stops signatures at once.
func TestEachByteIsTested(t *testing.T) {
	t.Cleanup(func() { UseRandom(rand.Reader) })
	key, err := sm2KeyGenerator{}.KeyGen(nil)
	require.NoError(t, err)
	UseRandom(zeros{})
	_, err = (sm2Signer{}).Sign(key, []byte("m"), &bccsp.SM2SignerOpts{})
	require.ErrorIs(t, err, randomness.ErrRepeats)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
