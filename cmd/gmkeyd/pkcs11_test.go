// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
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
	key    *keydtest.Key // labelled peer, found first
	other  *keydtest.Key
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
	return &token{Daemon: d, folder: folder, key: &key, other: &other}
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
	t.Parallel()
	for preset, decrypts := range map[string]bool{
		"sansec": true, "sansec-sm3": true, "tass": false, "tass-sm3": false, "ep11": true, "ep11-sm3": true,
	} {
		t.Run(preset, func(t *testing.T) {
			d := startToken(t, strings.TrimSuffix(preset, "-sm3"), "    preset: "+preset)
			k := d.signer(t)
			require.NoError(t, k.Check(within(t, 20*time.Second)), d.Log())
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
				requireCode(t, err, keyd.Unusable, "it is not a key to decrypt with")
				return
			}
			require.NoError(t, err)
			require.Equal(t, "a secret", string(plain))
		})
	}
}

// A wrong choice of numbers is found by the self-test, not by the first transaction.
func TestSelfTestProvesTheChoice(t *testing.T) {
	t.Parallel()
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
			requireCode(t, d.signer(t).Check(within(t, 20*time.Second)), keyd.Unusable, c.reason, peerURI)
		})
	}
	// Keys of another type are not seen at all.
	d := startToken(t, "ep11", "    preset: sansec")
	requireCode(t, d.signer(t).Check(within(t, 20*time.Second)), keyd.NoKey)
}

// A key of a token can be named by any attributes that fit no other.
func TestTokenNames(t *testing.T) {
	t.Parallel()
	d := prepareToken(t, "ep11", "    preset: ep11")
	require.NoError(t, d.folder.SetKeys(keydtest.PIN, []keydtest.Key{*d.key, {Label: "peer", ID: []byte{3}, Private: keydtest.NewKey(t)}}))
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	for uri, reason := range map[string]string{
		"pkcs11:id=%01%02":                         "",
		"pkcs11:serial=0001;object=peer;id=%01%02": "",
		"pkcs11:token=simulated;object=peer":       "both pkcs11:token=simulated;serial=0001;object=peer;id=%01%02 and ",
		"pkcs11:id=%09":                            "device token has no such key",
		"pkcs11:token=another;object=peer":         "no device of gmkeyd's configuration has this name",
		"pkcs11:serial=0002;object=peer;id=%01%02": "device token has no such key",
		"sdf:device=token;index=1;usage=sign":      "no device of gmkeyd's configuration has this name",
	} {
		k, err := keyd.NewKey(keydtest.Must(d.Reference(uri, d.key.Private))(t))
		require.NoError(t, err)
		err = k.Check(within(t, 20*time.Second))
		if reason == "" {
			require.NoError(t, err, uri)
			continue
		}
		requireCode(t, err, keyd.NoKey, reason)
	}
}

// A file with the PIN that others can read is not used. One that is put right needs no restart, as the PIN was not sent.
func TestTokenPIN(t *testing.T) {
	t.Parallel()
	d := prepareToken(t, "tass", "    preset: tass")
	pin := filepath.Join(filepath.Dir(d.Config), "pin")
	require.NoError(t, os.Chmod(pin, 0o644))
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	awaitReason(t, d.Daemon)
	requireCode(t, d.signer(t).Check(within(t, time.Second)), keyd.Unavailable, "can be read by every user", "chmod 600")
	require.NoError(t, os.Chmod(pin, 0o600))
	require.NoError(t, d.signer(t).Check(within(t, 20*time.Second)))
}

// A code of the vendor's own for a PIN, or a general one, may mean that the token counted it: it is not sent again.
func TestTokenPINCodes(t *testing.T) {
	t.Parallel()
	for code, text := range map[uint32]string{0x80000ABC: "0x80000ABC, a code of the vendor's own", 0x5: "CKR_GENERAL_ERROR", 0x6: "CKR_FUNCTION_FAILED"} {
		t.Run(text, func(t *testing.T) {
			d := prepareToken(t, "tass", "    preset: tass")
			d.folder.Set(keydtest.PINCode, code)
			require.NoError(t, d.Start())
			t.Cleanup(d.Kill)
			requireCode(t, d.signer(t).Check(within(t, 20*time.Second)), keyd.Unusable, text, "not tried again before a restart")
			time.Sleep(500 * time.Millisecond) // several of the waits after a device that is away
			require.EqualValues(t, 1, d.folder.Get(keydtest.PINFailures))
		})
	}
}

// The code of a faulty device leaves open whether the token counted the PIN: it is sent three times, and no more, in all starts together.
func TestTokenPINWithoutAnswer(t *testing.T) {
	d := prepareToken(t, "tass", "    preset: tass")
	d.folder.Set(keydtest.PINCode, 0x30)
	for range 2 {
		require.NoError(t, d.Start())
		requireCode(t, d.signer(t).Check(within(t, 20*time.Second)), keyd.Unusable, "it was sent 3 times without an answer")
		require.EqualValues(t, 3, d.folder.Get(keydtest.PINFailures))
		d.Kill()
	}
	d.folder.Set(keydtest.PINCode, 0)
	require.NoError(t, os.Remove(d.Socket+".refused"))
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	require.NoError(t, d.signer(t).Check(within(t, 20*time.Second)))
}

// The status lists the keys that a token had and has no more.
func TestTokenKeyVanishes(t *testing.T) {
	d := startToken(t, "tass", "    preset: tass")
	k := d.signer(t)
	require.NoError(t, k.Check(within(t, 20*time.Second)))
	d.folder.Set(keydtest.Removed, 1)
	_, err := k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	requireCode(t, err, keyd.NoKey, peerURI, "device token has no such key")
	status, err := keyd.ClientFor(d.Socket).Status(within(t, 20*time.Second))
	require.NoError(t, err)
	require.False(t, status.Healthy)
	require.Len(t, status.Devices[0].Keys, 2, "the device serves none")
	require.Equal(t, "the device had this key and has it no more", status.Devices[0].Keys[1].Error)
}

// configure changes the configuration of a token before its daemon starts.
func (d *token) configure(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(d.Config)
	require.NoError(t, err)
	require.Contains(t, string(text), from)
	require.NoError(t, os.WriteFile(d.Config, []byte(strings.Replace(string(text), from, to, 1)), 0o600))
}

// A token is found by label and serial number. Exactly one has to have them.
func TestTokenOfConfiguration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to     string // in place of its label
		twin   uint32
		reason string
	}{
		"label":                {"token: simulated", 0, ""},
		"serial":               {`serial: "0001"`, 1, ""},
		"both":                 {"token: simulated\n    serial: \"0002\"", 1, ""},
		"another label":        {"token: other", 0, `0 tokens are labelled "other" with serial ""`},
		"another serial":       {`serial: "0002"`, 0, `shows ["simulated" with serial "0001"]`},
		"two of the same name": {"token: simulated", 1, `2 tokens are labelled "simulated"`},
	} {
		t.Run(name, func(t *testing.T) {
			d := prepareToken(t, "tass", "    preset: tass")
			d.configure(t, "token: simulated", c.to)
			d.folder.Set(keydtest.Twin, c.twin)
			require.NoError(t, d.Start())
			t.Cleanup(d.Kill)
			k, err := keyd.NewKey(keydtest.Must(d.Reference("pkcs11:object=peer", d.key.Private))(t))
			require.NoError(t, err)
			if c.reason == "" {
				require.NoError(t, k.Check(within(t, 20*time.Second)), d.Log())
				return
			}
			awaitReason(t, d.Daemon)
			requireCode(t, k.Check(within(t, time.Second)), keyd.Unavailable, c.reason)
		})
	}
}

// A token that asks for a PIN and gets none says so; one that asks for none needs none.
func TestTokenWithoutPIN(t *testing.T) {
	t.Parallel()
	d := prepareToken(t, "tass", "    preset: tass")
	pin := filepath.Join(filepath.Dir(d.Config), "pin")
	require.NoError(t, os.WriteFile(pin, []byte("\n"), 0o600))
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	awaitReason(t, d.Daemon)
	requireCode(t, d.signer(t).Check(within(t, time.Second)), keyd.Unavailable, "PIN")
	d.Kill()
	d.configure(t, "    pin: {file: "+pin+"}\n", "")
	require.NoError(t, d.Start())
	awaitReason(t, d.Daemon)
	requireCode(t, d.signer(t).Check(within(t, time.Second)), keyd.Unavailable, "the token asks for a PIN, and none is configured")
	d.folder.Set(keydtest.NoRights, 1)
	require.NoError(t, d.signer(t).Check(within(t, 20*time.Second)), d.Log())
	require.Zero(t, d.folder.Get(keydtest.PINFailures))
}

// A key is used for what the token lets it do.
func TestTokenKeyUses(t *testing.T) {
	t.Parallel()
	for not, c := range map[uint32]struct{ sign, decrypt string }{
		1: {"it is not a signing key", ""},
		2: {"", "it is not a key to decrypt with"},
		3: {"lets the key neither sign nor decrypt", "lets the key neither sign nor decrypt"},
	} {
		d := prepareToken(t, "ep11", "    preset: ep11")
		d.folder.Set(keydtest.NotFor, not)
		require.NoError(t, d.Start())
		t.Cleanup(d.Kill)
		k := d.signer(t)
		ciphertext, err := sm2.EncryptASN1(rand.Reader, &d.key.Private.PublicKey, []byte("a secret"))
		require.NoError(t, err)
		_, signErr := k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
		_, decryptErr := k.Decrypt(nil, ciphertext, nil)
		for _, got := range []struct {
			err    error
			reason string
		}{{signErr, c.sign}, {decryptErr, c.decrypt}} {
			if got.reason == "" {
				require.NoError(t, got.err)
			} else {
				requireCode(t, got.err, keyd.Unusable, got.reason)
			}
		}
	}
}

// PKCS #11 signs no empty message, and the daemon survives one.
func TestTokenEmptyMessage(t *testing.T) {
	d := startToken(t, "tass", "    preset: tass-sm3")
	k := d.signer(t)
	_, err := k.Sign(nil, nil, sm2.DefaultSM2SignerOpts)
	requireCode(t, err, keyd.Failed, "PKCS #11 signs no empty message")
	_, err = k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	require.NoError(t, err)
}

// The limit of a call is not one of a large message, which takes many calls.
func TestLargeMessageInSlowToken(t *testing.T) {
	t.Parallel()
	d := prepareToken(t, "tass", "    preset: tass-sm3\ncallLimit: 4s\n")
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	k := d.signer(t)
	require.NoError(t, k.Check(within(t, 20*time.Second)), d.Log())
	d.folder.Set(keydtest.DelayMicroseconds, 300_000)
	_, err := k.SignContext(within(t, 20*time.Second), make([]byte, 256<<10), sm2.DefaultSM2SignerOpts)
	require.NoError(t, err, d.Log())
	require.NotContains(t, d.Log(), "does not return")
}

// A key whose attributes cannot be read is out of use alone, and one of another type is none of ours.
func TestTokenOddKey(t *testing.T) {
	for preset, keys := range map[string]int{"ep11": 2, "tass": 0} {
		d := prepareToken(t, "ep11", "    preset: "+preset)
		d.folder.Set(keydtest.LabelCode, 0x6)
		require.NoError(t, d.Start())
		other := func() keyd.Status {
			status, err := keyd.ClientFor(d.Socket).Status(within(t, 20*time.Second))
			require.NoError(t, err)
			return status
		}
		require.Eventually(t, func() bool { return other().Devices[0].Ready }, 20*time.Second, 20*time.Millisecond, d.Log())
		status := other()
		require.Len(t, status.Devices[0].Keys, keys)
		require.Equal(t, keys == 0, status.Healthy)
		if keys != 0 {
			require.Contains(t, status.Devices[0].Keys[0].Error, "C_GetAttributeValue returned 0x00000006 (CKR_FUNCTION_FAILED)")
			require.Empty(t, status.Devices[0].Keys[1].Error)
		}
		d.Kill()
	}
}

// No key is lost behind many others; a token with more than the daemon reads is refused by name.
func TestTokenOfManyKeys(t *testing.T) {
	d := prepareToken(t, "ep11", "    preset: ep11")
	d.folder.Set(keydtest.MoreKeys, 600)
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	k, err := keyd.NewKey(keydtest.Must(d.Reference("pkcs11:token=simulated;object=other", d.other.Private))(t))
	require.NoError(t, err)
	require.NoError(t, checkKey(t, k))

	d.Kill()
	d.folder.Set(keydtest.MoreKeys, 5000)
	require.NoError(t, d.Start())
	require.NoError(t, d.WaitLog(within(t, 20*time.Second), "the token has more than 4096 private keys"))
}

// Two tokens of one library live and die apart: when one of them is lost, the other keeps its sessions. A key that both have is not used by
// chance.
func TestTwoTokensOfOneLibrary(t *testing.T) {
	t.Parallel()
	d := prepareToken(t, "tass", "    preset: tass")
	d.folder.Set(keydtest.Twin, 1)
	text, err := os.ReadFile(d.Config)
	require.NoError(t, err)
	first := strings.Replace(string(text), "token: simulated", `serial: "0001"`, 1)
	second := strings.Replace(first[strings.Index(first, "- name:"):], "- name: token\n", "- name: again\n", 1)
	second = strings.Replace(second, `"0001"`, `"0002"`, 1)
	require.NoError(t, os.WriteFile(d.Config, []byte(first+"\n"+second), 0o600))
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	key := func(uri string) *keyd.Key {
		k, err := keyd.NewKey(keydtest.Must(d.Reference(uri, d.key.Private))(t))
		require.NoError(t, err)
		return k
	}
	one, two := key("pkcs11:serial=0001;object=peer"), key("pkcs11:serial=0002;object=peer")
	sign := func(k *keyd.Key) {
		t.Helper()
		_, err := k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
		require.NoError(t, err, d.Log())
	}
	sign(one)
	sign(two)
	requireCode(t, key("pkcs11:object=peer").Check(within(t, 20*time.Second)), keyd.NoKey, "the devices token and again both have it")
	for i := range 3 {
		d.folder.Set(keydtest.LostRights, 1)
		sign(one)
		require.Eventually(t, func() bool { return strings.Count(d.Log(), `msg="device lost" device=token`) == i+1 }, 20*time.Second, 10*time.Millisecond)
		for range 8 {
			sign(two)
		}
	}
	require.NotContains(t, d.Log(), `msg="device lost" device=again`)
}

// A library that looks for tokens only when it begins is begun again for a token that has come back.
func TestTokenOfFrozenLibrary(t *testing.T) {
	t.Parallel()
	d := prepareToken(t, "tass", "    preset: tass")
	d.folder.Set(keydtest.Frozen, 1)
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	k := d.signer(t)
	for range 2 {
		_, err := k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
		require.NoError(t, err, d.Log())
		d.folder.Set(keydtest.Gone, 1)
		_, err = k.SignContext(within(t, 500*time.Millisecond), []byte("m"), sm2.DefaultSM2SignerOpts)
		requireCode(t, err, keyd.Unavailable)
		d.folder.Set(keydtest.Gone, 0)
	}
	_, err := k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	require.NoError(t, err, d.Log())
}

// TestSoftHSM uses ECDSA keys in a token that is not ours.
func TestSoftHSM(t *testing.T) {
	t.Parallel()
	var keys []*ecdsa.PrivateKey
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		keys = append(keys, key)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048) // which nobody sees
	require.NoError(t, err)
	d := keydtest.StartSoftHSM(t, keys[0], keys[1], keys[2], other)
	for i, name := range []string{"key", "key2", "key3"} {
		uri, err := keyd.ParseURI("pkcs11:token=soft;object=" + name)
		require.NoError(t, err)
		k, err := keyd.NewKey(keyd.Reference{URI: uri, Socket: d.Socket, Public: &keys[i].PublicKey})
		require.NoError(t, err)
		require.NoError(t, k.Check(within(t, 20*time.Second)), d.Log())
		s256, s384 := sha256.Sum256([]byte("message")), sha512.Sum384([]byte("message"))
		for hash, digest := range map[crypto.Hash][]byte{crypto.SHA256: s256[:], crypto.SHA384: s384[:]} {
			signature, err := k.Sign(rand.Reader, digest, hash)
			require.NoError(t, err, name)
			require.True(t, ecdsa.VerifyASN1(&keys[i].PublicKey, digest, signature))
		}
		_, err = k.Sign(rand.Reader, s256[:31], crypto.SHA256)
		require.ErrorContains(t, err, "signs digests")
	}
	list, err := keyd.ClientFor(d.Socket).List(within(t, 20*time.Second))
	require.NoError(t, err)
	require.Len(t, list, 3)
	_, err = keyd.Random(d.Socket, "soft").Read(make([]byte, 64))
	require.NoError(t, err)
}
