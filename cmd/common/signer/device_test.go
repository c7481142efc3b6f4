// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/bccsp/utils"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
)

func TestKeysInDevices(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	soft := keydtest.StartSoftHSM(t, ec)
	d := keydtest.StartSDF(t)
	sm2Cert, _, _ := identity(t, d.Sign)
	ecCert, _, _ := identity(t, ec)
	reference := func(text []byte) string {
		file := filepath.Join(t.TempDir(), "reference.pem")
		require.NoError(t, os.WriteFile(file, text, 0o600))
		return file
	}
	sm2Reference := reference(d.SignReference(t))
	uri, err := keyd.ParseURI("pkcs11:token=soft;object=key")
	require.NoError(t, err)
	ecReference := reference(keydtest.Must(keyd.Reference{URI: uri, Socket: soft.Socket, Public: &ec.PublicKey}.Encode())(t))

	message := []byte("a discovery request")
	made, err := NewSigner(Config{MSPID: "Org1MSP", IdentityPath: sm2Cert, KeyPath: sm2Reference})
	require.NoError(t, err)
	signature, err := made.Sign(message)
	require.NoError(t, err)
	require.True(t, sm2.VerifyASN1WithSM2(&d.Sign.PublicKey, nil, message, signature))

	made, err = NewSigner(Config{MSPID: "Org1MSP", IdentityPath: ecCert, KeyPath: ecReference})
	require.NoError(t, err)
	digest := sha256.Sum256(message)
	for range 10 {
		signature, err = made.Sign(message)
		require.NoError(t, err)
		require.True(t, ecdsa.VerifyASN1(&ec.PublicKey, digest[:], signature))
		_, s, err := utils.UnmarshalECDSASignature(signature)
		require.NoError(t, err)
		low, err := utils.IsLowS(&ec.PublicKey, s)
		require.NoError(t, err)
		require.True(t, low)
	}
	_, err = NewSigner(Config{MSPID: "Org1MSP", IdentityPath: ecCert, KeyPath: sm2Reference})
	require.ErrorContains(t, err, "holds no SM2 certificate")
	_, err = NewSigner(Config{MSPID: "Org1MSP", IdentityPath: sm2Cert, KeyPath: ecReference})
	require.ErrorContains(t, err, sm2Cert)
}
