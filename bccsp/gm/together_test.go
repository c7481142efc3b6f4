// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"crypto"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/stretchr/testify/require"
)

// TestTogetherAsAlone: signatures that are verified together are judged as one by one, with a table of the key and without, whatever a block
// brings; a key of another kind verifies nothing.
func TestTogetherAsAlone(t *testing.T) {
	key, other := newKey(t), newKey(t)
	message := []byte("message")
	good, err := sm2Signer{}.Sign(key, message, messageOpts)
	require.NoError(t, err)
	var rs struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(good, &rs)
	require.NoError(t, err)
	n := sm2.P256().Params().N
	list := []Signed{
		{key.pub, message, good},
		{other.pub, message, good},
		{key.pub, []byte("massage"), good},
		{key.pub, nil, good},
		{key.pub, message, nil},
		{key.pub, message, append(slices.Clone(good), 0)},
		{key.pub, message, append([]byte{0x30, 0x81}, good[1:]...)},
		{key.pub, message, mustMarshal(t, rs.R, new(big.Int).Add(rs.S, n))},
		{key.pub, message, mustMarshal(t, new(big.Int), new(big.Int))},
		{nil, message, good},
		{key, message, good},
		{sm4TestKey(t), message, good},
	}
	for range 3 * fewestTogether {
		list = append(list, list[0])
	}
	for round := range 2 {
		for i, valid := range VerifyTogether(list) {
			require.Equal(t, i == 0 || i >= 12, valid, "signature %d, round %d", i, round)
			if public, ok := list[i].Key.(*sm2PublicKey); ok {
				alone, err := sm2PublicKeyVerifier{}.Verify(public, list[i].Signature, list[i].Message, messageOpts)
				require.Equal(t, valid, alone && err == nil, "signature %d, round %d", i, round)
			}
		}
	}
	require.NotNil(t, key.pub.table.Load(), "the second round has a table")
	require.Empty(t, VerifyTogether(nil))
}

// TestKeysVerifyWhatTheySigned: a pair, in software or in a device, accepts its own signatures alone, and what is for a key in a device takes
// no other key, no digest and no other options. None of it asks the device.
func TestKeysVerifyWhatTheySigned(t *testing.T) {
	key, other := newKey(t), newKey(t)
	device := &sm2DeviceKey{sm2PublicKey: key.pub}
	message := []byte("message")
	for signer, want := range map[*sm2PrivateKey]bool{key: true, other: false} {
		signature, err := sm2Signer{}.Sign(signer, message, messageOpts)
		require.NoError(t, err)
		ok, err := sm2PrivateKeyVerifier{}.Verify(key, signature, message, messageOpts)
		require.NoError(t, err)
		require.Equal(t, want, ok)
		ok, err = sm2DeviceVerifier{}.Verify(device, signature, message, messageOpts)
		require.NoError(t, err)
		require.Equal(t, want, ok)
	}
	_, err := sm2DeviceSigner{}.Sign(key, message, messageOpts)
	require.ErrorIs(t, err, errNotSM2)
	_, err = sm2DeviceSigner{}.Sign(device, make([]byte, 32), crypto.SHA256)
	require.ErrorContains(t, err, "pass the message")
	_, err = sm2DeviceVerifier{}.Verify(key.pub, nil, message, messageOpts)
	require.ErrorIs(t, err, errNotSM2)
	_, err = sm2DeviceVerifier{}.Verify(device, nil, make([]byte, 32), crypto.SHA256)
	require.ErrorContains(t, err, "pass the message")
	_, err = sm2DeviceDecryptor{}.Decrypt(key, nil, &bccsp.SM2EncrypterOpts{})
	require.ErrorIs(t, err, errNotSM2)
	_, err = sm2DeviceDecryptor{}.Decrypt(device, nil, &bccsp.SM4GCMModeOpts{})
	require.ErrorIs(t, err, errSM2Opts)
	_, err = device.Bytes()
	require.ErrorIs(t, err, errNotExportable)
	require.True(t, device.Private())
	require.True(t, IsKey(device))
}
