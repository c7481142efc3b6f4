// SPDX-License-Identifier: Apache-2.0

package gmgateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
)

func TestSignerInDevice(t *testing.T) {
	d := keydtest.StartSDF(t)
	signer, err := NewSigner(d.SignReference(t))
	require.NoError(t, err)
	message := []byte("a proposal")
	signature, err := signer.Sign(signer.Hash(message))
	require.NoError(t, err)
	require.True(t, sm2.VerifyASN1WithSM2(&d.Sign.PublicKey, nil, message, signature))
	_, err = NewSigner([]byte("-----BEGIN KEY REFERENCE-----\nKey: x\n\nAAAA\n-----END KEY REFERENCE-----\n"))
	require.ErrorContains(t, err, "neither sdf nor pkcs11")
}

func TestECDSASignerInDevice(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	d := keydtest.StartSoftHSM(t, key)
	uri, err := keyd.ParseURI("pkcs11:token=soft;object=key")
	require.NoError(t, err)
	text, err := keyd.Reference{URI: uri, Socket: d.Socket, Public: &key.PublicKey}.Encode()
	require.NoError(t, err)
	signer, err := NewSigner(text)
	require.NoError(t, err)
	half := new(big.Int).Rsh(key.Params().N, 1)
	for range 20 { // half of all signatures have a high S
		digest := signer.Hash([]byte("a proposal"))
		signature, err := signer.Sign(digest)
		require.NoError(t, err)
		require.True(t, ecdsa.VerifyASN1(&key.PublicKey, digest, signature))
		var sig struct{ R, S *big.Int }
		_, err = asn1.Unmarshal(signature, &sig)
		require.NoError(t, err)
		require.LessOrEqual(t, sig.S.Cmp(half), 0)
	}
}
