// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tjsm2 "github.com/tjfoc/gmsm/sm2"
)

var messageOpts = &bccsp.SM2SignerOpts{}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	out, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	require.NoError(t, err)
	return out
}

func newKey(t testing.TB) *sm2PrivateKey {
	t.Helper()
	k, err := sm2KeyGenerator{}.KeyGen(nil)
	require.NoError(t, err)
	return k.(*sm2PrivateKey)
}

// standardKey is the key pair of the examples of GB/T 32918.5.
func standardKey(t testing.TB) *sm2PrivateKey {
	t.Helper()
	k, err := ImportPrivateKey(unhex(t, standardAnswers.sm2Private))
	require.NoError(t, err)
	require.Equal(t, unhex(t, standardAnswers.sm2Public), point(t, k.(*sm2PrivateKey)))
	return k.(*sm2PrivateKey)
}

func point(t testing.TB, k *sm2PrivateKey) []byte {
	t.Helper()
	p, err := gmx509.SM2Point(k.pub.key)
	require.NoError(t, err)
	return p
}

func derSignature(t testing.TB, rs []byte) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(rs[:32]), new(big.Int).SetBytes(rs[32:])})
	require.NoError(t, err)
	return der
}

// GB/T 32918.5, annex A.2.
func TestSM2SignatureOfTheStandard(t *testing.T) {
	key := standardKey(t)
	require.Equal(t, unhex(t, "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640"), key.pub.digest([]byte("message digest")))
	sig := derSignature(t, unhex(t, standardAnswers.sm2Signature))
	ok, err := sm2PublicKeyVerifier{}.Verify(key.pub, sig, []byte("message digest"), messageOpts)
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = sm2PrivateKeyVerifier{}.Verify(key, sig, []byte("message digest"), messageOpts)
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = sm2PublicKeyVerifier{}.Verify(key.pub, sig, []byte("Message digest"), messageOpts)
	require.NoError(t, err)
	require.False(t, ok)
}

func TestSM2SignAndVerify(t *testing.T) {
	key, other := newKey(t), newKey(t)
	for _, msg := range [][]byte{nil, {}, {0}, []byte("message"), make([]byte, 32), bytes.Repeat([]byte("x"), 1<<20)} {
		sig, err := sm2Signer{}.Sign(key, msg, messageOpts)
		require.NoError(t, err)
		require.NoError(t, gmx509.CheckSM2SignatureDER(sig))
		for _, k := range []*sm2PublicKey{key.pub, other.pub} {
			ok, err := sm2PublicKeyVerifier{}.Verify(k, sig, msg, messageOpts)
			require.NoError(t, err)
			require.Equal(t, k == key.pub, ok)
		}
		// The engine agrees on what was signed.
		require.True(t, sm2.VerifyASN1WithSM2(key.pub.key, nil, msg, sig))
		again, err := sm2Signer{}.Sign(key, msg, messageOpts)
		require.NoError(t, err)
		require.NotEqual(t, sig, again, "signatures are random")
	}
}

func TestSM2SignatureChanges(t *testing.T) {
	key, msg := newKey(t), []byte("message")
	sig, err := sm2Signer{}.Sign(key, msg, messageOpts)
	require.NoError(t, err)
	for i := range sig {
		for bit := range 8 {
			bad := append([]byte(nil), sig...)
			bad[i] ^= 1 << bit
			ok, _ := sm2PublicKeyVerifier{}.Verify(key.pub, bad, msg, messageOpts)
			require.False(t, ok)
		}
	}
	var rs struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(sig, &rs)
	require.NoError(t, err)
	n := sm2.P256().Params().N
	for name, bad := range map[string][]byte{
		"s + n":         mustMarshal(t, rs.R, new(big.Int).Add(rs.S, n)),
		"n - s":         mustMarshal(t, rs.R, new(big.Int).Sub(n, rs.S)),
		"r and s":       mustMarshal(t, rs.S, rs.R),
		"nothing":       nil,
		"data behind":   append(append([]byte(nil), sig...), 0),
		"longer length": append([]byte{0x30, 0x81}, sig[1:]...),
		"bare":          append(rs.R.Bytes(), rs.S.Bytes()...),
	} {
		ok, err := sm2PublicKeyVerifier{}.Verify(key.pub, bad, msg, messageOpts)
		require.False(t, ok, name)
		if name != "n - s" && name != "r and s" { // what is not canonical DER is distinguished from what does not verify
			require.Error(t, err, name)
		}
	}
}

func mustMarshal(t testing.TB, r, s *big.Int) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	require.NoError(t, err)
	return der
}

// A digest in place of the message must not pass for one.
func TestSM2RefusesDigests(t *testing.T) {
	key := newKey(t)
	digest := sha256.Sum256([]byte("message"))
	for _, opts := range []bccsp.SignerOpts{nil, crypto.SHA256, crypto.Hash(0), sm2.NewSM2SignerOption(true, []byte("other id")), sm2.NewSM2SignerOption(false, nil)} {
		_, err := sm2Signer{}.Sign(key, digest[:], opts)
		require.ErrorContains(t, err, "pass the message")
		_, err = sm2PublicKeyVerifier{}.Verify(key.pub, []byte{0x30}, digest[:], opts)
		require.ErrorContains(t, err, "pass the message")
	}
	_, err := sm2Signer{}.Sign(key, []byte("x"), sm2.DefaultSM2SignerOpts)
	require.NoError(t, err, "certificates are signed with these options")
}

func TestSM2WithTjfoc(t *testing.T) {
	key := newKey(t)
	d := key.key.D
	theirs := &tjsm2.PrivateKey{D: d}
	theirs.Curve = tjsm2.P256Sm2()
	theirs.X, theirs.Y = theirs.Curve.ScalarBaseMult(d.Bytes())
	require.Zero(t, theirs.X.Cmp(key.key.X))
	msg := []byte("message")

	sig, err := theirs.Sign(rand.Reader, msg, nil)
	require.NoError(t, err)
	ok, err := sm2PublicKeyVerifier{}.Verify(key.pub, sig, msg, messageOpts)
	require.NoError(t, err)
	require.True(t, ok)
	sig, err = sm2Signer{}.Sign(key, msg, messageOpts)
	require.NoError(t, err)
	require.True(t, theirs.PublicKey.Verify(msg, sig))

	text, err := theirs.PublicKey.EncryptAsn1(msg, rand.Reader)
	require.NoError(t, err)
	plain, err := sm2Decryptor{}.Decrypt(key, text, &bccsp.SM2EncrypterOpts{})
	require.NoError(t, err)
	require.Equal(t, msg, plain)
	text, err = sm2Encryptor{}.Encrypt(key.pub, msg, &bccsp.SM2EncrypterOpts{})
	require.NoError(t, err)
	plain, err = theirs.DecryptAsn1(text)
	require.NoError(t, err)
	require.Equal(t, msg, plain)
}

// GB/T 32918.5, annex C.2, in the encoding of GM/T 0009, section 7.2.
func TestSM2Encryption(t *testing.T) {
	opts := &bccsp.SM2EncrypterOpts{}
	key := standardKey(t)
	raw := unhex(t, standardAnswers.sm2Encrypted)
	text, err := asn1.Marshal(struct {
		X, Y   *big.Int
		C3, C2 []byte
	}{new(big.Int).SetBytes(raw[1:33]), new(big.Int).SetBytes(raw[33:65]), raw[65:97], raw[97:]})
	require.NoError(t, err)
	plain, err := sm2Decryptor{}.Decrypt(key, text, opts)
	require.NoError(t, err)
	require.Equal(t, "encryption standard", string(plain))

	for i := range text {
		bad := append([]byte(nil), text...)
		bad[i] ^= 1
		_, err := sm2Decryptor{}.Decrypt(key, bad, opts)
		require.ErrorIs(t, err, errDecryption)
	}
	for _, bad := range [][]byte{nil, {0x30}, raw, text[:len(text)-1], append(append([]byte(nil), text...), 0)} {
		_, err := sm2Decryptor{}.Decrypt(key, bad, opts)
		require.ErrorIs(t, err, errDecryption)
	}
	for _, size := range []int{1, 31, 32, 33, 1000} {
		msg := bytes.Repeat([]byte{7}, size)
		text, err := sm2Encryptor{}.Encrypt(key.pub, msg, opts)
		require.NoError(t, err)
		plain, err := sm2Decryptor{}.Decrypt(key, text, opts)
		require.NoError(t, err)
		require.Equal(t, msg, plain)
		_, err = sm2Decryptor{}.Decrypt(newKey(t), text, opts)
		require.ErrorIs(t, err, errDecryption)
	}
	// Of so many, some eight begin with a scalar whose key stream is zero.
	for i := range 2000 {
		text, err := sm2Encryptor{}.Encrypt(key.pub, []byte{byte(i)}, opts)
		require.NoError(t, err)
		plain, err := sm2Decryptor{}.Decrypt(key, text, opts)
		require.NoError(t, err)
		require.Equal(t, []byte{byte(i)}, plain)
	}
	_, err = sm2Encryptor{}.Encrypt(key.pub, nil, opts)
	require.ErrorContains(t, err, "empty")
	_, err = sm2Encryptor{}.Encrypt(key.pub, []byte("x"), nil)
	require.ErrorIs(t, err, errSM2Opts)
	_, err = sm2Decryptor{}.Decrypt(key, text, &bccsp.SM4GCMModeOpts{})
	require.ErrorIs(t, err, errSM2Opts)
}

// A source whose scalars all give a key stream of zero ends in an error.
func TestSM2EncryptionEnds(t *testing.T) {
	key := standardKey(t)
	for scalar := 1; scalar < 10000; scalar++ {
		random := &sameScalar{last: []byte{byte(scalar >> 8), byte(scalar)}}
		if _, err := encryptSM2(random, key.pub.key, []byte{1}); err != nil {
			require.ErrorIs(t, err, errScalarRefused)
			require.Equal(t, maxScalars, random.read)
			return
		}
	}
	t.Fatal("no scalar was refused")
}

// sameScalar gives one scalar of 32 bytes again and again.
type sameScalar struct {
	last []byte
	read int
}

func (s *sameScalar) Read(p []byte) (int, error) {
	s.read++
	clear(p)
	copy(p[len(p)-len(s.last):], s.last)
	return len(p), nil
}

func TestSM2Import(t *testing.T) {
	key := newKey(t)
	pkcs8, err := gmx509.MarshalPKCS8PrivateKey(key.key)
	require.NoError(t, err)
	sec1, err := gmx509.MarshalECPrivateKey(&key.key.PrivateKey)
	require.NoError(t, err)
	for name, raw := range map[string]any{"PKCS#8": pkcs8, "SEC1": sec1, "raw": key.key.D.FillBytes(make([]byte, 32)), "Go": key.key} {
		k, err := ImportPrivateKey(raw)
		require.NoError(t, err, name)
		require.Equal(t, key.SKI(), k.SKI(), name)
		require.True(t, k.Private())
		require.False(t, k.Symmetric())
		_, err = k.Bytes()
		require.ErrorIs(t, err, errNotExportable)
	}
	pkix, err := key.pub.Bytes()
	require.NoError(t, err)
	for name, raw := range map[string]any{"PKIX": pkix, "raw": point(t, key), "Go": key.pub.key} {
		k, err := ImportPublicKey(raw)
		require.NoError(t, err, name)
		require.Equal(t, key.SKI(), k.SKI(), name)
		require.False(t, k.Private())
		pub, err := k.PublicKey()
		require.NoError(t, err)
		require.Equal(t, k, pub)
	}
	ski := sha256.Sum256(point(t, key))
	require.Equal(t, ski[:], key.SKI(), "as Fabric computes it for ECDSA")

	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p256DER, err := gmx509.MarshalPKCS8PrivateKey(p256)
	require.NoError(t, err)
	p256Pub, err := gmx509.MarshalPKIXPublicKey(&p256.PublicKey)
	require.NoError(t, err)
	offCurve := point(t, key)
	offCurve[64] ^= 1
	swapped := &sm2.PrivateKey{PrivateKey: ecdsa.PrivateKey{PublicKey: *newKey(t).pub.key, D: key.key.D}}
	for name, raw := range map[string]any{
		"nil": nil, "empty": []byte{}, "zero": make([]byte, 32), "ones": bytes.Repeat([]byte{0xff}, 32), "P-256": p256DER,
		"string": "key", "P-256 Go": p256, "nil key": (*sm2.PrivateKey)(nil), "foreign public half": swapped, "public": pkix,
	} {
		_, err := ImportPrivateKey(raw)
		require.Error(t, err, name)
	}
	for name, raw := range map[string]any{
		"nil": nil, "empty": []byte{}, "off the curve": offCurve, "Go, off the curve": &ecdsa.PublicKey{Curve: sm2.P256(), X: big.NewInt(1), Y: big.NewInt(1)}, "P-256": p256Pub, "P-256 Go": &p256.PublicKey, "private": pkcs8,
		"nil key": (*ecdsa.PublicKey)(nil), "compressed": append([]byte{2}, offCurve[1:33]...), "zero": append([]byte{4}, make([]byte, 64)...),
	} {
		_, err := ImportPublicKey(raw)
		require.Error(t, err, name)
	}
}

func TestSM2Derivation(t *testing.T) {
	n := sm2.P256().Params().N
	key := newKey(t)
	for _, expansion := range [][]byte{nil, {1}, n.Bytes(), bytes.Repeat([]byte{0xff}, 100), []byte("expansion")} {
		opts := &bccsp.ECDSAReRandKeyOpts{Temporary: true, Expansion: expansion}
		priv, err := sm2PrivateKeyDeriver{}.KeyDeriv(key, opts)
		require.NoError(t, err)
		pub, err := sm2PublicKeyDeriver{}.KeyDeriv(key.pub, opts)
		require.NoError(t, err)
		require.Equal(t, priv.SKI(), pub.SKI())
		require.NotEqual(t, key.SKI(), pub.SKI())

		// The formula, computed in another way.
		d := new(big.Int).SetBytes(expansion)
		d.Mod(d, new(big.Int).Sub(n, big.NewInt(1))).Add(d, big.NewInt(1)).Add(d, key.key.D).Mod(d, n)
		require.Zero(t, d.Cmp(priv.(*sm2PrivateKey).key.D))

		sig, err := sm2Signer{}.Sign(priv, []byte("m"), messageOpts)
		require.NoError(t, err)
		ok, err := sm2PublicKeyVerifier{}.Verify(pub, sig, []byte("m"), messageOpts)
		require.NoError(t, err)
		require.True(t, ok)
	}

	// d + t = n: the derived key would be zero.
	t1 := new(big.Int).Sub(n, key.key.D)
	opts := &bccsp.ECDSAReRandKeyOpts{Expansion: t1.Sub(t1, big.NewInt(1)).Bytes()}
	_, err := sm2PrivateKeyDeriver{}.KeyDeriv(key, opts)
	require.Error(t, err)
	_, err = sm2PublicKeyDeriver{}.KeyDeriv(key.pub, opts)
	require.ErrorContains(t, err, "point at infinity")
	_, err = sm2PrivateKeyDeriver{}.KeyDeriv(key, &bccsp.HMACDeriveKeyOpts{})
	require.ErrorContains(t, err, "ECDSAReRandKeyOpts")
	_, err = sm2PublicKeyDeriver{}.KeyDeriv(key.pub, &bccsp.HMACDeriveKeyOpts{})
	require.ErrorContains(t, err, "ECDSAReRandKeyOpts")
}

func TestAddModOrder(t *testing.T) {
	n := sm2.P256().Params().N
	last := new(big.Int).Sub(n, big.NewInt(1))
	values := []*big.Int{new(big.Int), big.NewInt(1), last, new(big.Int).Rsh(n, 1), new(big.Int).Add(new(big.Int).Rsh(n, 1), big.NewInt(1))}
	for range 20 {
		v, err := rand.Int(rand.Reader, n)
		require.NoError(t, err)
		values = append(values, v)
	}
	for _, a := range values {
		for _, b := range values {
			want := new(big.Int).Add(a, b)
			want.Mod(want, n)
			require.Equal(t, want.FillBytes(make([]byte, 32)), addModOrder(a.FillBytes(make([]byte, 32)), b.FillBytes(make([]byte, 32))))
		}
	}
}

// GB/T 32905, annex A, and the empty message.
func TestSM3(t *testing.T) {
	for msg, sum := range map[string]string{
		"":                         "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b",
		"abc":                      standardAnswers.sm3Abc,
		strings.Repeat("abcd", 16): standardAnswers.sm3Abcd,
	} {
		got, err := sm3Hasher{}.Hash([]byte(msg), &bccsp.SM3Opts{})
		require.NoError(t, err)
		require.Equal(t, unhex(t, sum), got)
		h, err := sm3Hasher{}.GetHash(&bccsp.SM3Opts{})
		require.NoError(t, err)
		h.Write([]byte(msg))
		require.Equal(t, got, h.Sum(nil))
	}
}

// GM/T 0042, annex D.3.
func TestHMACSM3(t *testing.T) {
	for _, c := range []struct{ key, msg, mac string }{
		{
			"0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
			hex.EncodeToString([]byte(strings.Repeat("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 2))),
			"ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a",
		},
		{
			"0102030405060708090a0b0c0d0e0f10111213141516171819" + "1a1b1c1d1e1f202122232425",
			strings.Repeat("cd", 50),
			"220bf579ded555393f0159f66c99877822a3ecf610d1552154b41d44b94db3ae",
		},
	} {
		key, err := hmacKeyImporter{}.KeyImport(unhex(t, c.key), nil)
		require.NoError(t, err)
		mac, err := symmetricKeyDeriver{}.KeyDeriv(key, &bccsp.HMACDeriveKeyOpts{Arg: unhex(t, c.msg)})
		require.NoError(t, err)
		raw, err := mac.Bytes()
		require.NoError(t, err)
		require.Equal(t, unhex(t, c.mac), raw)

		derived, err := symmetricKeyDeriver{}.KeyDeriv(key, &bccsp.HMACTruncatedSM4DeriveKeyOpts{Arg: unhex(t, c.msg)})
		require.NoError(t, err)
		require.Equal(t, raw[:16], derived.(*sm4Key).raw)
		_, err = derived.Bytes()
		require.ErrorIs(t, err, errNotExportable)
		_, err = key.Bytes()
		require.ErrorIs(t, err, errNotExportable)
	}
	for _, raw := range []any{nil, []byte{}, "x"} {
		_, err := hmacKeyImporter{}.KeyImport(raw, nil)
		require.Error(t, err)
	}
}

// GB/T 32907, annex A.2: one block, encrypted a million times.
func TestSM4MillionTimes(t *testing.T) {
	block, err := sm4.NewCipher(unhex(t, standardAnswers.sm4Key))
	require.NoError(t, err)
	text := unhex(t, standardAnswers.sm4Plain)
	for range 1_000_000 {
		block.Encrypt(text, text)
	}
	require.Equal(t, unhex(t, "595298c7c6fd271f0402f804c33d3f66"), text)
}

func sm4TestKey(t testing.TB) bccsp.Key {
	t.Helper()
	k, err := sm4KeyImporter{}.KeyImport(unhex(t, standardAnswers.sm4Key), nil)
	require.NoError(t, err)
	return k
}

func TestSM4KnownAnswers(t *testing.T) {
	// RFC 8998, appendix A.1.
	nonce := unhex(t, "00001234567800000000abcd")
	text := unhex(t, "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"+
		"d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"+"83de3541e4c2b58177e065a9bf7b62ec")
	opts := &bccsp.SM4GCMModeOpts{AdditionalData: unhex(t, "feedfacedeadbeeffeedfacedeadbeefabaddad2")}
	plain, err := sm4Decryptor{}.Decrypt(sm4TestKey(t), append(nonce, text...), opts)
	require.NoError(t, err)
	require.Equal(t, unhex(t, "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"+
		"eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"), plain)

	// printf 'The quick brown fox' | openssl enc -sm4-cbc -K 0123456789abcdeffedcba9876543210 -iv 000102030405060708090a0b0c0d0e0f
	text = unhex(t, "000102030405060708090a0b0c0d0e0f b6556613480f80c2a4c4beadbdc795cef8e94a010adc3fcb23742afa14d086d4")
	plain, err = sm4Decryptor{}.Decrypt(sm4TestKey(t), text, &bccsp.SM4CBCPKCS7ModeOpts{})
	require.NoError(t, err)
	require.Equal(t, "The quick brown fox", string(plain))
}

func TestSM4Modes(t *testing.T) {
	key := sm4TestKey(t)
	other, err := sm4KeyGenerator{}.KeyGen(nil)
	require.NoError(t, err)
	for name, opts := range map[string]any{"GCM": &bccsp.SM4GCMModeOpts{AdditionalData: []byte("a")}, "CBC": &bccsp.SM4CBCPKCS7ModeOpts{}} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{0, 1, 15, 16, 17, 32, 4097} {
				msg := bytes.Repeat([]byte{byte(size)}, size)
				text, err := sm4Encryptor{}.Encrypt(key, msg, opts)
				require.NoError(t, err)
				again, err := sm4Encryptor{}.Encrypt(key, msg, opts)
				require.NoError(t, err)
				require.NotEqual(t, text, again, "nonce and IV are random")
				plain, err := sm4Decryptor{}.Decrypt(key, text, opts)
				require.NoError(t, err)
				require.True(t, bytes.Equal(msg, plain))
				for _, cut := range []int{0, 1, len(text) / 2, len(text) - 1} {
					_, err := sm4Decryptor{}.Decrypt(key, text[:cut], opts)
					if cut%16 != 0 || cut < 32 || name == "GCM" {
						require.ErrorIs(t, err, errDecryption)
					}
				}
				if name == "CBC" {
					continue // not authenticated
				}
				_, err = sm4Decryptor{}.Decrypt(other, text, opts)
				require.ErrorIs(t, err, errDecryption)
				_, err = sm4Decryptor{}.Decrypt(key, text, &bccsp.SM4GCMModeOpts{AdditionalData: []byte("b")})
				require.ErrorIs(t, err, errDecryption)
				for i := 0; i < len(text); i += 1 + len(text)/64 {
					bad := append([]byte(nil), text...)
					bad[i] ^= 1
					_, err := sm4Decryptor{}.Decrypt(key, bad, opts)
					require.ErrorIs(t, err, errDecryption)
				}
			}
		})
	}
	for _, opts := range []any{nil, &bccsp.AESCBCPKCS7ModeOpts{}, bccsp.SM4GCMModeOpts{}} {
		_, err := sm4Encryptor{}.Encrypt(key, []byte("x"), opts)
		require.ErrorIs(t, err, errSM4Opts)
		_, err = sm4Decryptor{}.Decrypt(key, []byte("x"), opts)
		require.ErrorIs(t, err, errSM4Opts)
	}
	for _, raw := range []any{nil, []byte{}, make([]byte, 15), make([]byte, 17), make([]byte, 32), "0123456789abcdef"} {
		_, err := sm4KeyImporter{}.KeyImport(raw, nil)
		require.Error(t, err)
	}
}

// Every PKCS#7 padding byte is looked at.
func TestCBCPadding(t *testing.T) {
	block, err := sm4.NewCipher(unhex(t, standardAnswers.sm4Key))
	require.NoError(t, err)
	for pad := 0; pad <= 255; pad++ {
		for flip := -1; flip < 16; flip++ {
			plain := make([]byte, 16)
			for i := 0; i < 16 && i < pad; i++ {
				plain[15-i] = byte(pad)
			}
			plain[15] = byte(pad)
			if flip >= 0 {
				plain[flip] ^= 0x40
			}
			p := int(plain[15])
			good := p >= 1 && p <= 16 && bytes.Count(plain[16-min(max(p, 0), 16):], []byte{byte(p)}) == p
			text := make([]byte, 32)
			for i := range 16 {
				text[16+i] = plain[i] // the IV is zero
			}
			block.Encrypt(text[16:], text[16:])
			got, err := decryptCBC(block, text)
			require.Equal(t, good, err == nil, "%x", plain)
			if good {
				require.True(t, bytes.Equal(plain[:16-p], got))
			}
		}
	}
}

func TestKeysOfAnotherKind(t *testing.T) {
	priv, sym := newKey(t), sm4TestKey(t)
	mac, err := hmacKeyImporter{}.KeyImport([]byte("k"), nil)
	require.NoError(t, err)
	_, err = sm2Signer{}.Sign(priv.pub, nil, messageOpts)
	require.ErrorIs(t, err, errNotSM2)
	_, err = sm2PublicKeyVerifier{}.Verify(priv, nil, nil, messageOpts)
	require.ErrorIs(t, err, errNotSM2)
	_, err = sm2PrivateKeyVerifier{}.Verify(priv.pub, nil, nil, messageOpts)
	require.ErrorIs(t, err, errNotSM2)
	_, err = sm2PrivateKeyDeriver{}.KeyDeriv(priv.pub, &bccsp.ECDSAReRandKeyOpts{})
	require.ErrorIs(t, err, errNotSM2)
	_, err = sm2PublicKeyDeriver{}.KeyDeriv(priv, &bccsp.ECDSAReRandKeyOpts{})
	require.ErrorIs(t, err, errNotSM2)
	_, err = sm2Encryptor{}.Encrypt(sym, nil, &bccsp.SM2EncrypterOpts{})
	require.ErrorIs(t, err, errNotSM2)
	_, err = sm2Decryptor{}.Decrypt(priv.pub, nil, &bccsp.SM2EncrypterOpts{})
	require.ErrorIs(t, err, errNotSM2)
	_, err = sm4Encryptor{}.Encrypt(mac, nil, &bccsp.SM4GCMModeOpts{})
	require.ErrorIs(t, err, errNotSM4, "a key for MACs encrypts nothing")
	_, err = sm4Decryptor{}.Decrypt(priv, nil, &bccsp.SM4GCMModeOpts{})
	require.ErrorIs(t, err, errNotSM4)
	_, err = symmetricKeyDeriver{}.KeyDeriv(priv, &bccsp.HMACDeriveKeyOpts{})
	require.ErrorIs(t, err, errNotSM4)
	_, err = symmetricKeyDeriver{}.KeyDeriv(sym, &bccsp.ECDSAReRandKeyOpts{})
	require.Error(t, err)
	_, err = sym.PublicKey()
	require.Error(t, err)
	require.False(t, IsKey(nil))
	for _, k := range []bccsp.Key{priv, priv.pub, sym, mac} {
		require.True(t, IsKey(k))
		require.Equal(t, k == sym || k == mac, k.Symmetric())
		require.Equal(t, k != bccsp.Key(priv.pub), k.Private())
		require.Len(t, k.SKI(), 32)
	}
}

// TestImportOfAnotherKind: a key of another algorithm is refused by the importers, and so is what is not a key.
func TestImportOfAnotherKind(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	_, err = sm2PrivateKeyImporter{}.KeyImport(der, nil)
	require.ErrorIs(t, err, errNotSM2)
	der, err = x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	_, err = ImportPublicKey(der)
	require.ErrorIs(t, err, errNotSM2)
	_, err = sm4KeyImporter{}.KeyImport("0123456789abcdef", nil)
	require.ErrorContains(t, err, "from []byte, not string")
}

func TestRegisterStopsAtAnError(t *testing.T) {
	calls := 0
	err := Register(func(reflect.Type, any) error {
		calls++
		return bytes.ErrTooLarge
	})
	require.ErrorIs(t, err, bytes.ErrTooLarge)
	require.Equal(t, 1, calls)
}

func TestKeyFiles(t *testing.T) {
	priv := newKey(t)
	for _, k := range []bccsp.Key{priv, priv.pub, sm4TestKey(t)} {
		for _, password := range [][]byte{nil, []byte("password")} {
			suffix, text, err := EncodeKey(k, password)
			require.NoError(t, err)
			require.Contains(t, []string{SuffixPrivate, SuffixPublic, SuffixSymmetric}, suffix)
			back, err := DecodeKey(text, password)
			require.NoError(t, err)
			require.Equal(t, k.SKI(), back.SKI())
			require.Equal(t, k.Private(), back.Private())
			require.Equal(t, k.Symmetric(), back.Symmetric())
			if password == nil || !k.Private() {
				continue
			}
			require.Contains(t, string(text), "ENCRYPTED")
			_, err = DecodeKey(text, nil)
			require.ErrorIs(t, err, gmx509.ErrNoPassword)
			_, err = DecodeKey(text, []byte("wrong"))
			require.Error(t, err)
			require.NotErrorIs(t, err, ErrOtherKey)
		}
	}
	mac, err := hmacKeyImporter{}.KeyImport([]byte("k"), nil)
	require.NoError(t, err)
	_, _, err = EncodeKey(mac, nil)
	require.ErrorContains(t, err, "cannot be stored")

	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	privText, err := gmx509.MarshalPrivateKeyPEM(p256, nil)
	require.NoError(t, err)
	pubText, err := gmx509.MarshalPublicKeyPEM(&p256.PublicKey)
	require.NoError(t, err)
	for _, text := range [][]byte{nil, []byte("text"), privText, pubText, []byte("-----BEGIN AES PRIVATE KEY-----\nAAAA\n-----END AES PRIVATE KEY-----\n")} {
		_, err := DecodeKey(text, nil)
		require.ErrorIs(t, err, ErrOtherKey)
	}
	_, text, err := EncodeKey(priv, nil)
	require.NoError(t, err)
	der, err := gmx509.MarshalPKCS8PrivateKey(priv.key)
	require.NoError(t, err)
	require.Contains(t, string(text), "BEGIN PRIVATE KEY")
	require.True(t, gmx509.NamesGM(der))
}

func FuzzVerify(f *testing.F) {
	key := newKey(f)
	msg := []byte("message")
	sig, err := sm2Signer{}.Sign(key, msg, messageOpts)
	require.NoError(f, err)
	f.Add(sig)
	f.Add(derSignature(f, make([]byte, 64)))
	e := sm3.Sum(append(append([]byte(nil), key.pub.za...), msg...))
	f.Fuzz(func(t *testing.T, candidate []byte) {
		ok, err := sm2PublicKeyVerifier{}.Verify(key.pub, candidate, msg, messageOpts)
		require.False(t, ok && err != nil)
		if !ok {
			return
		}
		// An accepted signature is also accepted by the formulas of GB/T 32918.2, section 7.1, written out.
		require.True(t, verifyByHand(key.pub.key, e[:], candidate))
	})
}

// verifyByHand follows GB/T 32918.2, section 7.1, step by step.
func verifyByHand(pub *ecdsa.PublicKey, e, sig []byte) bool {
	var rs struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(sig, &rs); err != nil || len(rest) != 0 {
		return false
	}
	n := pub.Curve.Params().N
	if rs.R.Sign() <= 0 || rs.S.Sign() <= 0 || rs.R.Cmp(n) >= 0 || rs.S.Cmp(n) >= 0 {
		return false
	}
	t := new(big.Int).Add(rs.R, rs.S)
	if t.Mod(t, n).Sign() == 0 {
		return false
	}
	x1, y1 := pub.Curve.ScalarBaseMult(rs.S.Bytes())
	x2, y2 := pub.Curve.ScalarMult(pub.X, pub.Y, t.Bytes())
	x, _ := pub.Curve.Add(x1, y1, x2, y2)
	r := new(big.Int).SetBytes(e)
	return r.Add(r, x).Mod(r, n).Cmp(rs.R) == 0
}

func TestVerifyByHandAgrees(t *testing.T) {
	key := standardKey(t)
	e := key.pub.digest([]byte("message digest"))
	require.True(t, verifyByHand(key.pub.key, e, derSignature(t, unhex(t, standardAnswers.sm2Signature))))
}

// A key that comes back gets a table, once, and verifies as before with it, from any number of goroutines.
func TestKeyThatComesBack(t *testing.T) {
	key, msg := newKey(t), []byte("message")
	sig, err := sm2Signer{}.Sign(key, msg, messageOpts)
	require.NoError(t, err)
	verify := func(msg string) bool {
		ok, err := sm2PublicKeyVerifier{}.Verify(key.pub, sig, []byte(msg), messageOpts)
		require.NoError(t, err)
		return ok
	}
	for i := range int64(tableFrom - 1) {
		require.True(t, verify("message"))
		require.Nil(t, key.pub.table.Load(), "after %d verifications", i+1)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				assert.True(t, verify("message"))
				assert.False(t, verify("Message"))
			}
		})
	}
	wg.Wait()
	table := key.pub.table.Load()
	require.NotNil(t, table)
	require.True(t, verify("message"))
	require.Same(t, table, key.pub.table.Load())
}
