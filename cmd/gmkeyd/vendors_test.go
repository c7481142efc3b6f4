// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
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

// vendor is an implementation of GM/T 0018 that differs from another.
type vendor struct {
	kind    string                           // SDF if empty
	prepare func(*keydtest.SDFDevice) string // returns the configuration; empty: the standard one
	test    func(t *testing.T, d *keydtest.SDFDevice, sign, encrypt *keyd.Key)
}

// mustDecrypt decrypts texts of several lengths.
func mustDecrypt(t *testing.T, d *keydtest.SDFDevice, k *keyd.Key) {
	t.Helper()
	for _, size := range []int{1, 48, 4000} {
		secret := make([]byte, size)
		_, _ = rand.Read(secret)
		ciphertext, err := sm2.EncryptASN1(rand.Reader, &d.Encrypt.PublicKey, secret)
		require.NoError(t, err)
		plain, err := k.Decrypt(nil, ciphertext, nil)
		require.NoError(t, err)
		require.Equal(t, secret, plain)
	}
}

func checkKey(t *testing.T, k *keyd.Key) error {
	t.Helper()
	return k.Check(within(t, 20*time.Second))
}

// vendors has what implementations of GM/T 0018 do in different ways.
var vendors = map[string]vendor{
	"arrays of 256 bits and the old number of the algorithm": {
		kind: keydtest.SDFOld,
		prepare: func(d *keydtest.SDFDevice) string {
			return strings.Replace(d.Standard(), "decrypt: with-algorithm", "decrypt: with-algorithm\n    algorithm: 0x00020400", 1)
		},
		test: func(t *testing.T, d *keydtest.SDFDevice, sign, encrypt *keyd.Key) {
			mustSign(t, d, sign)
			mustDecrypt(t, d, encrypt)
			require.True(t, statusOf(t, d).Healthy)
		},
	},
	"another number of the algorithm than is configured": {
		kind: keydtest.SDFOld,
		test: func(t *testing.T, d *keydtest.SDFDevice, sign, encrypt *keyd.Key) {
			mustSign(t, d, sign)
			requireCode(t, checkKey(t, encrypt), keyd.Unusable, "self-test: SDF_InternalDecrypt_ECC returned 0x0100001D (SDR_INARGERR)")
		},
	},
	"arrays of 512 bits": {
		test: func(t *testing.T, d *keydtest.SDFDevice, sign, encrypt *keyd.Key) {
			mustSign(t, d, sign)
			mustDecrypt(t, d, encrypt)
		},
	},
	"numbers on the left": {
		prepare: func(d *keydtest.SDFDevice) string { d.Folder.Set(keydtest.Left, 1); return "" },
		test: func(t *testing.T, d *keydtest.SDFDevice, sign, encrypt *keyd.Key) {
			for _, k := range []*keyd.Key{sign, encrypt} {
				requireCode(t, checkKey(t, k), keyd.Unusable, "_ECC: the coordinates of index 1 are neither in 32 bytes each nor in the last 32 of 64")
			}
			require.False(t, statusOf(t, d).Healthy)
		},
	},
	"numbers on the left in signatures": {
		test: func(t *testing.T, d *keydtest.SDFDevice, sign, _ *keyd.Key) {
			mustSign(t, d, sign)
			d.Folder.Set(keydtest.Left, 1)
			_, err := sign.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
			requireCode(t, err, keyd.Failed, "r and s are not in the last 32 of 64 bytes each")
		},
	},
	"another length of the key": {
		prepare: func(d *keydtest.SDFDevice) string { d.Folder.Set(keydtest.Bits, 512); return "" },
		test: func(t *testing.T, d *keydtest.SDFDevice, sign, _ *keyd.Key) {
			requireCode(t, checkKey(t, sign), keyd.Unusable, "SDF_ExportSignPublicKey_ECC says that the key at index 1 has 512 bits")
		},
	},
	"a device that hashes": {
		prepare: func(d *keydtest.SDFDevice) string { d.Folder.Set(keydtest.Hashes, 1); return "" },
		test: func(t *testing.T, d *keydtest.SDFDevice, sign, _ *keyd.Key) {
			requireCode(t, checkKey(t, sign), keyd.Unusable, "self-test: the device's signature does not verify")
		},
	},
	"keys without rights": {
		prepare: func(d *keydtest.SDFDevice) string { d.Folder.Set(keydtest.NoRights, 1); return "" },
		test: func(t *testing.T, d *keydtest.SDFDevice, sign, encrypt *keyd.Key) {
			mustSign(t, d, sign)
			mustDecrypt(t, d, encrypt)
			require.True(t, statusOf(t, d).Healthy)
		},
	},
	"a key that needs a PIN and has none": {
		prepare: func(d *keydtest.SDFDevice) string {
			free := keydtest.Key{Index: 2, Usage: keyd.UsageSign, Private: d.Sign}
			kept := keydtest.Key{Index: 1, Usage: keyd.UsageSign, PIN: keydtest.PIN, Private: d.Sign}
			encrypt := keydtest.Key{Index: 1, Usage: keyd.UsageEncrypt, PIN: keydtest.PIN, Private: d.Encrypt}
			_ = d.Folder.SetKeys("", []keydtest.Key{kept, encrypt, free})
			return strings.Replace(d.Standard(), "      pin: {environment: DEVICE_PIN}\n", "    - index: 2\n", 1)
		},
		test: func(t *testing.T, d *keydtest.SDFDevice, sign, encrypt *keyd.Key) {
			free, err := keyd.NewKey(keydtest.Must(d.Reference("sdf:device=hsm;index=2;usage=sign", d.Sign))(t))
			require.NoError(t, err)
			mustSign(t, d, free)
			for _, k := range []*keyd.Key{sign, encrypt} {
				requireCode(t, checkKey(t, k), keyd.Unusable, "self-test: index 1: SDF_Internal", "SDR_PARDENY", "no PIN is configured for it")
			}
			require.NotContains(t, d.Log(), "device unavailable")
		},
	},
	"a code of its own for a key that is absent": {
		prepare: func(d *keydtest.SDFDevice) string {
			d.Folder.Set(keydtest.OwnCodes, 1)
			_ = d.Folder.SetKeys("", []keydtest.Key{{Index: 1, Usage: keyd.UsageSign, PIN: keydtest.PIN, Private: d.Sign}})
			return ""
		},
		test: func(t *testing.T, d *keydtest.SDFDevice, sign, encrypt *keyd.Key) {
			mustSign(t, d, sign)
			require.True(t, statusOf(t, d).Healthy, "an index may have a signing key alone")
			requireCode(t, checkKey(t, encrypt), keyd.Unusable, "SDF_ExportEncPublicKey_ECC returned 0x02000300")
			d.Folder.Set(keydtest.Removed, 1)
			waitHealthy(t, d, false)
			require.Eventually(t, func() bool { return checkKey(t, sign) != nil }, 20*time.Second, 50*time.Millisecond)
			d.Folder.Set(keydtest.Removed, 0)
			waitHealthy(t, d, true)
			mustSign(t, d, sign)
		},
	},
}

// Libraries that differ are used, or refused by the name of what differs.
func TestVendors(t *testing.T) {
	t.Parallel()
	for name, v := range vendors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if v.kind == "" {
				v.kind = keydtest.SDF
			}
			d := keydtest.PrepareSDF(t, v.kind)
			if v.prepare != nil {
				if config := v.prepare(d); config != "" {
					require.NoError(t, d.Configure(config))
				}
			}
			require.NoError(t, d.Start())
			t.Cleanup(d.Kill)
			sign, encrypt := keysOf(t, d)
			v.test(t, d, sign, encrypt)
		})
	}
}

// An index may have one key alone. One that it had and has no more is missed all the same, whatever the code for it is.
func TestVendorsCodeOfLostKey(t *testing.T) {
	t.Parallel()
	for own := range uint32(2) {
		d := keydtest.PrepareSDF(t, keydtest.SDF)
		d.Folder.Set(keydtest.OwnCodes, own)
		require.NoError(t, d.Start())
		t.Cleanup(d.Kill)
		sign, encrypt := keysOf(t, d)
		require.NoError(t, encrypt.Check(within(t, 20*time.Second)))
		require.True(t, statusOf(t, d).Healthy)
		d.Folder.Set(keydtest.Removed, 2)
		waitHealthy(t, d, false)
		mustSign(t, d, sign)
		require.Error(t, encrypt.Check(within(t, 20*time.Second)))
		require.False(t, statusOf(t, d).Healthy)
		d.Folder.Set(keydtest.Removed, 0)
		waitHealthy(t, d, true)
		require.NoError(t, encrypt.Check(within(t, 20*time.Second)))
	}
}

// An index with neither key is a fault, whatever the code for that is.
func TestVendorsCodeFromTheStart(t *testing.T) {
	t.Parallel()
	d := keydtest.PrepareSDF(t, keydtest.SDF)
	d.Folder.Set(keydtest.OwnCodes, 1)
	d.Folder.Set(keydtest.Removed, 1)
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	sign, _ := keysOf(t, d)
	requireCode(t, checkKey(t, sign), keyd.Unusable, "SDF_ExportSignPublicKey_ECC returned 0x02000300")
	require.False(t, statusOf(t, d).Healthy)
}

// A PIN that cannot be read is not sent, and the key is not used.
func TestUnreadablePIN(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	for pin, reason := range map[string]string{
		"{environment: NOT_THERE}": "the environment has no NOT_THERE",
		"{file: " + dir + "/none}": "none: no such file",
		"{file: " + empty + "}":    "PIN of index 1",
		"{credential: device-pin}": "systemd gave none",
	} {
		d := keydtest.PrepareSDF(t, keydtest.SDF)
		require.NoError(t, d.Configure(strings.Replace(d.Standard(), "{environment: DEVICE_PIN}", pin, 1)))
		require.NoError(t, d.Start())
		t.Cleanup(d.Kill)
		sign, _ := keysOf(t, d)
		requireCode(t, sign.Check(within(t, 20*time.Second)), keyd.Unusable, reason)
		require.Zero(t, d.Folder.Get(keydtest.PINFailures))
		require.False(t, statusOf(t, d).Healthy)
	}
}

// A key that is generated after the daemon has started is found. Its PIN was not refused before.
func TestKeyComesLater(t *testing.T) {
	t.Parallel()
	d := keydtest.PrepareSDF(t, keydtest.SDF)
	d.Folder.Set(keydtest.Removed, 1)
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	sign, _ := keysOf(t, d)
	requireCode(t, sign.Check(within(t, 20*time.Second)), keyd.Unusable, "has neither a signing nor an encryption key")
	d.Folder.Set(keydtest.Removed, 0)
	waitHealthy(t, d, true)
	mustSign(t, d, sign)
}

// Two devices with the interface of SDF have two libraries, and keys of the same index.
func TestTwoDevices(t *testing.T) {
	t.Parallel()
	d := keydtest.PrepareSDF(t, keydtest.SDF)
	text, err := os.ReadFile(d.Library)
	require.NoError(t, err)
	library := filepath.Join(t.TempDir(), "other.so")
	require.NoError(t, os.WriteFile(library, text, 0o700))
	second := strings.Replace(d.Standard()[strings.Index(d.Standard(), "- name:"):], "- name: hsm", "- name: second", 1)
	require.NoError(t, d.Configure(d.Standard()+strings.Replace(second, d.Library, library, 1)))
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	waitHealthy(t, d, true)
	for _, device := range []string{"hsm", "second"} {
		k, err := keyd.NewKey(keydtest.Must(d.Reference("sdf:device="+device+";index=1;usage=sign", d.Sign))(t))
		require.NoError(t, err)
		mustSign(t, d, k)
	}
	third, err := keyd.NewKey(keydtest.Must(d.Reference("sdf:device=third;index=1;usage=sign", d.Sign))(t))
	require.NoError(t, err)
	requireCode(t, third.Check(within(t, 20*time.Second)), keyd.NoKey, "no device of gmkeyd's configuration has this name")
}

// A file that is no library of the standard is refused by the function that it lacks.
func TestWrongLibrary(t *testing.T) {
	t.Parallel()
	d := keydtest.PrepareSDF(t, keydtest.SDF)
	sign, _ := keysOf(t, d)
	for library, reason := range map[string]string{
		keydtest.Library(t, "", keydtest.PKCS11): "has no function SDF_OpenDevice: it is not a library of GM/T 0018",
		"/none.so":                               "loading the library /none.so",
	} {
		require.NoError(t, d.Configure(strings.Replace(d.Standard(), d.Library, library, 1)))
		require.NoError(t, d.Start())
		awaitReason(t, d.Daemon)
		requireCode(t, sign.Check(within(t, time.Second)), keyd.Unavailable, reason)
		d.Kill()
	}
	require.NoError(t, d.Configure("socket: SOCKET\ndevices: [{name: hsm, pkcs11: {library: "+d.Library+", token: t}}]\n"))
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	require.NoError(t, d.WaitLog(within(t, 20*time.Second), "has no function C_GetFunctionList: it is not a PKCS #11 module"))
}
