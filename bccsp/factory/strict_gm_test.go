// SPDX-License-Identifier: Apache-2.0

package factory

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/stretchr/testify/require"
)

// zeros is a generator that no test passes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestStrictSetting: BCCSP.GM.Strict makes the process strict, or ends its start. A strict process stays so, so it is a separate one.
func TestStrictSetting(t *testing.T) {
	with := func(strict bool) *FactoryOpts {
		return &FactoryOpts{Default: "SW", SW: GetDefaultOpts().SW, GM: &GmOpts{Strict: strict}}
	}
	t.Cleanup(func() { gm.UseRandom(rand.Reader) })
	const child = "TEST_OF_THE_STRICT_SETTING"
	if os.Getenv(child) != "" {
		gm.UseRandom(mathrand.NewChaCha8([32]byte{1})) // bytes that pass; of chance, one start in 10,000 fails
		require.NoError(t, startOver(t, with(true)))
		require.True(t, gm.Strict())
		return
	}
	gm.UseRandom(zeros{})
	require.ErrorContains(t, startOver(t, with(true)), "BCCSP.GM.Strict: gm: power-on test of the source of random bytes")
	gm.UseRandom(rand.Reader)
	require.NoError(t, startOver(t, with(false)))
	require.False(t, gm.Strict())

	command := exec.Command(os.Args[0], "-test.run=^TestStrictSetting$")
	command.Env = append(os.Environ(), child+"=1")
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// TestSystemsRandomHasNoDevice: who names a device or its daemon, and not that it is to be used, is told.
func TestSystemsRandomHasNoDevice(t *testing.T) {
	for _, config := range []*GmOpts{
		{RandomSocket: "/x"}, {RandomDevice: "hsm"}, {Random: "system", RandomSocket: "/x"}, {Random: "system", RandomDevice: "hsm"},
	} {
		err := startOver(t, &FactoryOpts{Default: "SW", SW: GetDefaultOpts().SW, GM: config})
		require.ErrorContains(t, err, "BCCSP.GM.RandomSocket and RandomDevice are for Random: device", "%+v", config)
	}
}
