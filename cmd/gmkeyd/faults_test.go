// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
)

// rig is a daemon with a simulated device of one of two kinds, and a key in it that signs.
type rig struct {
	*keydtest.Daemon
	*library
	folder *keydtest.Folder
	key    *keyd.Key
	public *sm2.PrivateKey // whose public half the key has

	encrypt *sm2.PrivateKey // of the key to decrypt with, nil if it is the same
}

// library says what differs between the two kinds.
type library struct {
	name, device, uri string
	prepare           func(t *testing.T) *rig
	setPIN            func(t *testing.T, r *rig, pin string)
	sessions          int // asked for

	gone                             map[uint32]string // by value of the fault
	sessionsLost, lostRights, vendor string            // codes
	wrongPIN, fewer                  string
	removed                          keyd.Code // of a key that is not there any more
	locked                           map[uint32]lockedPIN
	random                           string   // the device has no random generator
	badText                          []uint32 // codes that some devices have for a bad ciphertext
}

// lockedPIN is what comes of a state of the PIN: a reason, and how often the PIN is sent.
type lockedPIN struct {
	reason string
	sent   uint32
}

var libraries = []*library{
	{
		name: "SDF", device: "device hsm", uri: signURI, sessions: 16,
		gone:         map[uint32]string{1: "0x01000003 (SDR_COMMFAIL)", 2: "0x01000004 (SDR_HARDFAIL)"},
		sessionsLost: "SDR_INARGERR", lostRights: "SDR_PARDENY", vendor: "SDF_InternalSign_ECC returned 0x02000123",
		wrongPIN: "SDF_GetPrivateKeyAccessRight returned 0x01000018 (SDR_PRKRERR)", fewer: "SDR_OPENSESSION", removed: keyd.Unusable,
		locked: map[uint32]lockedPIN{2: {"0x02000200", 1}},
		random: "SDR_NOTSUPPORT", badText: []uint32{0x01000003, 0x01000004, 0x01000007, 0x01000008, 0x0100000C, 0x02000123},
		prepare: func(t *testing.T) *rig {
			d := keydtest.PrepareSDF(t, keydtest.SDF)
			sign, _ := keysOf(t, d)
			return &rig{Daemon: d.Daemon, folder: d.Folder, key: sign, public: d.Sign, encrypt: d.Encrypt}
		},
		setPIN: func(_ *testing.T, r *rig, pin string) { r.Env = append(r.Env, "DEVICE_PIN="+pin) },
	},
	{
		name: "PKCS11", device: "device token", uri: peerURI, sessions: 4,
		gone:         map[uint32]string{1: "0x00000032 (CKR_DEVICE_REMOVED)", 2: "0x000000E0 (CKR_TOKEN_NOT_PRESENT)"},
		sessionsLost: "CKR_SESSION_HANDLE_INVALID", lostRights: "CKR_USER_NOT_LOGGED_IN", vendor: "C_Sign returned 0x80000123",
		wrongPIN: "C_Login returned 0x000000A0 (CKR_PIN_INCORRECT)", fewer: "CKR_SESSION_COUNT", removed: keyd.NoKey,
		locked: map[uint32]lockedPIN{
			1: {"one more wrong PIN would lock it, so none is tried", 0},
			2: {"its user PIN is locked", 0},
			3: {"C_Login returned 0x000000A4 (CKR_PIN_LOCKED)", 1},
		},
		random: "CKR_RANDOM_NO_RNG", badText: []uint32{0x5, 0x30, 0x60, 0x91, 0x190, 0x80000123},
		prepare: func(t *testing.T) *rig {
			d := prepareToken(t, "ep11", "    preset: ep11\n")
			return &rig{Daemon: d.Daemon, folder: d.folder, key: d.signer(t), public: d.key.Private}
		},
		setPIN: func(t *testing.T, r *rig, pin string) {
			require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(r.Config), "pin"), []byte(pin+"\n"), 0o600))
		},
	},
}

// TestFaults has each fault that a device can have, over both interfaces.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, l := range libraries {
		for name, fault := range map[string]func(*testing.T, *rig){
			"away and back": deviceAway, "sessions closed": sessionsClosed, "right lost": rightLost, "right lost in self-test": rightLostInSelfTest,
			"key removed":  keyRemoved,
			"key replaced": keyReplaced, "signs with another key": signsWithAnother, "wrong PIN": wrongPIN, "PIN locked": pinLocked,
			"fewer sessions": fewerSessions, "slow": slowDevice, "function hangs": functionHangs, "library crashes": libraryCrashes,
			"vendor's code": vendorsCode, "no random generator": noRandom, "self-test": selfTestFails, "lost at any call": lostAtAnyCall,
			"short plaintext": shortPlaintext, "bad ciphertext": badCiphertext, "random stands still": randomStandsStill,
		} {
			t.Run(l.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				r := l.prepare(t)
				r.library = l
				fault(t, r)
			})
		}
	}
}

// start starts the daemon, and ends it with the test.
func (r *rig) start(t *testing.T) {
	t.Helper()
	require.NoError(t, r.Start())
	t.Cleanup(r.Kill)
}

// started starts the daemon and waits until the key can be used.
func (r *rig) started(t *testing.T) {
	t.Helper()
	r.start(t)
	r.mustSign(t)
}

func (r *rig) sign(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_, err := r.key.SignContext(ctx, []byte("m"), sm2.DefaultSM2SignerOpts)
	return err
}

// mustSign signs and checks the signature by itself.
func (r *rig) mustSign(t *testing.T) {
	t.Helper()
	signature, err := r.key.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	require.NoError(t, err, r.Log())
	require.True(t, sm2.VerifyASN1WithSM2(&r.public.PublicKey, nil, []byte("m"), signature))
}

// parallel signs n times at once.
func (r *rig) parallel(t *testing.T, n int) {
	t.Helper()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := r.sign(20 * time.Second); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func (r *rig) status(t *testing.T) keyd.Status {
	t.Helper()
	status, err := keyd.ClientFor(r.Socket).Status(within(t, 20*time.Second))
	require.NoError(t, err)
	return status
}

// awaitHealth waits until the daemon is healthy, or is not, for as long as a look at the keys may take.
func (r *rig) awaitHealth(t *testing.T, want bool, limit time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool { return r.status(t).Healthy == want }, limit, 50*time.Millisecond, "healthy should be %v", want)
}

// noticed is how long the daemon may take to notice something that nobody uses.
const noticed = lookEvery + 10*time.Second

func (r *rig) awaitLog(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, r.WaitLog(within(t, 20*time.Second), text))
}

// A device that is away is noticed though nobody uses it. Signing waits for it, fails with its name in time, and works again when it is
// back, without help.
func deviceAway(t *testing.T, r *rig) {
	r.started(t)
	for value, code := range r.gone {
		r.folder.Set(keydtest.Gone, value)
		r.awaitHealth(t, false, noticed)
		r.awaitLog(t, code)
		err := r.sign(500 * time.Millisecond)
		requireCode(t, err, keyd.Unavailable, r.device, r.uri)
		var unavailable interface{ DeviceUnavailable() bool }
		require.ErrorAs(t, err, &unavailable)
		require.True(t, unavailable.DeviceUnavailable())
		signed := make(chan error, 1)
		go func() { signed <- r.sign(20 * time.Second) }()
		time.AfterFunc(300*time.Millisecond, func() { r.folder.Set(keydtest.Gone, 0) })
		require.NoError(t, <-signed, r.Log())
		r.awaitHealth(t, true, 20*time.Second)
	}
}

// A device that has closed the sessions, by a reset say, gets new ones, and nobody learns of it.
func sessionsClosed(t *testing.T, r *rig) {
	r.started(t)
	r.folder.Set(keydtest.SessionsLost, 1)
	r.mustSign(t)
	r.awaitLog(t, r.sessionsLost)
	r.parallel(t, 2*r.sessions)
	require.Equal(t, 1, strings.Count(r.Log(), "device lost"), r.Log())
	require.Equal(t, r.sessions, r.status(t).Devices[0].Sessions)

	r.folder.Set(keydtest.SessionsLost, 1) // and nobody uses one
	require.Eventually(t, func() bool { return strings.Count(r.Log(), "device ready") == 3 }, noticed, 50*time.Millisecond)
	require.Contains(t, r.Log(), "looking for key "+r.uri[:strings.Index(r.uri, ":")])
}

func rightLost(t *testing.T, r *rig) {
	r.started(t)
	r.folder.Set(keydtest.LostRights, 1)
	r.mustSign(t)
	r.awaitLog(t, r.lostRights)
	// The daemon answers before it says so in its log.
	require.Eventually(t, func() bool { return strings.Count(r.Log(), "device ready") == 2 }, 20*time.Second, 10*time.Millisecond)
}

// A key whose right is missing in the self-test is out of use by itself, and looked at again.
func rightLostInSelfTest(t *testing.T, r *rig) {
	r.folder.Set(keydtest.LostRights, 2) // for the first key, also when it is tried again
	r.start(t)
	requireCode(t, r.key.Check(within(t, 20*time.Second)), keyd.Unusable, r.uri, "self-test: ", r.lostRights)
	status := r.status(t)
	require.False(t, status.Healthy)
	require.True(t, status.Devices[0].Ready)
	require.Len(t, status.Devices[0].Keys, 2)
	require.Empty(t, status.Devices[0].Keys[1].Error)
	r.awaitHealth(t, true, 20*time.Second)
	r.mustSign(t)
}

// A key that vanishes is noticed without being used, and no signature is made for that. It works again when it is back.
func keyRemoved(t *testing.T, r *rig) {
	r.start(t)
	require.NoError(t, r.key.Check(within(t, 20*time.Second)))
	made, tried := r.folder.Get(keydtest.Signatures), r.folder.Get(keydtest.Decryptions)
	for end := time.Now().Add(lookEvery + time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		require.True(t, r.status(t).Healthy)
	}
	require.Equal(t, made, r.folder.Get(keydtest.Signatures), "a look makes no signature")
	require.Equal(t, tried, r.folder.Get(keydtest.Decryptions))

	r.folder.Set(keydtest.Removed, 1)
	r.awaitHealth(t, false, noticed)
	require.Eventually(t, func() bool { return r.status(t).Devices[0].Ready }, 20*time.Second, 20*time.Millisecond, "the device serves what it has")
	requireCode(t, r.key.Check(within(t, 20*time.Second)), r.removed, r.uri, r.device)
	requireCode(t, r.sign(5*time.Second), r.removed, r.uri, r.device)
	r.awaitLog(t, "key has gone")
	r.folder.Set(keydtest.Removed, 0)
	r.awaitHealth(t, true, 20*time.Second)
	r.mustSign(t)

	// One that is used notices at once.
	r.folder.Set(keydtest.Removed, 1)
	requireCode(t, r.sign(10*time.Second), r.removed, r.uri, r.device)
	require.False(t, r.status(t).Healthy)
	r.folder.Set(keydtest.Removed, 0)
	r.awaitHealth(t, true, 20*time.Second)
}

// A key that was replaced in the device is noticed by its users' checks though nobody signs.
func keyReplaced(t *testing.T, r *rig) {
	r.started(t)
	made := r.folder.Get(keydtest.Signatures)
	r.folder.Set(keydtest.Replaced, 1)
	require.Eventually(t, func() bool {
		var e *keyd.Error
		return errors.As(r.key.Check(within(t, time.Second)), &e) && e.Code == keyd.WrongKey && strings.Contains(e.Reason, "another key there")
	}, noticed, 50*time.Millisecond)
	require.LessOrEqual(t, r.folder.Get(keydtest.Signatures), made+2, "those of self-tests")
	require.Error(t, r.sign(5*time.Second))
	r.folder.Set(keydtest.Replaced, 0)
	require.Eventually(t, func() bool { return r.key.Check(within(t, time.Second)) == nil }, noticed, 50*time.Millisecond)
	r.mustSign(t)
}

// A signature by another key than the reference names is not handed out.
func signsWithAnother(t *testing.T, r *rig) {
	r.started(t)
	r.folder.Set(keydtest.WrongKey, 1)
	signature, err := r.key.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	requireCode(t, err, keyd.WrongKey, "does not fit the public key of the reference")
	require.Nil(t, signature)
	r.folder.Set(keydtest.WrongKey, 0)
	r.mustSign(t)
}

// A PIN that is refused is never sent again, whatever happens to the device: devices count.
func wrongPIN(t *testing.T, r *rig) {
	r.setPIN(t, r, "wrong-secret")
	r.start(t)
	requireCode(t, r.key.Check(within(t, 20*time.Second)), keyd.Unusable, r.uri, r.device, r.wrongPIN, "not tried again before a restart")
	r.awaitHealth(t, false, 20*time.Second)
	for range 2 {
		r.folder.Set(keydtest.Gone, 1)
		_, err := keyd.ClientFor(r.Socket).Do(within(t, 300*time.Millisecond), keyd.OpRandom, "", []byte{0, 0, 0, 8})
		require.Error(t, err)
		r.folder.Set(keydtest.Gone, 0)
		time.Sleep(time.Second) // several of the waits after a device that is away
		requireCode(t, r.key.Check(within(t, 20*time.Second)), keyd.Unusable)
	}
	require.EqualValues(t, 1, r.folder.Get(keydtest.PINFailures), "in all sessions together")
	for range 2 { // as systemd does after a crash of another library
		r.Kill()
		require.NoError(t, r.Start())
		requireCode(t, r.key.Check(within(t, 20*time.Second)), keyd.Unusable, "the PIN is not sent: it was refused before", r.wrongPIN, r.refused())
	}
	check := exec.Command(keydtest.Program(t, ""), "check", "--config", r.Config)
	check.Env = append(os.Environ(), r.Env...)
	r.Kill()
	out, err := check.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "it was refused before")
	require.EqualValues(t, 1, r.folder.Get(keydtest.PINFailures), "in all starts together")
	remembered, err := os.ReadFile(r.refused())
	require.NoError(t, err)
	for _, text := range []string{r.Log(), string(remembered)} {
		require.NotContains(t, text, "wrong-secret")
	}
	r.setPIN(t, r, keydtest.PIN)
	require.NoError(t, r.Start())
	r.mustSign(t)
	require.NotContains(t, r.Log(), keydtest.PIN)
	remembered, err = os.ReadFile(r.refused())
	require.NoError(t, err)
	require.Equal(t, "{}", string(remembered), "it was corrected")
}

// refused is the file in which the daemon remembers refused PINs.
func (r *rig) refused() string { return r.Socket + ".refused" }

// A PIN that is locked, or that one more mistake would lock, is not sent. One whose lock shows only then is sent once.
func pinLocked(t *testing.T, r *rig) {
	r.start(t)
	for state, want := range r.locked {
		r.Kill()
		r.folder.Set(keydtest.PINState, state)
		before := r.folder.Get(keydtest.PINFailures)
		require.NoError(t, r.Start())
		requireCode(t, r.key.Check(within(t, 20*time.Second)), keyd.Unusable, r.device, want.reason, "not tried again before a restart")
		r.folder.Set(keydtest.PINState, 0)
		time.Sleep(500 * time.Millisecond) // several of the waits after a device that is away
		require.Equal(t, before+want.sent, r.folder.Get(keydtest.PINFailures))
		requireCode(t, r.key.Check(within(t, 20*time.Second)), keyd.Unusable)
		if want.sent != 0 { // the token is unlocked with the same PIN; only the operator knows
			r.Kill()
			require.NoError(t, r.Start())
			requireCode(t, r.key.Check(within(t, 20*time.Second)), keyd.Unusable, "or remove "+r.refused())
			require.NoError(t, os.Remove(r.refused()))
		}
	}
	r.Kill()
	require.NoError(t, r.Start())
	r.mustSign(t)
}

// A device with fewer sessions than are asked for is used in those that it gives, and the status says so.
func fewerSessions(t *testing.T, r *rig) {
	t.Cleanup(func() { r.Kill() })
	for _, limit := range []uint32{3, 1} {
		r.folder.Set(keydtest.SessionLimit, limit)
		r.folder.Set(keydtest.MostInFlight, 0)
		r.folder.Set(keydtest.DelayMicroseconds, 0)
		require.NoError(t, r.Start())
		r.mustSign(t)
		r.folder.Set(keydtest.DelayMicroseconds, 20_000)
		r.parallel(t, 12)
		require.Equal(t, limit, r.folder.Get(keydtest.MostInFlight))
		status := r.status(t)
		require.True(t, status.Healthy)
		require.EqualValues(t, limit, status.Devices[0].Sessions)
		require.Len(t, status.Devices[0].Notes, 1)
		require.Contains(t, status.Devices[0].Notes[0], map[uint32]string{3: "3 sessions instead of ", 1: "1 sessions instead of "}[limit])
		require.Contains(t, status.Devices[0].Notes[0], r.fewer)
		r.awaitLog(t, status.Devices[0].Notes[0])
		r.Kill()
	}
}

// A slow device is used in all sessions. Who waits for one no longer than it has time is told why.
func slowDevice(t *testing.T, r *rig) {
	r.started(t)
	r.folder.Set(keydtest.DelayMicroseconds, 100_000)
	r.parallel(t, 3*r.sessions)
	require.EqualValues(t, r.sessions, r.folder.Get(keydtest.MostInFlight))

	r.folder.Set(keydtest.DelayMicroseconds, 2_000_000)
	var all sync.WaitGroup
	all.Go(func() { r.parallel(t, r.sessions) })
	for int(r.folder.Get(keydtest.InFlight)) < r.sessions {
		time.Sleep(time.Millisecond)
	}
	require.Equal(t, r.sessions, r.status(t).Devices[0].Busy)
	requireCode(t, r.sign(100*time.Millisecond), keyd.Unavailable, r.device+": all of its ", " sessions were busy")
	all.Wait()
	r.folder.Set(keydtest.DelayMicroseconds, 0)
	r.mustSign(t)
	require.Zero(t, r.status(t).Devices[0].Busy)
}

func functionHangs(t *testing.T, r *rig) {
	config, err := os.ReadFile(r.Config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(r.Config, append(config, "\ncallLimit: 3s\n"...), 0o600))
	require.NoError(t, r.Start())
	r.mustSign(t)
	r.folder.Set(keydtest.Hang, 1)
	begun := time.Now()
	go func() { _ = r.sign(time.Second) }()
	require.Equal(t, exitHung, r.Wait())
	require.Greater(t, time.Since(begun), 2900*time.Millisecond)
	require.Contains(t, r.Log(), "does not return")
}

// A library that ends the daemon does not end its clients, who sign when it runs again.
func libraryCrashes(t *testing.T, r *rig) {
	require.NoError(t, r.Start())
	r.mustSign(t)
	r.folder.Set(keydtest.Crash, 1)
	signed := make(chan error, 1)
	go func() { signed <- r.sign(20 * time.Second) }()
	r.Wait()
	r.folder.Set(keydtest.Crash, 0)
	r.start(t)
	require.NoError(t, <-signed, r.Log())
}

// A code of the vendor's own fails the operation. It does not mean that the device has gone, and a node that must sign tries again.
func vendorsCode(t *testing.T, r *rig) {
	r.started(t)
	r.folder.Set(keydtest.VendorError, 1)
	requireCode(t, r.sign(10*time.Second), keyd.Failed, r.vendor, "a code of the vendor's own")
	r.awaitLog(t, r.vendor)
	r.mustSign(t)
	require.NotContains(t, r.Log(), "device lost")

	r.folder.Set(keydtest.VendorError, 3)
	require.NoError(t, keyd.Retry(nil, func() error { return r.sign(10 * time.Second) }))
	require.Zero(t, r.folder.Get(keydtest.VendorError))
}

// A device without random numbers works unless they are asked for.
func noRandom(t *testing.T, r *rig) {
	r.folder.Set(keydtest.NoRandom, 1)
	require.NoError(t, r.Start())
	awaitReason(t, r.Daemon)
	requireCode(t, r.key.Check(within(t, time.Second)), keyd.Unavailable, "self-test of the random generator", r.random)
	r.Kill()
	config, err := os.ReadFile(r.Config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(r.Config, []byte(strings.Replace(string(config), "random: true", "random: false", 1)), 0o600))
	r.started(t)
	_, err = keyd.Random(r.Socket, "").Read(make([]byte, 1))
	requireCode(t, err, keyd.NoKey, "random: true")
	r.folder.Set(keydtest.VendorError, 1)
	requireCode(t, r.sign(10*time.Second), keyd.Failed, r.vendor)
	require.NotContains(t, r.Log(), "device lost", "a session is known to work without random numbers")
	r.folder.Set(keydtest.SessionsLost, 1)
	r.mustSign(t)
	r.awaitLog(t, r.sessionsLost)
}

// A key that signs wrongly is not served. A device whose random numbers repeat is not used.
func selfTestFails(t *testing.T, r *rig) {
	r.folder.Set(keydtest.WrongKey, 1)
	require.NoError(t, r.Start())
	requireCode(t, r.key.Check(within(t, 20*time.Second)), keyd.Unusable, r.uri, "self-test: the device's signature does not verify")
	require.False(t, r.status(t).Healthy)
	r.Kill()
	r.folder.Set(keydtest.WrongKey, 0)
	r.folder.Set(keydtest.FixedRandom, 1)
	r.start(t)
	awaitReason(t, r.Daemon)
	requireCode(t, r.key.Check(within(t, time.Second)), keyd.Unavailable, "random bytes of the device fail a test")
	require.False(t, r.status(t).Healthy)
	r.folder.Set(keydtest.FixedRandom, 0)
	r.mustSign(t)
}

// A generator that stands still later is noticed at the next bytes, before a node mixes them with others, and used again when it moves.
func randomStandsStill(t *testing.T, r *rig) {
	r.started(t)
	random := func(limit time.Duration) error {
		_, err := keyd.ClientFor(r.Socket).Do(within(t, limit), keyd.OpRandom, "", []byte{0, 0, 4, 0})
		return err
	}
	require.NoError(t, random(20*time.Second))
	r.folder.Set(keydtest.FixedRandom, 1)
	requireCode(t, random(time.Second), keyd.Unavailable, "random bytes of the device fail a test: random bytes repeat: nine in a row")
	require.False(t, r.status(t).Healthy)
	r.awaitLog(t, "device lost")
	r.folder.Set(keydtest.FixedRandom, 0)
	require.NoError(t, random(20*time.Second))
	r.mustSign(t)

	r.folder.Set(keydtest.FixedRandom, 2)
	_ = random(time.Second) // the first such answer equals no other
	requireCode(t, random(time.Second), keyd.Unavailable, "two blocks, one after the other, are equal")
	r.folder.Set(keydtest.FixedRandom, 0)
	r.awaitHealth(t, true, 20*time.Second)
}

// A device that is lost at any call of a start is found again, and its key works. In particular, a PIN that did not reach it was not refused.
func lostAtAnyCall(t *testing.T, r *rig) {
	config, err := os.ReadFile(r.Config)
	require.NoError(t, err)
	text := strings.Replace(string(config), "  sessions: 4\n", "", 1)
	require.NoError(t, os.WriteFile(r.Config, []byte(strings.Replace(text, "  random: true\n", "  random: true\n  sessions: 2\n", 1)), 0o600))
	for call := uint32(1); ; call++ {
		r.folder.Set(keydtest.LostCall, call)
		require.NoError(t, r.Start())
		r.mustSign(t)
		require.True(t, r.status(t).Healthy, "lost at call %d:\n%s", call, r.Log())
		r.Kill()
		if r.folder.Get(keydtest.LostCall) != 0 { // there are not so many
			require.Greater(t, call, uint32(10))
			return
		}
	}
}

// ciphertext encrypts a secret for a key of the device.
func (r *rig) ciphertext(t *testing.T) (*keyd.Key, []byte) {
	t.Helper()
	uri, private := r.uri, r.public
	if r.encrypt != nil {
		uri, private = encryptURI, r.encrypt
	}
	k, err := keyd.NewKey(keydtest.Must(r.Reference(uri, private))(t))
	require.NoError(t, err)
	ciphertext, err := sm2.EncryptASN1(rand.Reader, &private.PublicKey, []byte("a secret"))
	require.NoError(t, err)
	return k, ciphertext
}

// A bad ciphertext, which a stranger makes, takes no device out of use, whatever code the device has for it. A device that has a fault once
// decrypts a good one.
func badCiphertext(t *testing.T, r *rig) {
	r.started(t)
	k, ciphertext := r.ciphertext(t)
	bad := bytes.Clone(ciphertext)
	bad[len(bad)-1] ^= 1
	for _, code := range r.badText {
		r.folder.Set(keydtest.TextCode, code)
		_, err := k.Decrypt(nil, bad, nil)
		requireCode(t, err, keyd.Failed, "the device decrypts, but not this ciphertext", fmt.Sprintf("0x%08X", code))
	}
	r.folder.Set(keydtest.LostRights, 1)
	plain, err := k.Decrypt(nil, ciphertext, nil)
	require.NoError(t, err)
	require.Equal(t, "a secret", string(plain))
	require.NotContains(t, r.Log(), "device lost")

	r.folder.Set(keydtest.SessionsLost, 1)
	plain, err = k.Decrypt(nil, ciphertext, nil)
	require.NoError(t, err)
	require.Equal(t, "a secret", string(plain))
	r.awaitLog(t, "device lost")
}

// A device that gives less than was encrypted fails.
func shortPlaintext(t *testing.T, r *rig) {
	r.started(t)
	k, ciphertext := r.ciphertext(t)
	plain, err := k.Decrypt(nil, ciphertext, nil)
	require.NoError(t, err)
	require.Equal(t, "a secret", string(plain))
	r.folder.Set(keydtest.WrongPlain, 2)
	_, err = k.Decrypt(nil, ciphertext, nil)
	requireCode(t, err, keyd.Failed, "7 bytes of plaintext, want 8")
}
