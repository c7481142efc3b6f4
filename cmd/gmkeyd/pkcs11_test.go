// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
)

// token is a simulated token with one SM2 key, labelled peer, behind a daemon.
type token struct {
	*keydtest.Daemon
	folder *keydtest.Folder
	key    *keydtest.Key
}

const peerURI = "pkcs11:token=simulated;object=peer"

func prepareToken(t *testing.T, family, settings string) *token {
	t.Helper()
	dir := keydtest.ShortDir(t)
	library := keydtest.Library(t, dir, keydtest.PKCS11)
	key := keydtest.Key{Label: "peer", ID: []byte{1, 2}, Private: keydtest.NewKey(t)}
	other := keydtest.Key{Label: "other", ID: []byte{3}, Private: keydtest.NewKey(t)}
	folder := keydtest.Must(keydtest.NewFolder(filepath.Join(dir, "device"), keydtest.PIN, []keydtest.Key{key, other}))(t)
	t.Cleanup(func() { _ = folder.Close() })
	pin := filepath.Join(dir, "pin")
	require.NoError(t, os.WriteFile(pin, []byte(keydtest.PIN+"\n"), 0o600))
	d := keydtest.Must(keydtest.NewDaemon(keydtest.Program(t, dir), dir, fmt.Sprintf(`
socket: SOCKET
devices:
- name: token
  sessions: 4
  random: true
  pkcs11:
    library: %s
    token: simulated
    pin: {file: %s}
%s`, library, pin, settings), "SIMULATED_DEVICE="+folder.Path, "SIMULATED_FAMILY="+family))(t)
	return &token{Daemon: d, folder: folder, key: &key}
}

func startToken(t *testing.T, family, settings string) *token {
	t.Helper()
	d := prepareToken(t, family, settings)
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	return d
}

func (d *token) signer(t *testing.T) *keyd.Key {
	t.Helper()
	k, err := keyd.NewKey(keydtest.Must(d.Reference(peerURI, d.key.Private))(t))
	require.NoError(t, err)
	return k
}

// Every preset works with a token of its family, for messages of every length, and decrypts where it says so.
func TestPresets(t *testing.T) {
	for preset, decrypts := range map[string]bool{
		"sansec": true, "sansec-sm3": true, "tass": false, "tass-sm3": false, "ep11": true, "ep11-sm3": true,
	} {
		t.Run(preset, func(t *testing.T) {
			d := startToken(t, strings.TrimSuffix(preset, "-sm3"), "    preset: "+preset)
			k := d.signer(t)
			require.NoError(t, k.Check(within(t, 10*time.Second)), d.Log())
			for _, size := range []int{1, 32, 33, 8 << 10, 8<<10 + 1, 32 << 10, 100_000, 3 << 20} {
				message := make([]byte, size)
				_, _ = rand.Read(message)
				signature, err := k.Sign(nil, message, sm2.DefaultSM2SignerOpts)
				require.NoError(t, err, "%d bytes", size)
				require.True(t, sm2.VerifyASN1WithSM2(&d.key.Private.PublicKey, nil, message, signature))
			}
			ciphertext, err := sm2.EncryptASN1(rand.Reader, &d.key.Private.PublicKey, []byte("a secret"))
			require.NoError(t, err)
			plain, err := k.Decrypt(nil, ciphertext, nil)
			if !decrypts {
				requireCode(t, err, keyd.Failed, "it is not a key to decrypt with")
				return
			}
			require.NoError(t, err)
			require.Equal(t, "a secret", string(plain))
		})
	}
}

// A wrong choice of numbers is found by the self-test, not by the first transaction.
func TestSelfTestProvesTheChoice(t *testing.T) {
	for settings, c := range map[string]struct{ family, reason string }{
		"    preset: sansec\n    sm2: {signature: raw}":              {"sansec", "is the signature DER?"},
		"    preset: tass\n    sm2: {signature: der}":                {"tass", "is the signature raw?"},
		"    preset: sansec-sm3\n    sm2: {hash: message}":           {"sansec", "does not verify"},
		"    preset: tass-sm3\n    sm2: {hash: z-message}":           {"tass", "does not verify"},
		"    preset: tass\n    sm2: {sign: 0x80008104}":              {"tass", "CKR_MECHANISM_INVALID"},
		"    preset: ep11\n    sm2: {ciphertext: der}":               {"ep11", "CKR_ENCRYPTED_DATA_INVALID"},
		"    preset: tass\n    sm2: {decrypt: 0x1, ciphertext: der}": {"tass", "CKR_MECHANISM_INVALID"},
	} {
		t.Run(c.family+c.reason, func(t *testing.T) {
			d := startToken(t, c.family, settings)
			requireCode(t, d.signer(t).Check(within(t, 10*time.Second)), keyd.Unusable, c.reason, peerURI)
		})
	}
	// Keys of another type are not seen at all.
	d := startToken(t, "ep11", "    preset: sansec")
	requireCode(t, d.signer(t).Check(within(t, 10*time.Second)), keyd.NoKey)
}

func TestTokenFaults(t *testing.T) {
	d := startToken(t, "ep11", "    preset: ep11")
	k := d.signer(t)
	sign := func() error {
		_, err := k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
		return err
	}
	require.NoError(t, sign())

	d.folder.Set(keydtest.Gone, 1)
	_, err := k.SignContext(within(t, 500*time.Millisecond), []byte("m"), sm2.DefaultSM2SignerOpts)
	requireCode(t, err, keyd.Unavailable, "device token", peerURI)
	require.NoError(t, d.WaitLog(within(t, 5*time.Second), "CKR_DEVICE_REMOVED"))
	d.folder.Set(keydtest.Gone, 0)
	require.NoError(t, sign())

	d.folder.Set(keydtest.LostRights, 1) // as after a reset of the token
	require.NoError(t, sign())
	require.NoError(t, d.WaitLog(within(t, 5*time.Second), "CKR_USER_NOT_LOGGED_IN"))
	d.folder.Set(keydtest.VendorError, 1)
	requireCode(t, sign(), keyd.Failed, "C_Sign", "0x80000123")
	require.NoError(t, sign())
	d.folder.Set(keydtest.WrongKey, 1)
	require.ErrorContains(t, sign(), "does not fit the public key")
	d.folder.Set(keydtest.WrongKey, 0)
	require.NoError(t, sign())

	d.folder.Set(keydtest.Removed, 1)
	_, err = k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	requireCode(t, err, keyd.NoKey, peerURI, "device token")
	d.folder.Set(keydtest.Removed, 0)
	require.Eventually(t, func() bool { return sign() == nil }, 20*time.Second, 100*time.Millisecond, "the key is back")

	ambiguous, err := keyd.NewKey(keyd.Reference{URI: keyd.URI{Scheme: "pkcs11", Token: "simulated", Object: "pee"}, Socket: d.Socket, Public: k.Public()})
	require.NoError(t, err)
	requireCode(t, ambiguous.Check(within(t, 5*time.Second)), keyd.NoKey)
	for _, uri := range []string{"pkcs11:id=%01%02", "pkcs11:serial=0001;object=peer;id=%01%02"} {
		k, err := keyd.NewKey(keydtest.Must(d.Reference(uri, d.key.Private))(t))
		require.NoError(t, err)
		require.NoError(t, k.Check(within(t, 5*time.Second)))
	}
}

func TestTokenPIN(t *testing.T) {
	d := prepareToken(t, "tass", "    preset: tass")
	pin := filepath.Join(filepath.Dir(d.Config), "pin")
	require.NoError(t, os.WriteFile(pin, []byte("wrong-secret\n"), 0o600))
	require.NoError(t, d.Start())
	requireCode(t, d.signer(t).Check(within(t, 5*time.Second)), keyd.Unusable, "CKR_PIN_INCORRECT", "not tried again before a restart")
	time.Sleep(300 * time.Millisecond) // several of the waits after a device that is away
	require.EqualValues(t, 1, d.folder.Get(keydtest.PINFailures))
	require.NotContains(t, d.Log(), "wrong-secret")
	d.Kill()

	require.NoError(t, os.WriteFile(pin, []byte(keydtest.PIN), 0o600))
	require.NoError(t, os.Chmod(pin, 0o644))
	require.NoError(t, d.Start())
	requireCode(t, d.signer(t).Check(within(t, 5*time.Second)), keyd.Unavailable, "can be read by every user", "chmod 600")
	require.NoError(t, os.Chmod(pin, 0o600))
	require.NoError(t, d.signer(t).Check(within(t, 10*time.Second)), "a file that is put right needs no restart")
	d.Kill()
}

// A PIN that is locked, or that one more mistake would lock, is not sent. One whose lock shows at the login is sent once.
func TestTokenPINLocked(t *testing.T) {
	for state, c := range map[uint32]struct {
		reason string
		sent   uint32
	}{
		1: {"one more wrong PIN would lock it, so none is tried", 0},
		2: {"its user PIN is locked", 0},
		3: {"C_Login returned 0x000000A4 (CKR_PIN_LOCKED)", 1},
	} {
		t.Run(c.reason, func(t *testing.T) {
			d := prepareToken(t, "tass", "    preset: tass")
			d.folder.Set(keydtest.PINState, state)
			require.NoError(t, d.Start())
			t.Cleanup(d.Kill)
			requireCode(t, d.signer(t).Check(within(t, 5*time.Second)), keyd.Unusable, "device token", c.reason, "not tried again before a restart")
			time.Sleep(300 * time.Millisecond) // several of the waits after a device that is away
			require.Equal(t, c.sent, d.folder.Get(keydtest.PINFailures))
		})
	}
}

// A private key that vanishes is noticed without being used, also by the daemon's own status; no signature is made for that. It works again
// when it is back.
func TestTokenKeyVanishes(t *testing.T) {
	d := startToken(t, "tass", "    preset: tass")
	k := d.signer(t)
	require.NoError(t, k.Check(within(t, 10*time.Second)))
	made := d.folder.Get(keydtest.Signatures)
	status := func() keyd.Status {
		t.Helper()
		s, err := keyd.ClientFor(d.Socket).Status(within(t, 5*time.Second))
		require.NoError(t, err)
		return s
	}
	for end := time.Now().Add(lookEvery + time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		require.True(t, status().Healthy)
	}
	require.Equal(t, made, d.folder.Get(keydtest.Signatures), "a look makes no signature")

	d.folder.Set(keydtest.Removed, 1)
	require.Eventually(t, func() bool { return !status().Healthy }, lookEvery+3*time.Second, 50*time.Millisecond, "its interval and a moment")
	require.Eventually(t, func() bool { return status().Devices[0].Ready }, 5*time.Second, 20*time.Millisecond)
	keys := status().Devices[0].Keys
	require.Len(t, keys, 2, "the device serves none, and the status says which are missing")
	require.Equal(t, "the device had this key and has it no more", keys[1].Error)
	requireCode(t, k.Check(within(t, 5*time.Second)), keyd.NoKey, peerURI, "device token has no such key")
	require.NoError(t, d.WaitLog(within(t, time.Second), "key has gone"))

	d.folder.Set(keydtest.Removed, 0)
	require.Eventually(t, func() bool { return status().Healthy }, 20*time.Second, 100*time.Millisecond)
	_, err := k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	require.NoError(t, err)
}

// TestSoftHSM uses ECDSA keys in a token that is not ours.
func TestSoftHSM(t *testing.T) {
	var keys []*ecdsa.PrivateKey
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		keys = append(keys, key)
	}
	d := keydtest.StartSoftHSM(t, keys...)
	for i, name := range []string{"key", "key2", "key3"} {
		uri, err := keyd.ParseURI("pkcs11:token=soft;object=" + name)
		require.NoError(t, err)
		k, err := keyd.NewKey(keyd.Reference{URI: uri, Socket: d.Socket, Public: &keys[i].PublicKey})
		require.NoError(t, err)
		require.NoError(t, k.Check(within(t, 10*time.Second)), d.Log())
		s256, s384 := sha256.Sum256([]byte("message")), sha512.Sum384([]byte("message"))
		for hash, digest := range map[crypto.Hash][]byte{crypto.SHA256: s256[:], crypto.SHA384: s384[:]} {
			signature, err := k.Sign(rand.Reader, digest, hash)
			require.NoError(t, err, name)
			require.True(t, ecdsa.VerifyASN1(&keys[i].PublicKey, digest, signature))
		}
		_, err = k.Sign(rand.Reader, s256[:31], crypto.SHA256)
		require.ErrorContains(t, err, "signs digests")
	}
	list, err := keyd.ClientFor(d.Socket).List(within(t, 10*time.Second))
	require.NoError(t, err)
	require.Len(t, list, 3)
	_, err = keyd.Random(d.Socket, "soft").Read(make([]byte, 64))
	require.NoError(t, err)
}
