// SPDX-License-Identifier: Apache-2.0

//fork:file perf: tests of the memo

package sw

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/metrics"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/stretchr/testify/require"
)

// remembering switches the memo for one test and starts with an empty one.
func remembering(t testing.TB, on bool) {
	t.Helper()
	before := verified.Load()
	t.Cleanup(func() { verified.Store(before) })
	RememberVerifications(on)
}

// countedVerifier counts what is computed.
type countedVerifier struct {
	Verifier
	calls *atomic.Int64
}

func (v countedVerifier) Verify(k bccsp.Key, signature, digest []byte, opts bccsp.SignerOpts) (bool, error) {
	v.calls.Add(1)
	return v.Verifier.Verify(k, signature, digest, opts)
}

// counted returns a provider and the number of verifications that it has computed.
func counted(t testing.TB) (*CSP, *atomic.Int64) {
	t.Helper()
	csp := gmProvider(t, nil, t.TempDir())
	calls := &atomic.Int64{}
	for key, verifier := range csp.Verifiers {
		csp.Verifiers[key] = rememberingVerifier{countedVerifier{verifier.(rememberingVerifier).Verifier, calls}}
	}
	return csp, calls
}

// signature is one that verifies, and how.
type signature struct {
	public, private bccsp.Key
	bytes, digest   []byte
	opts            bccsp.SignerOpts
}

func sign(t testing.TB, csp bccsp.BCCSP, generate bccsp.KeyGenOpts, text string) signature {
	t.Helper()
	key, err := csp.KeyGen(generate)
	require.NoError(t, err)
	public, err := key.PublicKey()
	require.NoError(t, err)
	s := signature{public: public, private: key, digest: []byte(text)}
	if _, ok := generate.(*bccsp.SM2KeyGenOpts); ok {
		s.opts = &bccsp.SM2SignerOpts{}
	} else {
		digest := sha256.Sum256(s.digest)
		s.digest = digest[:]
	}
	s.bytes, err = csp.Sign(key, s.digest, s.opts)
	require.NoError(t, err)
	return s
}

func (s signature) verify(csp bccsp.BCCSP) (bool, error) {
	return csp.Verify(s.public, s.bytes, s.digest, s.opts)
}

var signing = map[string]bccsp.KeyGenOpts{
	"SM2": &bccsp.SM2KeyGenOpts{Temporary: true}, "P-256": &bccsp.ECDSAP256KeyGenOpts{Temporary: true},
	"P-384": &bccsp.ECDSAP384KeyGenOpts{Temporary: true},
}

// forSignatures runs a test with a signature of each algorithm, the memo being on and empty, and the number of verifications that the
// provider has computed.
func forSignatures(t *testing.T, test func(t *testing.T, name string, csp *CSP, calls *atomic.Int64, s signature)) {
	for name, generate := range signing {
		t.Run(name, func(t *testing.T) {
			remembering(t, true)
			csp, calls := counted(t)
			test(t, name, csp, calls, sign(t, csp, generate, "message"))
		})
	}
}

func TestVerificationIsComputedOnce(t *testing.T) {
	forSignatures(t, func(t *testing.T, name string, csp *CSP, calls *atomic.Int64, s signature) {
		for range 3 {
			require.NoError(t, valid(s.verify(csp)))
			require.Equal(t, int64(1), calls.Load())
		}
		other, otherCalls := counted(t)
		require.NoError(t, valid(s.verify(other)))
		require.Zero(t, otherCalls.Load(), "all providers of a process share the memo")

		// A key that was imported again is the same key.
		raw, err := s.public.Bytes()
		require.NoError(t, err)
		if name == "SM2" {
			s.public, err = csp.KeyImport(raw, &bccsp.SM2PublicKeyImportOpts{Temporary: true})
		} else {
			s.public, err = csp.KeyImport(raw, &bccsp.ECDSAPKIXPublicKeyImportOpts{Temporary: true})
		}
		require.NoError(t, err)
		require.NoError(t, valid(s.verify(csp)))
		require.Equal(t, int64(1), calls.Load())

		RememberVerifications(true)
		require.NoError(t, valid(s.verify(csp)))
		require.Equal(t, int64(2), calls.Load(), "switching empties the memo")
	})
}

func TestSwitchedOffEverythingIsComputed(t *testing.T) {
	forSignatures(t, func(t *testing.T, name string, csp *CSP, calls *atomic.Int64, s signature) {
		require.NoError(t, valid(s.verify(csp)))
		RememberVerifications(false)
		for i := range 3 {
			require.NoError(t, valid(s.verify(csp)))
			require.Equal(t, int64(2+i), calls.Load())
		}
	})
}

// After a verification that succeeded, whatever differs from it in one bit of any byte is computed, and fails.
func TestChangedVerificationIsComputed(t *testing.T) {
	forSignatures(t, func(t *testing.T, name string, csp *CSP, calls *atomic.Int64, s signature) {
		require.NoError(t, valid(s.verify(csp)))

		refused := func(changed signature, what string) {
			t.Helper()
			for range 2 { // failures are not remembered either
				before := calls.Load()
				ok, err := changed.verify(csp)
				require.False(t, ok && err == nil, what)
				require.Equal(t, before+1, calls.Load(), what)
			}
		}
		for i := range s.bytes {
			changed := s
			changed.bytes = flip(s.bytes, 8*i+i%8)
			refused(changed, "signature")
		}
		for i := range s.digest {
			changed := s
			changed.digest = flip(s.digest, 8*i+i%8)
			refused(changed, "message")
		}
		for _, otherGenerate := range signing {
			changed := s
			changed.public = sign(t, csp, otherGenerate, "message").public
			refused(changed, "key")
		}
		require.NoError(t, valid(s.verify(csp)), "what is known stays known")
	})
}

func flip(b []byte, bit int) []byte {
	changed := append([]byte{}, b...)
	changed[bit/8] ^= 1 << (bit % 8)
	return changed
}

// The same bytes as key, under another algorithm, are another key. The curves of SM2 and P-256 have coordinates of one length.
func TestAlgorithmsHaveTheirOwnEntries(t *testing.T) {
	seen := map[byte]bool{}
	coordinate := new(big.Int).SetBit(new(big.Int), 200, 1)
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		algorithm, point := memoKey(&ecdsaPublicKey{&ecdsa.PublicKey{Curve: curve, X: coordinate, Y: coordinate}}, nil)
		require.NotZero(t, algorithm)
		require.False(t, seen[algorithm])
		require.Len(t, point, 2*((curve.Params().BitSize+7)/8))
		seen[algorithm] = true
	}
	csp := gmProvider(t, nil, t.TempDir())
	s := sign(t, csp, signing["SM2"], "message")
	algorithm, key := memoKey(s.public, s.opts)
	require.False(t, seen[algorithm])
	require.Equal(t, s.public.SKI(), key)
}

// What the memo does not cover is computed as ever, and refused as ever.
func TestNotRemembered(t *testing.T) {
	forSignatures(t, func(t *testing.T, name string, csp *CSP, calls *atomic.Int64, s signature) {
		require.NoError(t, valid(s.verify(csp)))

		private := s
		private.public = s.private
		for i := range 2 {
			require.NoError(t, valid(private.verify(csp)))
			require.Equal(t, int64(2+i), calls.Load())
		}
		if name == "SM2" {
			for _, opts := range []bccsp.SignerOpts{nil, &bccsp.SM2SignerOpts{}} {
				s.opts = opts
				ok, err := s.verify(csp)
				require.Equal(t, opts != nil, ok && err == nil, "options are checked although the signature is known")
			}
		}
		delete(csp.Verifiers, reflect.TypeOf(s.public))
		_, err := s.verify(csp)
		require.ErrorContains(t, err, "Unsupported 'VerifyKey'")
	})
}

func TestUnusualECDSAKeysAreNotRemembered(t *testing.T) {
	params := *elliptic.P256().Params() // claims to be P-256
	wide := new(big.Int).Lsh(big.NewInt(1), 300)
	for _, key := range []*ecdsa.PublicKey{
		{Curve: &params, X: big.NewInt(1), Y: big.NewInt(1)},
		{Curve: elliptic.P256(), X: wide, Y: big.NewInt(1)},
		{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(-1)},
	} {
		algorithm, _ := memoKey(&ecdsaPublicKey{key}, nil)
		require.Zero(t, algorithm)
	}
}

func TestConcurrentVerifications(t *testing.T) {
	remembering(t, true)
	csp, calls := counted(t)
	var signatures []signature
	for _, generate := range signing {
		for range 4 {
			signatures = append(signatures, sign(t, csp, generate, "message"))
		}
	}
	const workers = 8
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for range 5 {
				for _, s := range signatures {
					if err := valid(s.verify(csp)); err != nil {
						t.Error(err)
					}
					s.bytes = flip(s.bytes, 8*len(s.bytes)-1)
					if err := valid(s.verify(csp)); err == nil {
						t.Error("a changed signature is valid")
					}
				}
			}
		})
	}
	group.Wait()
	changed := int64(workers * 5 * len(signatures))
	require.GreaterOrEqual(t, calls.Load(), changed+int64(len(signatures)))
	require.LessOrEqual(t, calls.Load(), changed+workers*int64(len(signatures)))
}

// tally is a metrics provider that keeps sums of counters by name and label values.
type tally struct {
	*disabled.Provider
	mu   *sync.Mutex
	sums map[string]float64 // protected by mu
}

type tallyCounter struct {
	tally
	name string
}

func (p tally) NewCounter(o metrics.CounterOpts) metrics.Counter {
	return tallyCounter{p, o.Namespace + "_" + o.Subsystem + "_" + o.Name}
}

func (c tallyCounter) With(labels ...string) metrics.Counter {
	return tallyCounter{c.tally, c.name + " " + strings.Join(labels, " ")}
}

func (c tallyCounter) Add(delta float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sums[c.name] += delta
}

func TestVerificationMetrics(t *testing.T) {
	before := metricsInUse.Load()
	t.Cleanup(func() { metricsInUse.Store(before) })
	remembering(t, true)
	p := tally{Provider: &disabled.Provider{}, mu: &sync.Mutex{}, sums: map[string]float64{}}
	UseMetrics(p)
	csp := gmProvider(t, nil, t.TempDir())
	ec, sm2 := sign(t, csp, signing["P-256"], "message"), sign(t, csp, signing["SM2"], "message")
	for range 3 {
		require.NoError(t, valid(ec.verify(csp)))
	}
	require.NoError(t, valid(sm2.verify(csp)))
	RememberVerifications(false)
	for range 2 {
		require.NoError(t, valid(sm2.verify(csp)))
	}
	countEviction()
	require.Equal(t, map[string]float64{
		"bccsp_signature_verifications algorithm ECDSA source computed":   1,
		"bccsp_signature_verifications algorithm ECDSA source remembered": 2,
		"bccsp_signature_verifications algorithm SM2 source computed":     3,
		"bccsp_memo_evictions": 1,
	}, p.sums)
}

// A verification that is remembered, one that is new, and one with the memo switched off, of 4 KiB. ECDSA has its digest
// computed before.
func BenchmarkVerificationMemo(b *testing.B) {
	csp := gmProvider(b, nil, b.TempDir())
	for _, name := range []string{"SM2", "P-256"} {
		all := make([]signature, 512)
		for i := range all {
			all[i] = sign(b, csp, signing[name], strings.Repeat("x", 4096)+strconv.Itoa(i))
		}
		for run, distinct := range map[string]int{"hit": 1, "miss": len(all), "off": len(all)} {
			b.Run(name+"/"+run, func(b *testing.B) {
				remembering(b, run != "off")
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					if run == "miss" && n%distinct == 0 {
						RememberVerifications(true) // its memory is part of the price, by so many
					}
					if err := valid(all[n%distinct].verify(csp)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
