// SPDX-License-Identifier: Apache-2.0

package gm_test

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/stretchr/testify/require"
)

type brokenRandom struct{}

var errBroken = errors.New("the device has gone")

func (brokenRandom) Read([]byte) (int, error) { return 0, errBroken }

// Whatever needs random bytes fails when their source does.
func TestRandomSourceFails(t *testing.T) {
	csp, err := sw.NewWithParams(256, "SHA2", sw.NewDummyKeyStore())
	require.NoError(t, err)
	key, err := csp.KeyGen(&bccsp.SM2KeyGenOpts{Temporary: true})
	require.NoError(t, err)
	public, err := key.PublicKey()
	require.NoError(t, err)
	sm4, err := csp.KeyGen(&bccsp.SM4KeyGenOpts{Temporary: true})
	require.NoError(t, err)

	t.Cleanup(func() { gm.UseRandom(rand.Reader) })
	gm.UseRandom(brokenRandom{})
	for name, operation := range map[string]func() error{
		"SM2 key":        func() error { _, err := csp.KeyGen(&bccsp.SM2KeyGenOpts{Temporary: true}); return err },
		"SM2 signature":  func() error { _, err := csp.Sign(key, []byte("m"), &bccsp.SM2SignerOpts{}); return err },
		"SM2 encryption": func() error { _, err := csp.Encrypt(public, []byte("m"), &bccsp.SM2EncrypterOpts{}); return err },
		"SM4 key":        func() error { _, err := csp.KeyGen(&bccsp.SM4KeyGenOpts{Temporary: true}); return err },
		"SM4 CBC":        func() error { _, err := csp.Encrypt(sm4, []byte("m"), &bccsp.SM4CBCPKCS7ModeOpts{}); return err },
		"SM4 GCM":        func() error { _, err := csp.Encrypt(sm4, []byte("m"), &bccsp.SM4GCMModeOpts{}); return err },
		"generator":      func() error { _, err := gm.Random().Read(make([]byte, 1)); return err },
	} {
		require.ErrorIs(t, operation(), errBroken, name)
	}
	gm.UseRandom(rand.Reader)
	_, err = csp.Sign(key, []byte("m"), &bccsp.SM2SignerOpts{})
	require.NoError(t, err)
}
