// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"flag"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil { // they wait for devices more than they compute
		panic(err)
	}
	keydtest.Main(m)
}

const (
	signURI    = "sdf:device=hsm;index=1;usage=sign"
	encryptURI = "sdf:device=hsm;index=1;usage=encrypt"
)

// keysOf makes the two keys of a device as a node does, from the files that stand for them.
func keysOf(t testing.TB, d *keydtest.SDFDevice) (sign, encrypt *keyd.Key) {
	t.Helper()
	sign, err := keyd.ParseReference(d.SignReference(t))
	require.NoError(t, err)
	encrypt, err = keyd.ParseReference(d.EncryptReference(t))
	require.NoError(t, err)
	return sign, encrypt
}

func within(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// mustSign signs and checks the signature in software, without the client's own check.
func mustSign(t testing.TB, d *keydtest.SDFDevice, k *keyd.Key) {
	t.Helper()
	message := []byte(rand.Text())
	signature, err := k.Sign(nil, message, sm2.DefaultSM2SignerOpts)
	require.NoError(t, err, d.Log())
	require.True(t, sm2.VerifyASN1WithSM2(&d.Sign.PublicKey, nil, message, signature))
}

func statusOf(t testing.TB, d *keydtest.SDFDevice) keyd.Status {
	t.Helper()
	status, err := keyd.ClientFor(d.Socket).Status(within(t, 20*time.Second))
	require.NoError(t, err)
	return status
}

// awaitReason waits until a daemon that has just started says why its device cannot be reached.
func awaitReason(t testing.TB, d *keydtest.Daemon) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, err := keyd.ClientFor(d.Socket).Status(within(t, 20*time.Second))
		return err == nil && status.Devices[0].Error != "" && status.Devices[0].Error != "not connected yet"
	}, 30*time.Second, 20*time.Millisecond)
}

// waitHealthy waits until the daemon is, or is not.
func waitHealthy(t testing.TB, d *keydtest.SDFDevice, want bool) keyd.Status {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status := statusOf(t, d)
		if status.Healthy == want {
			return status
		}
		require.True(t, time.Now().Before(end), "healthy should be %v: %+v\n%s", want, status, d.Log())
	}
}

func requireCode(t testing.TB, err error, code keyd.Code, texts ...string) {
	t.Helper()
	var e *keyd.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, err)
	for _, text := range texts {
		require.ErrorContains(t, err, text)
	}
}

func TestSDF(t *testing.T) {
	d := keydtest.StartSDF(t)
	sign, encrypt := keysOf(t, d)
	require.NoError(t, sign.Check(within(t, 20*time.Second)), d.Log())
	mustSign(t, d, sign)

	secret := []byte("forty-eight bytes, as TLCP's pre-master secret is")
	ciphertext, err := sm2.EncryptASN1(rand.Reader, &d.Encrypt.PublicKey, secret)
	require.NoError(t, err)
	plain, err := encrypt.Decrypt(nil, ciphertext, nil)
	require.NoError(t, err)
	require.Equal(t, secret, plain)

	status := statusOf(t, d)
	require.True(t, status.Healthy, "%+v", status)
	require.Equal(t, 16, status.Devices[0].Sessions)
	keys, err := keyd.ClientFor(d.Socket).List(within(t, 20*time.Second))
	require.NoError(t, err)
	require.Equal(t, []keyd.KeyState{
		{URI: signURI, Device: "hsm", Kind: "SM2", Use: []string{"sign"}},
		{URI: encryptURI, Device: "hsm", Kind: "SM2", Use: []string{"encrypt"}},
	}, keys)

	a, b := make([]byte, 5000), make([]byte, 5000)
	random := keyd.Random(d.Socket, "")
	for _, p := range [][]byte{a, b} {
		n, err := random.Read(p)
		require.NoError(t, err)
		require.Equal(t, 5000, n)
	}
	require.NotEqual(t, a, b)

	out, err := exec.Command(keydtest.Program(t, ""), "metrics", "--socket", d.Socket).Output()
	require.NoError(t, err)
	for _, line := range []string{
		`gmkeyd_device_up{device="hsm"} 1`, `gmkeyd_device_sessions{device="hsm",state="open"} 16`,
		`gmkeyd_key_usable{device="hsm",key="` + signURI + `"} 1`, `gmkeyd_requests_total{operation="sign",result="ok"} 1`,
		`gmkeyd_request_seconds_count{operation="decrypt"} 1`,
	} {
		require.Contains(t, string(out), line)
	}
	require.NotContains(t, d.Log(), keydtest.PIN)
	require.Equal(t, 0, d.Stop(), d.Log())
}

func TestOneKeyForOneUse(t *testing.T) {
	t.Parallel()
	d := keydtest.StartSDF(t)
	swapped := keydtest.Must(d.Reference(encryptURI, d.Encrypt))(t)
	k, err := keyd.NewKey(swapped)
	require.NoError(t, err)
	_, err = k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	requireCode(t, err, keyd.Unusable, "it is not a signing key")
	sign, _ := keysOf(t, d)
	ciphertext, err := sm2.EncryptASN1(rand.Reader, &d.Sign.PublicKey, []byte("secret"))
	require.NoError(t, err)
	_, err = sign.Decrypt(nil, ciphertext, nil)
	requireCode(t, err, keyd.Unusable, "it is not a key to decrypt with") // the ciphertext is good

	other, err := keyd.NewKey(keydtest.Must(d.Reference(signURI, d.Encrypt))(t))
	require.NoError(t, err)
	require.ErrorContains(t, other.Check(within(t, 20*time.Second)), "another key there")
	absent, err := keyd.NewKey(keydtest.Must(d.Reference("sdf:device=hsm;index=2;usage=sign", d.Sign))(t))
	require.NoError(t, err)
	requireCode(t, absent.Check(within(t, 20*time.Second)), keyd.NoKey, "hsm", "index=2")
	elsewhere, err := keyd.NewKey(keydtest.Must(d.Reference("sdf:device=other;index=1;usage=sign", d.Sign))(t))
	require.NoError(t, err)
	requireCode(t, elsewhere.Check(within(t, 20*time.Second)), keyd.NoKey)
}

// Whoever signs while the daemon is killed or stopped, and started again, gets all signatures, also those that wait for a session.
func TestEndedUnderLoad(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*keydtest.SDFDevice){
		"killed":  func(d *keydtest.SDFDevice) { d.Kill() },
		"stopped": func(d *keydtest.SDFDevice) { d.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			d := keydtest.StartSDF(t)
			sign, _ := keysOf(t, d)
			mustSign(t, d, sign)
			d.Folder.Set(keydtest.DelayMicroseconds, 20_000)
			var done, failed atomic.Int64
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var all sync.WaitGroup
			for range 64 {
				all.Go(func() {
					for ctx.Err() == nil {
						if _, err := sign.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts); err != nil {
							failed.Add(1)
							t.Error(err)
							return
						}
						done.Add(1)
					}
				})
			}
			progress := func() {
				for before := done.Load(); done.Load() < before+200 && failed.Load() == 0; {
					time.Sleep(time.Millisecond)
				}
			}
			for range 3 {
				progress()
				end(d)
				require.NoError(t, d.Start())
			}
			progress()
			stop()
			all.Wait()
			require.Zero(t, failed.Load())
		})
	}
}

// A password is sent once, whatever code says that it was refused, and the other indexes are served.
func TestPINCodes(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]uint32{
		"SDR_PRKRERR": 0x01000018, "SDR_PARDENY": 0x01000007, "SDR_KEYERR": 0x01000015, "SDR_INARGERR": 0x0100001D, "the vendor's own": 0x02000123,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := keydtest.PrepareSDF(t, keydtest.SDF)
			other := keydtest.NewKey(t)
			require.NoError(t, d.Folder.SetKeys("", []keydtest.Key{
				{Index: 1, Usage: keyd.UsageSign, PIN: keydtest.PIN, Private: d.Sign}, {Index: 2, Usage: keyd.UsageSign, PIN: "another", Private: other},
			}))
			d.Env = append(d.Env, "OTHER_PIN=a wrong one")
			require.NoError(t, d.Configure(d.Standard()+"    - index: 2\n      pin: {environment: OTHER_PIN}\n"))
			d.Folder.Set(keydtest.PINCode, code)
			require.NoError(t, d.Start())
			t.Cleanup(d.Kill)
			refused, err := keyd.NewKey(keydtest.Must(d.Reference("sdf:device=hsm;index=2;usage=sign", other))(t))
			require.NoError(t, err)
			requireCode(t, refused.Check(within(t, 5*time.Second)), keyd.Unusable, name, "not tried again before a restart")
			sign, _ := keysOf(t, d)
			for range 3 {
				mustSign(t, d, sign)
				d.Folder.Set(keydtest.SessionsLost, 1) // each connection gets the rights anew
			}
			require.EqualValues(t, 1, d.Folder.Get(keydtest.PINFailures), d.Log())
		})
	}
}

// An index whose keys have gone is named, and each of the keys has its reason.
func TestKeyVanishes(t *testing.T) {
	t.Parallel()
	d := keydtest.StartSDF(t)
	sign, encrypt := keysOf(t, d)
	mustSign(t, d, sign)
	d.Folder.Set(keydtest.Removed, 1)
	_, err := sign.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	requireCode(t, err, keyd.Unusable, signURI, "device hsm: index 1 of the device has neither a signing nor an encryption key", "SDR_KEYNOTEXIST")
	requireCode(t, encrypt.Check(within(t, 20*time.Second)), keyd.NoKey, encryptURI, "device hsm")
	keys := waitHealthy(t, d, false).Devices[0].Keys
	require.Len(t, keys, 2)
	require.Equal(t, "the device had this key and has it no more", keys[1].Error)
	require.Eventually(t, func() bool { return strings.Count(d.Log(), "device ready") > 2 }, 20*time.Second, 20*time.Millisecond,
		"looks for the keys that do not find them")
	requireCode(t, sign.Check(within(t, 20*time.Second)), keyd.Unusable)
	d.Folder.Set(keydtest.Removed, 0)
	waitHealthy(t, d, true)
	mustSign(t, d, sign)
}

func TestWrongCiphertexts(t *testing.T) {
	d := keydtest.StartSDF(t)
	_, encrypt := keysOf(t, d)
	require.NoError(t, encrypt.Check(within(t, 20*time.Second)))
	tested := d.Folder.Get(keydtest.Decryptions)

	ciphertext, err := sm2.EncryptASN1(rand.Reader, &d.Encrypt.PublicKey, make([]byte, 48))
	require.NoError(t, err)
	var c struct {
		X, Y       *big.Int
		Hash, Text []byte
	}
	_, err = asn1.Unmarshal(ciphertext, &c)
	require.NoError(t, err)
	off := c
	off.X = new(big.Int).Add(c.X, big.NewInt(1))
	offCurve, err := asn1.Marshal(off)
	require.NoError(t, err)
	short := c
	short.Hash = c.Hash[:31]
	shortHash, err := asn1.Marshal(short)
	require.NoError(t, err)
	for name, bad := range map[string][]byte{
		"empty": nil, "no DER": []byte("x"), "more behind": append(append([]byte{}, ciphertext...), 0), "off the curve": offCurve, "short hash": shortHash,
	} {
		_, err := encrypt.Decrypt(nil, bad, nil)
		requireCode(t, err, keyd.Failed)
		require.Equal(t, tested, d.Folder.Get(keydtest.Decryptions), "the device saw: %s", name)
	}
	c.Hash[0] ^= 1
	tampered, err := asn1.Marshal(c)
	require.NoError(t, err)
	_, err = encrypt.Decrypt(nil, tampered, nil)
	requireCode(t, err, keyd.Failed, "SDR_ENCDATAERR")
	var unavailable interface{ DeviceUnavailable() bool }
	require.ErrorAs(t, err, &unavailable)
	require.False(t, unavailable.DeviceUnavailable(), "the ciphertext is to blame")
	require.NotContains(t, d.Log(), "device lost")
}

func TestFormsOfDecrypt(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct{ decrypt, reason string }{
		keydtest.SDFWithoutAlgorithm: {"without-algorithm", ""},
		keydtest.SDFWithoutDecrypt:   {"with-algorithm", "has no SDF_InternalDecrypt_ECC, which is optional"},
		keydtest.SDF:                 {"none", "set sdf.decrypt"},
	} {
		t.Run(kind, func(t *testing.T) {
			d := keydtest.PrepareSDF(t, kind)
			require.NoError(t, d.Configure(strings.Replace(d.Standard(), "decrypt: with-algorithm", "decrypt: "+c.decrypt, 1)))
			require.NoError(t, d.Start())
			t.Cleanup(d.Kill)
			sign, encrypt := keysOf(t, d)
			mustSign(t, d, sign)
			require.True(t, statusOf(t, d).Healthy, "a key that is not meant to be used is no fault")
			ciphertext, err := sm2.EncryptASN1(rand.Reader, &d.Encrypt.PublicKey, []byte("secret"))
			require.NoError(t, err)
			plain, err := encrypt.Decrypt(nil, ciphertext, nil)
			if c.reason == "" {
				require.NoError(t, err)
				require.Equal(t, "secret", string(plain))
				return
			}
			requireCode(t, err, keyd.Unusable, c.reason)
			require.NoError(t, d.WaitLog(within(t, 20*time.Second), c.reason), "it is said at start")
		})
	}
}

func TestSelfTest(t *testing.T) {
	t.Parallel()
	d := keydtest.PrepareSDF(t, keydtest.SDF)
	d.Folder.Set(keydtest.WrongPlain, 1)
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	sign, encrypt := keysOf(t, d)
	mustSign(t, d, sign)
	requireCode(t, encrypt.Check(within(t, 20*time.Second)), keyd.Unusable, encryptURI, "self-test: the device decrypts to something else")
	require.False(t, statusOf(t, d).Healthy)
	d.Kill()

	// The command that an operator uses finds faults too.
	d.Folder.Set(keydtest.WrongPlain, 0)
	d.Folder.Set(keydtest.FixedRandom, 1)
	check := exec.Command(keydtest.Program(t, ""), "check", "--config", d.Config)
	check.Env = append(os.Environ(), d.Env...)
	out, err := check.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "random bytes of the device fail a test")
	d.Folder.Set(keydtest.FixedRandom, 0)
	check = exec.Command(keydtest.Program(t, ""), "check", "--config", d.Config)
	check.Env = append(os.Environ(), d.Env...)
	out, err = check.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), `"Healthy": true`)
}

func TestRandomFails(t *testing.T) {
	t.Parallel()
	d := keydtest.StartSDF(t)
	random := keyd.Random(d.Socket, "hsm")
	_, err := random.Read(make([]byte, keyd.MaxRandom))
	require.NoError(t, err)
	d.Folder.Set(keydtest.Gone, 1)
	p := []byte{1, 2, 3}
	_, err = random.Read(p)
	requireCode(t, err, keyd.Unavailable, "SDR_COMMFAIL")
	require.Equal(t, []byte{0, 0, 0}, p)
	_, err = keyd.Random(d.Socket, "none").Read(p)
	requireCode(t, err, keyd.NoKey, "no device of this name")
}

// asNobody runs gmkeyd status as another user.
func asNobody(t *testing.T, d *keydtest.SDFDevice, args ...string) (string, error) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	require.NoError(t, os.Chmod(filepath.Dir(d.Socket), 0o755))
	program := keydtest.Program(t, "")
	require.NoError(t, os.Chmod(filepath.Dir(program), 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(program)), 0o755))
	cmd := exec.Command(program, append(args, "--socket", d.Socket)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestUsers(t *testing.T) {
	d := keydtest.PrepareSDF(t, keydtest.SDF)
	require.NoError(t, d.Start())
	sign, _ := keysOf(t, d)
	mustSign(t, d, sign)
	out, err := asNobody(t, d, "status")
	require.Error(t, err)
	require.Contains(t, out, "user 65534 is not among the users")
	require.NoError(t, d.WaitLog(within(t, 20*time.Second), "user refused"))
	d.Kill()

	require.NoError(t, d.Configure(d.Standard()+"users:\n- user: nobody\n  keys: ['"+encryptURI+"']\n"))
	require.NoError(t, d.Start())
	mustSign(t, d, sign)
	out, err = asNobody(t, d, "status")
	require.NoError(t, err, out)
	require.Contains(t, out, encryptURI)
	require.NotContains(t, out, signURI, "nobody else's keys are shown")
	d.Kill()

	// A user of some keys cannot use the others: the daemon's own user is given one key here.
	require.NoError(t, d.Configure(d.Standard()+"users:\n- user: root\n  keys: ['"+encryptURI+"']\n"))
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	_, err = sign.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	requireCode(t, err, keyd.Denied, signURI, "user 0 may not use this key")
	requireCode(t, sign.Check(within(t, 20*time.Second)), keyd.Denied)
}

// What no client of ours sends ends the connection, and nothing else.
func TestProtocol(t *testing.T) {
	d := keydtest.StartSDF(t)
	sign, _ := keysOf(t, d)
	mustSign(t, d, sign)
	for name, c := range map[string]struct{ send, answer string }{
		"another version":           {"\x00\x00\x00\x08\x02\x01\x00\x00\x10\x00\x00\x00", "version 2"},
		"a payload of a gigabyte":   {"\x40\x00\x00\x00\x01\x04\x00\x00\x10\x00\x00\x24" + encryptURI, "decrypt with"},
		"a message for a digest":    {"\x00\x10\x00\x29\x01\x03\x00\x00\x10\x00\x00\x21" + signURI, "signs digests"},
		"a name beyond the request": {"\x00\x00\x00\x08\x01\x01\x00\x00\x10\x00\x00\x05", "lengths do not fit"},
		"an unknown operation":      {"\x00\x00\x00\x29\x01\x63\x00\x00\x10\x00\x00\x21" + signURI, "operation 99 is not known"},
		"no URI":                    {"\x00\x00\x00\x09\x01\x01\x00\x00\x10\x00\x00\x01x", "neither sdf nor pkcs11"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("unix", d.Socket)
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
			send := c.send
			if name == "a message for a digest" {
				send += strings.Repeat("m", 0x100029-8-len(signURI))
			}
			_, _ = conn.Write([]byte(send)) // the answer may come before all has been read
			answer := make([]byte, 512)
			n, err := conn.Read(answer)
			require.NoError(t, err)
			require.Contains(t, string(answer[:n]), c.answer)
		})
	}
	mustSign(t, d, sign)
}

// BenchmarkSign compares a key in an immediate device with one in software, side by side: the two take turns, so that whatever else
// the machine does falls on both. Reported are the medians, and the fastest tenth, in microseconds.
func BenchmarkSign(b *testing.B) {
	d := keydtest.StartSDF(b)
	device, _ := keysOf(b, d)
	mustSign(b, d, device)
	message := make([]byte, 500)
	var times [2][]time.Duration
	for b.Loop() {
		for i, key := range []crypto.Signer{device, d.Sign} {
			begun := time.Now()
			if _, err := key.Sign(rand.Reader, message, sm2.DefaultSM2SignerOpts); err != nil {
				b.Fatal(err)
			}
			times[i] = append(times[i], time.Since(begun))
		}
	}
	for i, name := range []string{"device", "software"} {
		slices.Sort(times[i])
		for part, at := range map[string]int{"p10": len(times[i]) / 10, "p50": len(times[i]) / 2} {
			b.ReportMetric(float64(times[i][at].Nanoseconds())/1000, name+"-"+part+"-us")
		}
	}
}

// BenchmarkSignAtOnce has 16 goroutines sign, as many as there are sessions.
func BenchmarkSignAtOnce(b *testing.B) {
	d := keydtest.StartSDF(b)
	device, _ := keysOf(b, d)
	mustSign(b, d, device)
	message := make([]byte, 500)
	for name, key := range map[string]crypto.Signer{"device": device, "software": d.Sign} {
		b.Run(name, func(b *testing.B) {
			b.SetParallelism((15 + runtime.GOMAXPROCS(0)) / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := key.Sign(rand.Reader, message, sm2.DefaultSM2SignerOpts); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// TestCheckByRoot: what root remembers of PINs the daemon's user could not read, so root does not check in the place of that user. A file
// that another user has left there is named with what to do.
func TestCheckByRoot(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	d := keydtest.PrepareSDF(t, keydtest.SDF)
	require.NoError(t, filepath.WalkDir(filepath.Dir(d.Socket), func(name string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(name, nobody, nobody))
	}))
	for _, name := range []string{keydtest.Program(t, ""), d.Library} {
		require.NoError(t, os.Chmod(filepath.Dir(name), 0o755))
		require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(name)), 0o755))
	}
	refused := d.Socket + ".refused"
	check := func(user uint32) (string, error) {
		cmd := exec.CommandContext(within(t, 30*time.Second), keydtest.Program(t, ""), "check", "--config", d.Config)
		cmd.Env = append(os.Environ(), d.Env...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := check(0)
	require.Error(t, err)
	require.Contains(t, out, filepath.Dir(d.Socket)+" belongs to user 65534, and the daemon could not read what root remembers of PINs: run gmkeyd check as that user")
	require.NoFileExists(t, refused)
	out, err = check(nobody)
	require.NoError(t, err, out)
	require.NoError(t, os.Chown(refused, 0, 0))
	out, err = check(nobody)
	require.Error(t, err)
	require.Contains(t, out, refused+": permission denied: another user wrote it: give it to the daemon's user, or remove it")
}
