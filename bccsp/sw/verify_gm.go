// SPDX-License-Identifier: Apache-2.0

package sw

import (
	"sync/atomic"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/metrics"
)

// memoryOf is what a build with a memo of verifications brings: a verifier that asks the memo first, and its switch.
type memoryOf struct {
	wrap func(Verifier) Verifier
	set  func(on bool)
}

// memory is nil in a build without the memo (PERF=off). It is set once, before main.
var memory *memoryOf

// RememberVerifications sets whether the providers of this process, those included that exist already, remember successful
// verifications. What was remembered before is forgotten. It reports whether the setting is in force: a build without the memo
// computes every verification.
func RememberVerifications(on bool) bool {
	if memory == nil {
		return !on
	}
	memory.set(on)
	return true
}

// counting returns a verifier that counts what it computes and, where there is a memo, what that knows.
func counting(v Verifier) Verifier {
	if memory == nil {
		return countingVerifier{v}
	}
	return memory.wrap(v)
}

// countingVerifier computes every verification.
type countingVerifier struct{ Verifier }

// Verify checks a signature over a digest or, with an SM2 key, over a message.
func (v countingVerifier) Verify(k bccsp.Key, signature, digest []byte, opts bccsp.SignerOpts) (bool, error) {
	countVerification(k, computed)
	return v.Verifier.Verify(k, signature, digest, opts)
}

var (
	verificationsOpts = metrics.CounterOpts{
		Namespace:    "bccsp",
		Subsystem:    "signature",
		Name:         "verifications",
		Help:         "Verifications of signatures by algorithm (ECDSA or SM2) and source: computed, or remembered from an earlier one that succeeded.",
		LabelNames:   []string{"algorithm", "source"},
		StatsdFormat: "%{#fqname}.%{algorithm}.%{source}",
	}
	evictionsOpts = metrics.CounterOpts{
		Namespace:    "bccsp",
		Subsystem:    "memo",
		Name:         "evictions",
		Help:         "Remembered verifications that were forgotten to make room for newer ones.",
		StatsdFormat: "%{#fqname}",
	}
)

// Values of the label source.
const (
	computed = iota
	remembered
)

// verifierMetrics are the metrics of all providers.
type verifierMetrics struct {
	ecdsa, sm2 [2]metrics.Counter // by source
	evictions  metrics.Counter
}

var metricsInUse atomic.Pointer[verifierMetrics]

// UseMetrics makes p count the verifications of all providers of this process from now on. A process calls it once.
func UseMetrics(p metrics.Provider) {
	verifications := p.NewCounter(verificationsOpts)
	of := func(algorithm string) [2]metrics.Counter {
		return [2]metrics.Counter{
			computed:   verifications.With("algorithm", algorithm, "source", "computed"),
			remembered: verifications.With("algorithm", algorithm, "source", "remembered"),
		}
	}
	metricsInUse.Store(&verifierMetrics{ecdsa: of("ECDSA"), sm2: of("SM2"), evictions: p.NewCounter(evictionsOpts)})
}

func countVerification(k bccsp.Key, source int) {
	m := metricsInUse.Load()
	switch {
	case m == nil:
	case gm.IsKey(k):
		m.sm2[source].Add(1)
	default:
		m.ecdsa[source].Add(1)
	}
}

func countEviction() {
	if m := metricsInUse.Load(); m != nil {
		m.evictions.Add(1)
	}
}
