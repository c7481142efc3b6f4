// SPDX-License-Identifier: Apache-2.0

package sw

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/stretchr/testify/require"
)

// fastest runs the operations in turn, in batches of ten, and reports the fastest batch of each in ns per call, and how
// much more than the first the second takes. On a machine with other work the minimum is what the operation costs.
func fastest(b *testing.B, names []string, operations []func() error) {
	const batch = 10
	best := make([]time.Duration, len(operations))
	for b.Loop() {
		for i, operation := range operations {
			start := time.Now()
			for range batch {
				if err := operation(); err != nil {
					b.Fatal(err)
				}
			}
			if took := time.Since(start); best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	for i, name := range names {
		b.ReportMetric(float64(best[i])/batch, name+"-ns")
	}
	b.ReportMetric(100*(float64(best[1])/float64(best[0])-1), "overhead-%")
}

// The provider against the bare engine, and against ECDSA over the same messages, hashing included. 200 bytes are a block
// header, 4 KiB an endorsement.
func BenchmarkProvider(b *testing.B) {
	csp, err := NewWithParams(256, "SHA2", NewDummyKeyStore())
	require.NoError(b, err)
	engine, err := sm2.GenerateKey(rand.Reader)
	require.NoError(b, err)
	key, err := csp.KeyImport(engine, &bccsp.SM2PrivateKeyImportOpts{Temporary: true})
	require.NoError(b, err)
	pub, err := key.PublicKey()
	require.NoError(b, err)
	ec, err := csp.KeyGen(&bccsp.ECDSAP256KeyGenOpts{Temporary: true})
	require.NoError(b, err)
	ecPub, err := ec.PublicKey()
	require.NoError(b, err)

	opts := &bccsp.SM2SignerOpts{}
	names := []string{"engine", "provider", "ECDSA"}
	for _, size := range []int{200, 4096} {
		msg := make([]byte, size)
		b.Run(fmt.Sprintf("Sign/%d", size), func(b *testing.B) {
			fastest(b, names, []func() error{
				func() error { _, err := engine.Sign(rand.Reader, msg, sm2.DefaultSM2SignerOpts); return err },
				func() error { _, err := csp.Sign(key, msg, opts); return err },
				func() error { digest := sha256.Sum256(msg); _, err := csp.Sign(ec, digest[:], nil); return err },
			})
		})
		sig, err := csp.Sign(key, msg, opts)
		require.NoError(b, err)
		digest := sha256.Sum256(msg)
		ecSig, err := csp.Sign(ec, digest[:], nil)
		require.NoError(b, err)
		b.Run(fmt.Sprintf("Verify/%d", size), func(b *testing.B) {
			fastest(b, names, []func() error{
				func() error { return valid(sm2.VerifyASN1WithSM2(&engine.PublicKey, nil, msg, sig), nil) },
				func() error { return valid(csp.Verify(pub, sig, msg, opts)) },
				func() error { digest := sha256.Sum256(msg); return valid(csp.Verify(ecPub, ecSig, digest[:], nil)) },
			})
		})
	}
}

func valid(ok bool, err error) error {
	if err == nil && !ok {
		err = fmt.Errorf("signature is not valid")
	}
	return err
}
