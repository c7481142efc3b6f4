// SPDX-License-Identifier: Apache-2.0

package sw

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
)

// An SM2 key in a device is found in the key store, signs, decrypts and is stored as its reference.
func TestSM2KeyInDevice(t *testing.T) {
	d := keydtest.StartSDF(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "any-name.pem"), d.SignReference(t), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "enc.pem"), d.EncryptReference(t), 0o600))
	ks, err := NewFileBasedKeyStore(nil, dir, false)
	require.NoError(t, err)
	csp, err := NewWithParams(256, "SHA2", ks)
	require.NoError(t, err)

	public, err := csp.KeyImport(&d.Sign.PublicKey, &bccsp.SM2PublicKeyImportOpts{Temporary: true})
	require.NoError(t, err)
	key, err := csp.GetKey(public.SKI())
	require.NoError(t, err)
	require.True(t, key.Private())
	require.True(t, gm.IsKey(key))
	_, err = key.Bytes()
	require.Error(t, err)
	message := []byte("a message")
	signature, err := csp.Sign(key, message, &bccsp.SM2SignerOpts{})
	require.NoError(t, err)
	require.True(t, sm2.VerifyASN1WithSM2(&d.Sign.PublicKey, nil, message, signature))
	for _, k := range []bccsp.Key{key, public} {
		ok, err := csp.Verify(k, signature, message, &bccsp.SM2SignerOpts{})
		require.NoError(t, err)
		require.True(t, ok)
	}
	_, err = csp.Sign(key, make([]byte, 32), crypto.SHA256)
	require.ErrorContains(t, err, "SM2 signs messages, not digests")

	encPublic, err := csp.KeyImport(&d.Encrypt.PublicKey, &bccsp.SM2PublicKeyImportOpts{Temporary: true})
	require.NoError(t, err)
	ciphertext, err := csp.Encrypt(encPublic, []byte("secret"), &bccsp.SM2EncrypterOpts{})
	require.NoError(t, err)
	enc, err := csp.GetKey(encPublic.SKI())
	require.NoError(t, err)
	plain, err := csp.Decrypt(enc, ciphertext, &bccsp.SM2EncrypterOpts{})
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))

	require.NoError(t, ks.StoreKey(key))
	text, err := os.ReadFile(filepath.Join(dir, hex.EncodeToString(key.SKI())+"_sk"))
	require.NoError(t, err)
	require.Equal(t, string(d.SignReference(t)), string(text))
	_, err = csp.GetKey(key.SKI())
	require.NoError(t, err)

	d.Folder.Set(keydtest.WrongKey, 1)
	_, err = csp.Sign(key, message, &bccsp.SM2SignerOpts{})
	require.ErrorContains(t, err, "does not fit the public key")
}

// A reference to a key that the device does not have is refused when the key is looked for, at the start of a node.
func TestReferenceWithoutKey(t *testing.T) {
	d := keydtest.StartSDF(t)
	other := keydtest.NewKey(t)
	reference := keydtest.Must(d.Reference("sdf:device=hsm;index=1;usage=sign", other))(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key.pem"), keydtest.Must(reference.Encode())(t), 0o600))
	ks, err := NewFileBasedKeyStore(nil, dir, true)
	require.NoError(t, err)
	public, err := gm.NewPublicKey(&other.PublicKey)
	require.NoError(t, err)
	_, err = ks.GetKey(public.SKI())
	require.ErrorContains(t, err, "the device has another key there")
	require.ErrorContains(t, err, "sdf:device=hsm;index=1;usage=sign")
}

// An ECDSA key in a token signs as Fabric wants it: over a digest, with a low S.
func TestECDSAKeyInDevice(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	d := keydtest.StartSoftHSM(t, key)
	dir := t.TempDir()
	u, err := keyd.ParseURI("pkcs11:token=soft;object=key")
	require.NoError(t, err)
	reference := keyd.Reference{URI: u, Socket: d.Socket, Public: &key.PublicKey}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key_sk"), keydtest.Must(reference.Encode())(t), 0o600))
	ks, err := NewFileBasedKeyStore(nil, dir, true)
	require.NoError(t, err)
	csp, err := NewWithParams(256, "SHA2", ks)
	require.NoError(t, err)
	public, err := csp.KeyImport(&key.PublicKey, &bccsp.ECDSAGoPublicKeyImportOpts{Temporary: true})
	require.NoError(t, err)
	private, err := csp.GetKey(public.SKI())
	require.NoError(t, err, d.Log())
	digest := sha256.Sum256([]byte("message"))
	for range 20 { // half of all signatures have a high S
		signature, err := csp.Sign(private, digest[:], nil)
		require.NoError(t, err)
		ok, err := csp.Verify(public, signature, digest[:], nil)
		require.NoError(t, err, "upstream's verifier demands a low S")
		require.True(t, ok)
		ok, err = csp.Verify(private, signature, digest[:], nil)
		require.NoError(t, err)
		require.True(t, ok)
	}
}

// TestDeviceDoesNotTellWhatIsWrong: of a ciphertext that cannot be decrypted nothing is told, as with a key in software; of a device that is
// away it is.
func TestDeviceDoesNotTellWhatIsWrong(t *testing.T) {
	d := keydtest.StartSDF(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "enc.pem"), d.EncryptReference(t), 0o600))
	ks, err := NewFileBasedKeyStore(nil, dir, true)
	require.NoError(t, err)
	csp, err := NewWithParams(256, "SHA2", ks)
	require.NoError(t, err)
	public, err := csp.KeyImport(&d.Encrypt.PublicKey, &bccsp.SM2PublicKeyImportOpts{Temporary: true})
	require.NoError(t, err)
	key, err := csp.GetKey(public.SKI())
	require.NoError(t, err)
	ciphertext, err := csp.Encrypt(public, []byte("secret"), &bccsp.SM2EncrypterOpts{})
	require.NoError(t, err)

	damaged := append([]byte(nil), ciphertext...)
	damaged[len(damaged)-1] ^= 1
	_, err = csp.Decrypt(key, damaged, &bccsp.SM2EncrypterOpts{})
	require.ErrorContains(t, err, "decryption failed: wrong key or damaged ciphertext")
	require.NotContains(t, err.Error(), "sdf:")

	d.Kill()
	_, err = csp.Decrypt(key, ciphertext, &bccsp.SM2EncrypterOpts{})
	require.ErrorContains(t, err, d.Socket)
	require.NotContains(t, err.Error(), "damaged ciphertext")
}
