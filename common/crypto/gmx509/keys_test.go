// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"crypto"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/emmansun/gmsm/pkcs8"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
	"github.com/stretchr/testify/require"
	tjsm2 "github.com/tjfoc/gmsm/sm2"
	tjx509 "github.com/tjfoc/gmsm/x509"
)

func pemBytes(t testing.TB, text []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(text)
	require.NotNil(t, block)
	return block.Bytes
}

func TestPrivateKeysOfEveryFamilyRoundTrip(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	for name, key := range map[string]any{"SM2": sm2Key(t), "P-256": p256Key(t), "P-384": p384, "RSA": rsaKey, "Ed25519": ed} {
		for _, password := range []string{"", "口令 with spaces"} {
			text, err := MarshalPrivateKeyPEM(key, []byte(password))
			require.NoError(t, err, name)
			back, err := ParsePrivateKeyPEM(text, []byte(password))
			require.NoError(t, err, name)
			require.True(t, key.(interface{ Equal(crypto.PrivateKey) bool }).Equal(back), name)
		}
		pub := key.(crypto.Signer).Public()
		text, err := MarshalPublicKeyPEM(pub)
		require.NoError(t, err, name)
		back, err := ParsePublicKeyPEM(text)
		require.NoError(t, err, name)
		require.True(t, pub.(interface{ Equal(crypto.PublicKey) bool }).Equal(back), name)
	}
}

// rawSEC1 builds an ECPrivateKey that Marshal would refuse.
func rawSEC1(t *testing.T, scalar, point []byte, curve asn1.ObjectIdentifier) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct {
		Version int
		Scalar  []byte
		Curve   asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
		Point   asn1.BitString        `asn1:"optional,explicit,tag:1"`
	}{1, scalar, curve, asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
	require.NoError(t, err)
	return der
}

func TestBadSM2PrivateKeys(t *testing.T) {
	n := sm2.P256().Params().N
	good, other := sm2Key(t), sm2Key(t)
	scalar := good.D.FillBytes(make([]byte, 32))
	point, err := SM2Point(&good.PublicKey)
	require.NoError(t, err)
	otherPoint, err := SM2Point(&other.PublicKey)
	require.NoError(t, err)
	minus := func(k int64) []byte { return new(big.Int).Sub(n, big.NewInt(k)).Bytes() }

	for name, c := range map[string]struct {
		scalar, point []byte
		err           error
	}{
		"zero":                  {make([]byte, 32), nil, errSM2KeyRange},
		"empty":                 {nil, nil, errSM2KeyRange},
		"n-1":                   {minus(1), nil, errSM2KeyRange},
		"n":                     {minus(0), nil, errSM2KeyRange},
		"65 bytes":              {append(make([]byte, 33), scalar...), nil, errSM2KeyRange},
		"33 bytes, no zero":     {append([]byte{1}, scalar...), nil, errSM2KeyRange},
		"zero in front":         {append([]byte{0}, scalar...), point, nil},
		"another public key":    {scalar, otherPoint, errSM2KeyMismatch},
		"compressed public key": {scalar, compressed(&good.PublicKey), nil},
		"another, compressed":   {scalar, compressed(&other.PublicKey), errSM2KeyMismatch},
		"mixed form":            {scalar, mixed(&good.PublicKey), nil},
		"another, mixed form":   {scalar, mixed(&other.PublicKey), errSM2KeyMismatch},
		"mixed, the other sign": {scalar, append([]byte{13 - mixed(&good.PublicKey)[0]}, point[1:]...), errSM2KeyMismatch},
		"of the other sign":     {scalar, append([]byte{5 - compressed(&good.PublicKey)[0]}, point[1:33]...), errSM2KeyMismatch},
		"one":                   {[]byte{1}, nil, nil},
		"n-2":                   {minus(2), nil, nil},
		"without public key":    {scalar, nil, nil},
		"good":                  {scalar, point, nil},
	} {
		t.Run(name, func(t *testing.T) {
			sec1 := rawSEC1(t, c.scalar, c.point, oidSM2Curve)
			_, err := ParsePrivateKey(sec1)
			require.ErrorIs(t, err, c.err)
			_, err = ParseECPrivateKey(sec1)
			require.ErrorIs(t, err, c.err)

			info, err := asn1.Marshal(pkcs8Key{Algorithm: sm2Algorithm(t), Key: rawSEC1(t, c.scalar, c.point, nil)})
			require.NoError(t, err)
			_, err = ParsePKCS8PrivateKey(info)
			require.ErrorIs(t, err, c.err)
			if c.err == nil {
				_, err = ParsePKCS8PrivateKey(append(info, 0))
				require.ErrorIs(t, err, errSM2KeyDER, "trailing data")
				_, err = ParsePrivateKey(append(sec1, 0))
				require.ErrorIs(t, err, errSM2KeyDER, "trailing data")
			}
		})
	}

	// A P-256 curve inside, SM2 outside.
	p256OID := asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	info, err := asn1.Marshal(pkcs8Key{Algorithm: sm2Algorithm(t), Key: rawSEC1(t, scalar, nil, p256OID)})
	require.NoError(t, err)
	_, err = ParsePKCS8PrivateKey(info)
	require.ErrorContains(t, err, "where SM2 was named")

	// Keys that were put together wrongly are not written either.
	mixed := &sm2.PrivateKey{PrivateKey: ecdsa.PrivateKey{PublicKey: other.PublicKey, D: good.D}}
	_, err = MarshalPKCS8PrivateKey(mixed)
	require.ErrorIs(t, err, errSM2KeyMismatch)
	_, err = MarshalECPrivateKey(&mixed.PrivateKey)
	require.ErrorIs(t, err, errSM2KeyMismatch)
	off := good.PublicKey
	off.Y = new(big.Int).Add(off.Y, big.NewInt(1))
	_, err = MarshalPKIXPublicKey(&off)
	require.ErrorIs(t, err, errPublicKeySizing)
	_, err = MarshalPKIXPublicKey(good)
	require.ErrorContains(t, err, "not a public key")
}

func compressed(pub *ecdsa.PublicKey) []byte {
	return elliptic.MarshalCompressed(pub.Curve, pub.X, pub.Y)
}

// mixed is a point as openssl writes it with -conv_form hybrid.
func mixed(pub *ecdsa.PublicKey) []byte {
	point := elliptic.Marshal(pub.Curve, pub.X, pub.Y)
	point[0] = compressed(pub)[0] + 4
	return point
}

func sm2Algorithm(t *testing.T) pkix.AlgorithmIdentifier {
	t.Helper()
	params, err := asn1.Marshal(oidSM2Curve)
	require.NoError(t, err)
	return pkix.AlgorithmIdentifier{Algorithm: oidEC, Parameters: asn1.RawValue{FullBytes: params}}
}

func TestIsSM2(t *testing.T) {
	sm, ec := sm2Key(t), p256Key(t)
	for _, key := range []any{sm, &sm.PrivateKey, &sm.PublicKey, sm.Public()} {
		require.True(t, IsSM2(key), "%T", key)
	}
	for _, key := range []any{nil, ec, &ec.PublicKey, (*ecdsa.PublicKey)(nil), (*sm2.PrivateKey)(nil), (*ecdsa.PrivateKey)(nil), "SM2", sm.PublicKey} {
		require.False(t, IsSM2(key), "%T", key)
	}
}

// tjfocKey converts a key of tjfoc/gmsm into ours by its scalar.
func tjfocKey(t *testing.T, key *tjsm2.PrivateKey) *sm2.PrivateKey {
	t.Helper()
	priv, err := NewSM2PrivateKey(key.D.Bytes())
	require.NoError(t, err)
	return priv
}

func TestKeysOfTjfoc(t *testing.T) {
	theirs, err := tjsm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	want := tjfocKey(t, theirs)

	for _, password := range [][]byte{nil, []byte("password")} {
		text, err := tjx509.WritePrivateKeyToPem(theirs, password)
		require.NoError(t, err)
		key, err := ParsePrivateKeyPEM(text, password)
		require.NoError(t, err)
		require.True(t, want.Equal(key))
	}
	text, err := tjx509.WritePublicKeyToPem(&theirs.PublicKey)
	require.NoError(t, err)
	pub, err := ParsePublicKeyPEM(text)
	require.NoError(t, err)
	require.True(t, want.PublicKey.Equal(pub))

	// And back: they read what we write.
	ours := sm2Key(t)
	text, err = MarshalPrivateKeyPEM(ours, nil)
	require.NoError(t, err)
	back, err := tjx509.ReadPrivateKeyFromPem(text, nil)
	require.NoError(t, err)
	require.Zero(t, ours.D.Cmp(back.D))
	text, err = MarshalPublicKeyPEM(&ours.PublicKey)
	require.NoError(t, err)
	backPub, err := tjx509.ReadPublicKeyFromPem(text)
	require.NoError(t, err)
	require.Zero(t, ours.X.Cmp(backPub.X))
}

func TestCertificatesOfTjfoc(t *testing.T) {
	caKey, err := tjsm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	leafKey, err := tjsm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	convert := func(c *Certificate) *tjx509.Certificate {
		return &tjx509.Certificate{
			SerialNumber: c.SerialNumber, Subject: c.Subject, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
			KeyUsage: tjx509.KeyUsage(c.KeyUsage), IsCA: c.IsCA, BasicConstraintsValid: c.BasicConstraintsValid,
			DNSNames: c.DNSNames, SubjectKeyId: c.SubjectKeyId, SignatureAlgorithm: tjx509.SM2WithSM3,
			ExtKeyUsage: []tjx509.ExtKeyUsage{tjx509.ExtKeyUsageServerAuth},
		}
	}
	caTmpl, leafTmpl := convert(template("ca", true)), convert(template("leaf", false))
	caPEM, err := tjx509.CreateCertificateToPem(caTmpl, caTmpl, &caKey.PublicKey, caKey)
	require.NoError(t, err)
	leafPEM, err := tjx509.CreateCertificateToPem(leafTmpl, caTmpl, &leafKey.PublicKey, caKey)
	require.NoError(t, err)

	roots := NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(caPEM))
	leaf, err := ParseCertificatePEM(leafPEM)
	require.NoError(t, err)
	_, err = Verify(leaf, VerifyOptions{Roots: roots, DNSName: "leaf"})
	require.NoError(t, err)
	require.NoError(t, CheckKeyPair(leaf, tjfocKey(t, leafKey)))

	// And back: they verify what we make.
	root := issue(t, template("root", true), sm2Key(t), nil)
	ours := issue(t, template("leaf", false), sm2Key(t), root)
	theirRoot, err := tjx509.ParseCertificate(root.cert.Raw)
	require.NoError(t, err)
	theirLeaf, err := tjx509.ParseCertificate(ours.cert.Raw)
	require.NoError(t, err)
	require.NoError(t, theirLeaf.CheckSignatureFrom(theirRoot))
}

// gmsslKey encrypts a key in the way of GmSSL: PBKDF2 with HMAC-SM3 and 65536 iterations, key length written or not, the
// function's parameters absent (GmSSL 3) or NULL (its 2021 snapshots), SM4-CBC.
func gmsslKey(t *testing.T, key any, password string, keyLength int, prfParams asn1.RawValue) []byte {
	t.Helper()
	plain, err := MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	salt, iv := make([]byte, 8), make([]byte, 16)
	_, err = rand.Read(salt)
	require.NoError(t, err)
	_, err = rand.Read(iv)
	require.NoError(t, err)
	secret, err := pbkdf2.Key(sm3.New, password, salt, 65536, 16)
	require.NoError(t, err)
	block, err := sm4.NewCipher(secret)
	require.NoError(t, err)
	for pad, i := byte(16-len(plain)%16), 16-len(plain)%16; i > 0; i-- {
		plain = append(plain, pad)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(plain, plain)

	marshal := func(v any) asn1.RawValue {
		der, err := asn1.Marshal(v)
		require.NoError(t, err)
		return asn1.RawValue{FullBytes: der}
	}
	return marshal(encryptedKey{
		Algorithm: pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: marshal(pbes2Params{
			KDF: pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: marshal(pbkdf2Params{
				Salt: salt, Iterations: 65536, KeyLength: keyLength,
				PRF: pkix.AlgorithmIdentifier{Algorithm: oidHMACSM3, Parameters: prfParams},
			})},
			Scheme: pkix.AlgorithmIdentifier{Algorithm: oidSM4CBC, Parameters: marshal(iv)},
		})},
		Data: plain,
	}).FullBytes
}

func TestKeysOfGmSSL(t *testing.T) {
	key := sm2Key(t)
	for name, der := range map[string][]byte{
		"parameters absent":             gmsslKey(t, key, "password", 0, asn1.RawValue{}),
		"parameters NULL":               gmsslKey(t, key, "password", 0, asn1.NullRawValue),
		"parameters absent, key length": gmsslKey(t, key, "password", 16, asn1.RawValue{}),
		"parameters NULL, key length":   gmsslKey(t, key, "password", 16, asn1.NullRawValue),
	} {
		t.Run(name, func(t *testing.T) {
			text := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
			back, err := ParsePrivateKeyPEM(text, []byte("password"))
			require.NoError(t, err)
			require.True(t, key.Equal(back))
			_, err = ParsePrivateKeyPEM(text, []byte("wrong"))
			require.ErrorIs(t, err, ErrWrongPassword)
		})
	}
	for name, der := range map[string][]byte{
		"parameters other than NULL": gmsslKey(t, key, "password", 0, asn1.RawValue{FullBytes: []byte{4, 0}}),
		"key length of another size": gmsslKey(t, key, "password", 32, asn1.RawValue{}),
	} {
		_, err := DecryptPBES2(der, []byte("password"))
		require.Error(t, err, name)
		require.NotErrorIs(t, err, ErrWrongPassword, name)
	}
}

// The encrypted form that we write is read by the engine's own, independent, implementation, and the other way round.
func TestEncryptedKeysAgainstGmsm(t *testing.T) {
	key := sm2Key(t)
	text, err := MarshalPrivateKeyPEM(key, []byte("password"))
	require.NoError(t, err)
	back, err := pkcs8.ParsePKCS8PrivateKeySM2(pemBytes(t, text), []byte("password"))
	require.NoError(t, err)
	require.True(t, key.Equal(back))

	der, err := pkcs8.MarshalPrivateKey(key, []byte("password"), nil)
	require.NoError(t, err)
	plain, err := DecryptPBES2(der, []byte("password"))
	require.NoError(t, err)
	again, err := ParsePrivateKey(plain)
	require.NoError(t, err)
	require.True(t, key.Equal(again))
}

func TestPBES2Bounds(t *testing.T) {
	base := func() (encryptedKey, pbes2Params, pbkdf2Params) {
		der := gmsslKey(t, sm2Key(t), "password", 0, asn1.RawValue{})
		var outer encryptedKey
		var params pbes2Params
		var kdf pbkdf2Params
		require.NoError(t, unmarshalExactly(der, &outer, ""))
		require.NoError(t, unmarshalExactly(outer.Algorithm.Parameters.FullBytes, &params, ""))
		require.NoError(t, unmarshalExactly(params.KDF.Parameters.FullBytes, &kdf, ""))
		return outer, params, kdf
	}
	for name, change := range map[string]func(*encryptedKey, *pbes2Params, *pbkdf2Params){
		"iterations":          func(_ *encryptedKey, _ *pbes2Params, k *pbkdf2Params) { k.Iterations = maxPBKDF2Iterations + 1 },
		"no iterations":       func(_ *encryptedKey, _ *pbes2Params, k *pbkdf2Params) { k.Iterations = 0 },
		"negative iterations": func(_ *encryptedKey, _ *pbes2Params, k *pbkdf2Params) { k.Iterations = -5 },
		"no salt":             func(_ *encryptedKey, _ *pbes2Params, k *pbkdf2Params) { k.Salt = nil },
		"long salt":           func(_ *encryptedKey, _ *pbes2Params, k *pbkdf2Params) { k.Salt = make([]byte, maxPBKDF2Salt+1) },
		"unknown function":    func(_ *encryptedKey, _ *pbes2Params, k *pbkdf2Params) { k.PRF.Algorithm = oidEC },
		"unknown cipher":      func(_ *encryptedKey, p *pbes2Params, _ *pbkdf2Params) { p.Scheme.Algorithm = oidEC },
		"short IV": func(_ *encryptedKey, p *pbes2Params, _ *pbkdf2Params) {
			p.Scheme.Parameters.FullBytes = []byte{4, 1, 0}
		},
		"no IV":          func(_ *encryptedKey, p *pbes2Params, _ *pbkdf2Params) { p.Scheme.Parameters = asn1.RawValue{} },
		"no data":        func(o *encryptedKey, _ *pbes2Params, _ *pbkdf2Params) { o.Data = nil },
		"half a block":   func(o *encryptedKey, _ *pbes2Params, _ *pbkdf2Params) { o.Data = o.Data[:len(o.Data)-8] },
		"another scheme": func(o *encryptedKey, _ *pbes2Params, _ *pbkdf2Params) { o.Algorithm.Algorithm = oidEC },
	} {
		t.Run(name, func(t *testing.T) {
			outer, params, kdf := base()
			change(&outer, &params, &kdf)
			var err error
			params.KDF.Parameters.FullBytes, err = asn1.Marshal(kdf)
			require.NoError(t, err)
			outer.Algorithm.Parameters.FullBytes, err = asn1.Marshal(params)
			require.NoError(t, err)
			der, err := asn1.Marshal(outer)
			require.NoError(t, err)
			_, err = DecryptPBES2(der, []byte("password"))
			require.Error(t, err)
			require.NotErrorIs(t, err, ErrWrongPassword)
		})
	}
	_, err := DecryptPBES2(make([]byte, maxPEM+1), []byte("password"))
	require.ErrorContains(t, err, "more than")
	_, err = EncryptPBES2([]byte("x"), nil)
	require.ErrorContains(t, err, "empty password")
}

func FuzzParsePrivateKey(f *testing.F) {
	for _, name := range []string{"ca.sec1.der", "ca.pkcs8.der"} {
		f.Add(fixture(f, name))
	}
	f.Add(pemBytes(f, fixture(f, "p256.pkcs8.pem")))
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := ParsePrivateKey(der)
		if err != nil {
			return
		}
		priv, ok := AsSM2(key)
		if !ok {
			return
		}
		// Whatever is accepted is a usable key that survives being written and read.
		back, err := MarshalPKCS8PrivateKey(priv)
		require.NoError(t, err)
		again, err := ParsePKCS8PrivateKey(back)
		require.NoError(t, err)
		require.True(t, priv.Equal(again))
	})
}

func FuzzDecryptPBES2(f *testing.F) {
	for _, name := range []string{"ca.aes-128-cbc.hmacWithSHA1.pem", "ca.sm4-cbc.hmacWithSHA256.pem", "ca.scrypt.pem", "ca.pbes1.pem"} {
		f.Add(pemBytes(f, fixture(f, name)))
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		// Counts up to the limit are allowed and slow; they are left out here.
		var outer encryptedKey
		var params pbes2Params
		var kdf pbkdf2Params
		if unmarshalExactly(der, &outer, "") == nil && unmarshalExactly(outer.Algorithm.Parameters.FullBytes, &params, "") == nil &&
			unmarshalExactly(params.KDF.Parameters.FullBytes, &kdf, "") == nil && kdf.Iterations > 5000 {
			t.Skip()
		}
		plain, err := DecryptPBES2(der, []byte("password"))
		if err == nil {
			require.Less(t, len(plain), len(outer.Data))
		}
	})
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add(pemBytes(f, fixture(f, "ca.pub.pem")))
	f.Fuzz(func(t *testing.T, der []byte) {
		pub, err := ParsePKIXPublicKey(der)
		if err != nil || !IsSM2(pub) {
			return
		}
		_, err = SM2Point(pub.(*ecdsa.PublicKey))
		require.NoError(t, err)
	})
}

// Parameters written out mean the SM2 curve if they are its own to the last number, and nothing otherwise.
func TestExplicitCurveParameters(t *testing.T) {
	text := fixture(t, "ca.explicit.sec1.pem")
	key, err := ParsePrivateKeyPEM(text, nil)
	require.NoError(t, err)
	named, err := ParsePrivateKeyPEM(fixture(t, "ca.sec1.pem"), nil)
	require.NoError(t, err)
	require.True(t, named.(*sm2.PrivateKey).Equal(key))

	block, _ := pem.Decode(text)
	for block.Type != "EC PRIVATE KEY" && block.Type != "SM2 PRIVATE KEY" {
		_, text, _ = bytes.Cut(text, []byte("-----END"))
		block, _ = pem.Decode(text)
	}
	var raw sec1Key
	_, err = asn1.Unmarshal(block.Bytes, &raw)
	require.NoError(t, err)
	params := sm2.P256().Params()
	pkcs8 := func(numbers []byte) []byte {
		der, err := asn1.Marshal(pkcs8Key{
			Algorithm: pkix.AlgorithmIdentifier{Algorithm: oidEC, Parameters: asn1.RawValue{FullBytes: numbers}},
			Key:       rawSEC1(t, raw.Scalar, nil, nil),
		})
		require.NoError(t, err)
		return der
	}
	for name, number := range map[string]*big.Int{
		"none": nil, "p": params.P, "a": new(big.Int).Sub(params.P, big.NewInt(3)), "b": params.B, "G": params.Gx, "n": params.N,
	} {
		numbers := bytes.Clone(raw.Curve.Bytes)
		if number != nil {
			at := bytes.Index(numbers, number.Bytes())
			require.Positive(t, at, name)
			numbers[at+31] ^= 2
		}
		for form, parse := range map[string]func() (any, error){
			"PKCS #8": func() (any, error) { return ParsePrivateKey(pkcs8(numbers)) },
			"SEC 1": func() (any, error) {
				return ParsePrivateKey(bytes.Replace(block.Bytes, raw.Curve.Bytes, numbers, 1))
			},
		} {
			key, err := parse()
			if number != nil {
				require.ErrorIs(t, err, errForeignCurve, "%s changed, %s", name, form)
				continue
			}
			require.NoError(t, err, form)
			require.True(t, named.(*sm2.PrivateKey).Equal(key))
		}
	}
	// Certificates have to name the curve.
	pub := append([]byte{}, pkcs8(raw.Curve.Bytes)...)
	_, err = ParsePKIXPublicKey(pub)
	require.Error(t, err)
}
