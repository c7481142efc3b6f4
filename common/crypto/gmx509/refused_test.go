// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"
)

// TestPointsThatAreNone: a public key that a program has put together is on the curve and has one form, before its bytes are signed or compared.
func TestPointsThatAreNone(t *testing.T) {
	good := sm2Key(t).PublicKey
	p := sm2.P256().Params().P
	negated := func(v *big.Int) *big.Int { return new(big.Int).Neg(v) }
	for name, point := range map[string][2]*big.Int{
		"no x":       {nil, good.Y},
		"no y":       {good.X, nil},
		"negative x": {negated(good.X), good.Y}, // FillBytes writes the absolute value
		"negative y": {good.X, negated(good.Y)},
		"long x":     {new(big.Int).Lsh(good.X, 256), good.Y},
		"long y":     {good.X, new(big.Int).Lsh(good.Y, 256)},
		"x above p":  {new(big.Int).Add(p, big.NewInt(1)), good.Y},
		"infinity":   {new(big.Int), new(big.Int)},
		"off":        {good.Y, good.X},
	} {
		t.Run(name, func(t *testing.T) {
			pub := &ecdsa.PublicKey{Curve: sm2.P256(), X: point[0], Y: point[1]}
			_, err := SM2Point(pub)
			require.ErrorIs(t, err, errPublicKeySizing)
			_, err = MarshalPKIXPublicKey(pub)
			require.ErrorIs(t, err, errPublicKeySizing)
		})
	}
	require.Empty(t, ExplainSM2Signature(&p256Key(t).PublicKey, nil, encodePair(t, big.NewInt(1), big.NewInt(1))))
}

// TestFormsOfPublicKeys: of the forms that SEC 1 has for a point, certificates and key files have the uncompressed one.
func TestFormsOfPublicKeys(t *testing.T) {
	pub := sm2Key(t).PublicKey
	good, err := SM2Point(&pub)
	require.NoError(t, err)
	spki := func(point []byte) []byte {
		der, err := asn1.Marshal(struct {
			Algorithm pkix.AlgorithmIdentifier
			Key       asn1.BitString
		}{sm2Algorithm(t), asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
		require.NoError(t, err)
		return der
	}
	_, err = ParsePKIXPublicKey(spki(good))
	require.NoError(t, err)
	_, err = ParsePKIXPublicKey(append(spki(good), 0))
	require.Error(t, err)
	abroad, err := SM2Point(&sm2Key(t).PublicKey)
	require.NoError(t, err)
	zero := make([]byte, 32)
	for name, point := range map[string][]byte{
		"compressed":       compressed(&pub),
		"hybrid":           append([]byte{6 + good[64]&1}, good[1:]...),
		"infinity":         {0},
		"infinity, padded": append([]byte{4}, append(zero, zero...)...),
		"not on the curve": append(bytes.Clone(good[:33]), abroad[33:]...),
		"a byte more":      append(bytes.Clone(good), 0),
		"a byte less":      good[:64],
		"no form":          good[1:],
		"empty":            nil,
		"x above p":        append([]byte{4}, append(bytes.Repeat([]byte{0xff}, 32), good[33:]...)...),
	} {
		_, err := ParsePKIXPublicKey(spki(point))
		require.Error(t, err, name)
		_, err = ParsePublicKeyPEM(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki(point)}))
		require.Error(t, err, name)
	}

	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki(good)})
	_, err = ParsePublicKeyPEM(text)
	require.NoError(t, err)
	for name, text := range map[string][]byte{
		"label":   bytes.ReplaceAll(text, []byte("PUBLIC KEY"), []byte("SECRET KEY")),
		"too big": append(bytes.Clone(text), make([]byte, maxPEM)...),
		"none":    []byte("PUBLIC KEY"),
	} {
		_, err = ParsePublicKeyPEM(text)
		require.ErrorContains(t, err, "no public key in PEM form", name)
	}
	var nobody *ecdsa.PublicKey
	_, err = MarshalPublicKeyPEM(nobody)
	require.ErrorContains(t, err, "nil public key")
}

// TestPrivateKeysOfOddForm: what names SM2 and is something else is refused.
func TestPrivateKeysOfOddForm(t *testing.T) {
	key := sm2Key(t)
	for key.Y.Bit(0) != 0 { // bits that are unused have to be zero in DER
		key = sm2Key(t)
	}
	scalar := key.D.FillBytes(make([]byte, 32))
	point, err := SM2Point(&key.PublicKey)
	require.NoError(t, err)
	marshal := func(v any) []byte {
		der, err := asn1.Marshal(v)
		require.NoError(t, err)
		return der
	}
	type odd struct {
		version int
		bits    int // of the public key
	}
	sec1 := func(o odd) []byte {
		return marshal(struct {
			Version int
			Scalar  []byte
			Curve   asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
			Point   asn1.BitString        `asn1:"explicit,tag:1"`
		}{o.version, scalar, oidSM2Curve, asn1.BitString{Bytes: point, BitLength: o.bits}})
	}
	pkcs8 := func(version int, alg pkix.AlgorithmIdentifier) []byte {
		return marshal(pkcs8Key{Version: version, Algorithm: alg, Key: sec1(odd{1, 8 * len(point)})})
	}
	_, err = ParsePrivateKey(sec1(odd{1, 8 * len(point)}))
	require.NoError(t, err)
	for _, version := range []int{0, 1} {
		_, err = ParsePrivateKey(pkcs8(version, sm2Algorithm(t)))
		require.NoError(t, err)
	}
	for name, c := range map[string]struct {
		der  []byte
		want string
	}{
		"version 0 of SEC 1":   {sec1(odd{0, 8 * len(point)}), errSM2KeyDER.Error()},
		"version 2 of SEC 1":   {sec1(odd{2, 8 * len(point)}), errSM2KeyDER.Error()},
		"unused bits":          {sec1(odd{1, 8*len(point) - 1}), errSM2KeyMismatch.Error()},
		"version 2 of PKCS 8":  {pkcs8(2, sm2Algorithm(t)), errSM2KeyDER.Error()},
		"version -1 of PKCS 8": {pkcs8(-1, sm2Algorithm(t)), errSM2KeyDER.Error()},
		"algorithm RSA": {pkcs8(0, pkix.AlgorithmIdentifier{
			Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, Parameters: asn1.NullRawValue,
		}), "private key algorithm 1.2.840.113549.1.1.1 is not supported"},
		"NULL for the curve": {pkcs8(0, pkix.AlgorithmIdentifier{Algorithm: oidEC, Parameters: asn1.NullRawValue}), errSM2KeyDER.Error()},
	} {
		_, err := ParsePrivateKey(c.der)
		require.ErrorContains(t, err, c.want, name)
	}

	n := sm2.P256().Params().N
	for name, d := range map[string]*big.Int{
		"none": nil, "zero": new(big.Int), "negative": new(big.Int).Neg(key.D), "long": new(big.Int).Lsh(key.D, 256), "n-1": new(big.Int).Sub(n, big.NewInt(1)),
	} {
		put := &sm2.PrivateKey{PrivateKey: ecdsa.PrivateKey{PublicKey: key.PublicKey, D: d}}
		require.ErrorIs(t, CheckSM2PrivateKey(put), errSM2KeyRange, name)
	}
}

// TestListsWithTwoAlgorithms: the algorithm outside the signed part is the one inside (RFC 5280, section 5.1.1.2).
func TestListsWithTwoAlgorithms(t *testing.T) {
	key := sm2Key(t)
	ca := issue(t, template("ca", true), key, nil)
	der, err := CreateRevocationList(rand.Reader, &RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}, ca.cert, key)
	require.NoError(t, err)
	list, err := ParseCRL(der)
	require.NoError(t, err)
	require.NoError(t, CheckCRLSignature(ca.cert, list))
	other := asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	outside := *list
	outside.SignatureAlgorithm.Algorithm = other
	require.ErrorIs(t, CheckCRLSignature(ca.cert, &outside), ErrUnsupportedAlgorithm)
	inside := *list
	inside.TBSCertList.Signature.Algorithm = other
	require.ErrorIs(t, CheckCRLSignature(ca.cert, &inside), ErrUnsupportedAlgorithm)
}

// TestPaddingOfEncryptedKeys: each byte of the padding counts, and nothing follows a structure.
func TestPaddingOfEncryptedKeys(t *testing.T) {
	sealed, err := EncryptPBES2(bytes.Repeat([]byte{7}, 20), []byte("secret"))
	require.NoError(t, err)
	plain, err := DecryptPBES2(sealed, []byte("secret"))
	require.NoError(t, err)
	require.Len(t, plain, 20)
	_, err = DecryptPBES2(append(bytes.Clone(sealed), 0), []byte("secret"))
	require.ErrorContains(t, err, "bytes left over")
	// The padding is twelve bytes of 12, in the second block: a bit changed in the first flips one of them.
	changed := bytes.Clone(sealed)
	changed[len(changed)-32+5] ^= 1
	_, err = DecryptPBES2(changed, []byte("secret"))
	require.ErrorIs(t, err, ErrWrongPassword)
	_, err = ParsePrivateKeyPEM(make([]byte, maxPEM+1), nil)
	require.ErrorContains(t, err, "more than the")
}
