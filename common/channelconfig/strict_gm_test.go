// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"testing"

	mspprotos "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

// TestStrictTakesSM2Alone runs in a separate process, since the setting holds for the rest of a process.
func TestStrictTakesSM2Alone(t *testing.T) {
	const variable = "TEST_OF_STRICT"
	if os.Getenv(variable) == "" {
		command := exec.Command(os.Args[0], "-test.run=^TestStrictTakesSM2Alone$", "-test.v")
		command.Env = append(os.Environ(), variable+"=1")
		out, err := command.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS: TestStrictTakesSM2Alone")
		return
	}
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	propose := func(roots ...[]byte) error {
		config := &mspprotos.MSPConfig{Config: protoutil.MarshalOrPanic(&mspprotos.FabricMSPConfig{Name: "Org", RootCerts: roots})}
		_, err := NewMSPConfigHandler(msp.MSPv1_0, csp).ProposeMSP(config)
		return err
	}
	sm2, ecdsa := gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "sm2").CertPEM, gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ecdsa").CertPEM
	require.NoError(t, propose(ecdsa))
	gm.UseRandom(mathrand.NewChaCha8([32]byte{1})) // bytes that pass; of chance, one start in 10,000 fails
	require.NoError(t, gm.EnableStrict())
	gm.UseRandom(rand.Reader)
	require.NoError(t, propose(sm2))
	require.ErrorContains(t, propose(sm2, ecdsa), "whose key is not SM2, and BCCSP.GM.Strict allows only SM2")
	require.ErrorContains(t, propose(ecdsa), "whose key is not SM2")
	_, err = NewMSPConfigHandler(msp.MSPv1_0, csp).ProposeMSP(&mspprotos.MSPConfig{Type: int32(msp.IDEMIX)})
	require.ErrorContains(t, err, "is not SM2 only")
}
