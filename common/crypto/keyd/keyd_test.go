// SPDX-License-Identifier: Apache-2.0

package keyd_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
)

func TestURI(t *testing.T) {
	for text, canonical := range map[string]string{
		"sdf:device=hsm;index=3;usage=sign":                            "",
		"sdf:usage=encrypt;device=hsm-1.a_b;index=4294967295":          "sdf:device=hsm-1.a_b;index=4294967295;usage=encrypt",
		"pkcs11:object=peer%20key;token=my%3btoken;type=private":       "pkcs11:token=my%3Btoken;object=peer%20key",
		"pkcs11:serial=00%2F1;id=%01%fFa":                              "pkcs11:serial=00%2F1;id=%01%ff%61",
		"pkcs11:token=%E4%B8%AD;object=x":                              "",
		"pkcs11:id=%00":                                                "",
		"pkcs11:token=t;serial=s;object=o;id=%01%02%03%04%05%06%07%08": "",
	} {
		u, err := keyd.ParseURI(text)
		require.NoError(t, err, text)
		if canonical == "" {
			canonical = text
		}
		require.Equal(t, canonical, u.String())
		again, err := keyd.ParseURI(u.String())
		require.NoError(t, err)
		require.Equal(t, u, again)
		require.True(t, u.Matches(again))
	}
	for text, reason := range map[string]string{
		"":                                           "neither sdf nor pkcs11",
		"file:/x":                                    "neither sdf nor pkcs11",
		"sdf:device=a;index=1":                       "needs device, index and usage",
		"sdf:device=a;index=0;usage=sign":            "not a number from 1 on",
		"sdf:device=a;index=-1;usage=sign":           "not a number from 1 on",
		"sdf:device=a;index=1;usage=both":            "neither sign nor encrypt",
		"sdf:device=a;index=1;usage=sign;pin=1":      "attribute pin is not known",
		"sdf:device=a;device=b":                      "occurs twice",
		"sdf:device":                                 "has no value",
		"sdf:device=":                                "is empty",
		"pkcs11:token=t":                             "needs object or id",
		"pkcs11:object=o;type=cert":                  "type is not private",
		"pkcs11:object=%zz":                          "percent sign",
		"pkcs11:object=o?pin-value=12345678":         "query part",
		"pkcs11:object=" + strings.Repeat("a", 2000): "more than the 1024 allowed",
	} {
		_, err := keyd.ParseURI(text)
		require.ErrorContains(t, err, reason, text)
		require.NotContains(t, err.Error(), "12345678")
	}
}

func TestMatches(t *testing.T) {
	key := keyd.URI{Scheme: "pkcs11", Token: "t", Serial: "s", Object: "o", ID: []byte{1}}
	for _, wrong := range []string{"pkcs11:token=u;object=o", "pkcs11:serial=r;object=o", "pkcs11:object=p", "pkcs11:id=%02", "sdf:device=t;index=1;usage=sign"} {
		u, err := keyd.ParseURI(wrong)
		require.NoError(t, err)
		require.False(t, u.Matches(key), wrong)
	}
	other := keyd.URI{Scheme: "sdf", Device: "d", Index: 1, Usage: keyd.UsageSign}
	for _, wrong := range []string{"sdf:device=e;index=1;usage=sign", "sdf:device=d;index=2;usage=sign", "sdf:device=d;index=1;usage=encrypt"} {
		u, err := keyd.ParseURI(wrong)
		require.NoError(t, err)
		require.False(t, u.Matches(other), wrong)
	}
}

func TestReference(t *testing.T) {
	key := keydtest.NewKey(t)
	u, err := keyd.ParseURI("sdf:device=hsm;index=1;usage=sign")
	require.NoError(t, err)
	want := keyd.Reference{URI: u, Socket: "/run/x.sock", Public: &key.PublicKey}
	text, err := want.Encode()
	require.NoError(t, err)
	require.Contains(t, string(text), "Key: sdf:device=hsm;index=1;usage=sign\n", "an operator can read it")
	k, err := keyd.ParseReference(text)
	require.NoError(t, err)
	require.Equal(t, want.Socket, k.Reference().Socket)
	require.Equal(t, want.URI, k.Reference().URI)
	require.True(t, key.PublicKey.Equal(k.Public()))

	block, _ := pem.Decode(text)
	for reason, change := range map[string]func(*pem.Block){
		"not a key reference":       func(b *pem.Block) { b.Type = "PRIVATE KEY" },
		"neither sdf nor pkcs11":    func(b *pem.Block) { delete(b.Headers, "Key") },
		"not an absolute path":      func(b *pem.Block) { b.Headers["Socket"] = "x.sock" },
		`header "Pin" is not known`: func(b *pem.Block) { b.Headers["Pin"] = "1" },
		"public key is missing":     func(b *pem.Block) { b.Bytes = nil },
		"its public key":            func(b *pem.Block) { b.Bytes = b.Bytes[1:] },
	} {
		changed := &pem.Block{Type: block.Type, Headers: map[string]string{}, Bytes: block.Bytes}
		for name, value := range block.Headers {
			changed.Headers[name] = value
		}
		change(changed)
		_, err := keyd.ParseReference(pem.EncodeToMemory(changed))
		require.ErrorContains(t, err, reason)
	}
	_, err = keyd.ParseReference([]byte("x"))
	require.ErrorContains(t, err, "no PEM")
}

func TestOptions(t *testing.T) {
	u := keyd.URI{Scheme: "sdf", Device: "d", Index: 1, Usage: keyd.UsageSign}
	k, err := keyd.NewKey(keyd.Reference{URI: u, Socket: "/none", Public: &keydtest.NewKey(t).PublicKey})
	require.NoError(t, err)
	_, err = k.Sign(nil, make([]byte, 32), sm2.NewSM2SignerOption(false, nil))
	require.ErrorContains(t, err, "signs messages with sm2.DefaultSM2SignerOpts")
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	k, err = keyd.NewKey(keyd.Reference{URI: u, Socket: "/none", Public: &ec.PublicKey})
	require.NoError(t, err)
	_, err = k.Decrypt(nil, []byte("x"), nil)
	require.ErrorContains(t, err, "does not decrypt")
}

// Health is about keys that may be used again: not about one that nothing refers to, and not about one that was replaced.
func TestHealthOfReplacedKeys(t *testing.T) {
	keyd.Forget()
	d := keydtest.StartSDF(t)
	health := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return keyd.Health(ctx)
	}
	used := func(text []byte) *keyd.Key {
		k, err := keyd.ParseReference(text)
		require.NoError(t, err)
		require.NoError(t, k.Check(context.Background()))
		return k
	}
	kept, replaced := used(d.SignReference(t)), used(d.EncryptReference(t))
	again := used(d.SignReference(t)) // as a reload of the same files does
	_ = used(d.EncryptReference(t))   // as a reload that is refused does
	d.Kill()
	require.Error(t, health())
	again.Retire()
	require.ErrorContains(t, health(), "index=1", "another use of the same key is still there")
	kept.Retire()
	require.ErrorContains(t, health(), "usage=encrypt")
	replaced.Retire()
	require.Eventually(t, func() bool { runtime.GC(); return health() == nil }, 10*time.Second, 10*time.Millisecond)
	require.Contains(t, replaced.String(), "usage=encrypt", "it is still referred to")
}

// TestHealth is about the keys of a whole process.
func TestHealth(t *testing.T) {
	keyd.Forget()
	d := keydtest.StartSDF(t)
	k, err := keyd.ParseReference(d.SignReference(t))
	require.NoError(t, err)
	var uses, failures []string
	keyd.OnUse = func(key, socket string) { uses = append(uses, key+" "+socket) }
	keyd.OnFailure = func(key, socket string, err error) { failures = append(failures, key+" "+socket) }
	defer func() { keyd.OnUse, keyd.OnFailure = nil, nil }()
	health := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		return keyd.Health(ctx)
	}
	d.Folder.Set(keydtest.Gone, 1)
	require.NoError(t, health(300*time.Millisecond), "a key that was only read is not depended on")
	d.Folder.Set(keydtest.Gone, 0)
	_, err = k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	require.NoError(t, err)
	require.NoError(t, health(5*time.Second))
	name := "sdf:device=hsm;index=1;usage=sign " + d.Socket
	require.Equal(t, []string{name}, uses, "once, not with each signature")
	require.Empty(t, failures)
	d.Folder.Set(keydtest.WrongKey, 1)
	_, err = k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	require.Error(t, err)
	require.ErrorContains(t, health(5*time.Second), "does not fit the public key", "though the device shows the right one")
	d.Folder.Set(keydtest.WrongKey, 0)
	_, err = k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	require.NoError(t, err)
	require.NoError(t, health(5*time.Second))
	require.Equal(t, []string{name}, failures)
	failures = nil
	d.Kill()
	err = health(300 * time.Millisecond)
	require.ErrorContains(t, err, "sdf:device=hsm;index=1;usage=sign")
	require.ErrorContains(t, err, "is gmkeyd running?")
	require.Equal(t, []string{name}, failures)
	require.NoError(t, d.Start())
	require.NoError(t, health(10*time.Second))

	random := keyd.Random(d.Socket, "none")
	require.ErrorContains(t, health(5*time.Second), "no device of this name")
	_, err = random.Read(make([]byte, 1))
	require.Error(t, err)
}

func FuzzReadRequest(f *testing.F) {
	f.Add(keyd.AppendRequest(nil, keyd.Request{Op: keyd.OpSignDigest, Timeout: time.Second, Name: "sdf:device=a;index=1;usage=sign", Payload: make([]byte, 32)}))
	f.Add([]byte{0, 0, 0, 8, 1, 1, 0, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		req, err := keyd.ReadRequest(bytes.NewReader(raw), func(keyd.Request) error { return nil })
		if err != nil {
			return
		}
		req.Timeout = min(req.Timeout, 1<<31*time.Millisecond) // the most that is written
		again, err := keyd.ReadRequest(io.MultiReader(bytes.NewReader(keyd.AppendRequest(nil, req))), func(keyd.Request) error { return nil })
		require.NoError(t, err)
		require.Equal(t, req, again)
	})
}

func TestRetry(t *testing.T) {
	tries := 0
	left := func(errs ...error) func() error {
		tries = 0
		return func() error {
			tries++
			if tries > len(errs) {
				return nil
			}
			return errs[tries-1]
		}
	}
	away, refused := &keyd.Error{Code: keyd.Unavailable}, &keyd.Error{Code: keyd.Failed, Op: keyd.OpDecrypt}
	busy := &keyd.Error{Code: keyd.Failed, Op: keyd.OpSignDigest}
	require.NoError(t, keyd.Retry(nil, left(away, busy)))
	require.Equal(t, 3, tries)
	require.ErrorIs(t, keyd.Retry(nil, left(away, refused, away)), refused)
	require.Equal(t, 2, tries)
	stop := make(chan struct{})
	close(stop)
	require.ErrorIs(t, keyd.Retry(stop, left(away, away)), away)
	require.Equal(t, 1, tries)
}

// FuzzParseURI: a URI that is taken has one form, which names the same key.
func FuzzParseURI(f *testing.F) {
	f.Add("sdf:device=a;index=1;usage=sign")
	f.Add("pkcs11:token=a%20b;serial=1;object=key;id=%01%02;type=private")
	f.Fuzz(func(t *testing.T, text string) {
		uri, err := keyd.ParseURI(text)
		if err != nil || len(uri.String()) > 1024 { // the most that is read
			return
		}
		again, err := keyd.ParseURI(uri.String())
		require.NoError(t, err)
		require.Equal(t, uri, again)
		require.True(t, uri.Matches(again))
	})
}
