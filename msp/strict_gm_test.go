// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/hyperledger/fabric/bccsp/factory"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/core/config/configtest"
	"github.com/stretchr/testify/require"
)

// TestStrictWantsAnSM2Identity sets up the sample MSP, which is ECDSA, in a separate process, since the setting holds for the rest of
// a process.
func TestStrictWantsAnSM2Identity(t *testing.T) {
	const variable = "TEST_OF_STRICT"
	if os.Getenv(variable) == "" {
		command := exec.Command(os.Args[0], "-test.run=^TestStrictWantsAnSM2Identity$", "-test.v")
		command.Env = append(os.Environ(), variable+"=1")
		out, err := command.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS: TestStrictWantsAnSM2Identity")
		return
	}
	setUp := func() error {
		conf, err := GetLocalMspConfig(configtest.GetDevMspDir(), nil, "SampleOrg")
		require.NoError(t, err)
		node, err := New(&BCCSPNewOpts{NewBaseOpts: NewBaseOpts{Version: MSPv1_4_3}}, factory.GetDefault())
		require.NoError(t, err)
		return node.Setup(conf)
	}
	require.NoError(t, setUp())
	gm.UseRandom(mathrand.NewChaCha8([32]byte{1})) // bytes that pass; of chance, one start in 10,000 fails
	require.NoError(t, gm.EnableStrict())
	gm.UseRandom(rand.Reader)
	require.ErrorContains(t, setUp(), "has no SM2 key, and BCCSP.GM.Strict demands one: enrol it with SM2")
}
