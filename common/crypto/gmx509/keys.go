// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/subtle"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

var (
	oidEC       = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidSM2Curve = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301}

	errExplicitCurve   = errors.New("x509: curve given by explicit parameters; only named curves are accepted")
	errMoreThanCurve   = errors.New("x509: something follows the name of the SM2 curve in the certificate's key")
	errForeignCurve    = errors.New("x509: the key gives its curve by explicit parameters, which are not those of the SM2 curve (GB/T 32918.5)")
	errSM2KeyDER       = errors.New("x509: SM2 private key is not well-formed DER")
	errSM2KeyRange     = errors.New("x509: SM2 private key is outside [1, n-2]")
	errSM2KeyMismatch  = errors.New("x509: the public key inside the SM2 private key file does not belong to the private key")
	errNotAPrivateKey  = errors.New("x509: not a private key in PKCS#8, SEC1 or PKCS#1 form")
	errPublicKeySizing = errors.New("x509: SM2 public key is not an uncompressed point on the curve")
)

// sec1Key is ECPrivateKey of RFC 5915, section 3.
type sec1Key struct {
	Version int
	Scalar  []byte
	Curve   asn1.RawValue  `asn1:"optional,explicit,tag:0"` // with its tag; see curve
	Point   asn1.BitString `asn1:"optional,explicit,tag:1"`
}

// curve returns what names the curve, an empty value if nothing does.
func (k *sec1Key) curve() (params asn1.RawValue) {
	_, _ = asn1.Unmarshal(k.Curve.Bytes, &params)
	return params
}

// pkcs8Key is PrivateKeyInfo of RFC 5208, section 5; trailing optional attributes are not looked at.
type pkcs8Key struct {
	Version   int
	Algorithm pkix.AlgorithmIdentifier
	Key       []byte
}

// ParsePKIXPublicKey parses a DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7) of any family. SM2 keys
// come as *ecdsa.PublicKey on sm2.P256() and must be uncompressed points on the named curve.
func ParsePKIXPublicKey(der []byte) (any, error) {
	switch o := keyOutline(der); {
	case o.explicitCurve:
		return nil, errExplicitCurve
	case !o.sm2Key:
		return x509.ParsePKIXPublicKey(der)
	}
	return smx509.ParsePKIXPublicKey(der)
}

// MarshalPKIXPublicKey is the inverse of ParsePKIXPublicKey. SM2 keys are written as id-ecPublicKey with the curve's OID,
// as GB/T 20518, openssl and tjfoc/gmsm do. The private types' public halves are not unpacked.
func MarshalPKIXPublicKey(pub any) ([]byte, error) {
	if IsSM2(pub) {
		key, ok := pub.(*ecdsa.PublicKey)
		if !ok {
			return nil, fmt.Errorf("x509: %T is not a public key", pub)
		}
		if _, err := SM2Point(key); err != nil {
			return nil, err
		}
		return smx509.MarshalPKIXPublicKey(key)
	}
	return x509.MarshalPKIXPublicKey(pub)
}

// SM2Point returns the 65 bytes of the uncompressed point, checking that it lies on the curve.
func SM2Point(pub *ecdsa.PublicKey) ([]byte, error) {
	if pub.X == nil || pub.Y == nil || pub.X.Sign() < 0 || pub.Y.Sign() < 0 || pub.X.BitLen() > 256 || pub.Y.BitLen() > 256 {
		return nil, errPublicKeySizing
	}
	point := make([]byte, 65)
	point[0] = 4
	pub.X.FillBytes(point[1:33])
	pub.Y.FillBytes(point[33:])
	if _, err := sm2.NewPublicKey(point); err != nil {
		return nil, errPublicKeySizing
	}
	return point, nil
}

// ParsePKCS8PrivateKey parses an unencrypted DER PrivateKeyInfo (RFC 5208) of any family. SM2 keys come as
// *sm2.PrivateKey; their scalar must be in [1, n-2] (GB/T 32918.1) and an embedded public key, in any of the three forms of a
// point, must belong to it. Curve parameters may be written out if they are exactly those of the SM2 curve.
func ParsePKCS8PrivateKey(der []byte) (any, error) {
	var info pkcs8Key
	rest, err := asn1.Unmarshal(der, &info)
	if !mayBeSM2(der, info.Algorithm) {
		return x509.ParsePKCS8PrivateKey(der)
	}
	if err != nil || len(rest) != 0 || info.Version < 0 || info.Version > 1 {
		return nil, errSM2KeyDER
	}
	alg := info.Algorithm.Algorithm
	if !alg.Equal(oidEC) && !alg.Equal(oidSM2Curve) {
		return nil, fmt.Errorf("x509: private key algorithm %v is not supported", alg)
	}
	if alg.Equal(oidEC) {
		if err := checkSM2Curve(info.Algorithm.Parameters); err != nil {
			return nil, err
		}
	}
	return parseSM2SEC1(info.Key)
}

// mayBeSM2 reports whether a PrivateKeyInfo is for this package: it names GM, or writes out the parameters of its curve,
// which crypto/x509 cannot read either.
func mayBeSM2(der []byte, alg pkix.AlgorithmIdentifier) bool {
	return NamesGM(der) || alg.Algorithm.Equal(oidEC) && alg.Parameters.Tag == asn1.TagSequence
}

// ParseECPrivateKey parses a DER ECPrivateKey (SEC 1, RFC 5915). For an SM2 key the result is the embedded
// ecdsa.PrivateKey, whose own Sign method fails; ParsePrivateKey gives the usable *sm2.PrivateKey.
func ParseECPrivateKey(der []byte) (*ecdsa.PrivateKey, error) {
	if !isSM2SEC1(der) {
		return x509.ParseECPrivateKey(der)
	}
	key, err := parseSM2SEC1(der)
	if err != nil {
		return nil, err
	}
	return &key.PrivateKey, nil
}

// isSM2SEC1 reports whether an ECPrivateKey is for this package, as mayBeSM2 does.
func isSM2SEC1(der []byte) bool {
	var raw sec1Key
	if _, err := asn1.Unmarshal(der, &raw); err != nil {
		return NamesGM(der)
	}
	return NamesGM(der) || raw.curve().Tag == asn1.TagSequence
}

// parseSM2SEC1 parses an ECPrivateKey that is known to hold an SM2 key. Inside PKCS#8 the curve may be left out.
func parseSM2SEC1(der []byte) (*sm2.PrivateKey, error) {
	var raw sec1Key
	if rest, err := asn1.Unmarshal(der, &raw); err != nil || len(rest) != 0 || raw.Version != 1 {
		return nil, errSM2KeyDER
	}
	if len(raw.Curve.FullBytes) != 0 {
		if err := checkSM2Curve(raw.curve()); err != nil {
			return nil, err
		}
	}
	key, err := NewSM2PrivateKey(raw.Scalar)
	if err != nil {
		return nil, err
	}
	if len(raw.Point.Bytes) == 0 {
		return key, nil
	}
	point, err := SM2Point(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	switch {
	case len(raw.Point.Bytes) == 33:
		point = elliptic.MarshalCompressed(key.Curve, key.X, key.Y)
	case len(raw.Point.Bytes) == len(point) && raw.Point.Bytes[0]&^1 == hybridPoint:
		point[0] = hybridPoint | byte(key.Y.Bit(0))
	}
	if raw.Point.BitLength%8 != 0 || subtle.ConstantTimeCompare(point, raw.Point.Bytes) != 1 {
		return nil, errSM2KeyMismatch
	}
	return key, nil
}

// hybridPoint, with the last bit of y, is the first byte of a point in the mixed form of GB/T 32918.1, which SEC 1 calls hybrid.
const hybridPoint = 6

// maxScalar bounds the bytes of a scalar with its zeros in front.
const maxScalar = 64

// NewSM2PrivateKey makes a key from its scalar, big-endian, in [1, n-2] (GB/T 32918.1). Encoders write
// different numbers of leading zeros: there may be fewer or more bytes than 32.
func NewSM2PrivateKey(scalar []byte) (*sm2.PrivateKey, error) {
	if len(scalar) == 0 || len(scalar) > maxScalar {
		return nil, errSM2KeyRange
	}
	for len(scalar) > 32 {
		if scalar[0] != 0 {
			return nil, errSM2KeyRange
		}
		scalar = scalar[1:]
	}
	padded := make([]byte, 32)
	copy(padded[32-len(scalar):], scalar)
	key, err := sm2.NewPrivateKey(padded)
	if err != nil {
		return nil, errSM2KeyRange
	}
	return key, nil
}

// ParsePrivateKey parses an unencrypted DER private key in PKCS#8, SEC1 or PKCS#1 form. SM2 keys come as
// *sm2.PrivateKey, others as crypto/x509 gives them.
func ParsePrivateKey(der []byte) (any, error) {
	var info pkcs8Key
	if _, err := asn1.Unmarshal(der, &info); err == nil {
		return ParsePKCS8PrivateKey(der)
	}
	if isSM2SEC1(der) {
		return parseSM2SEC1(der)
	}
	ec, err := x509.ParseECPrivateKey(der)
	var raw sec1Key
	switch _, other := asn1.Unmarshal(der, &raw); {
	case err == nil:
		return ec, nil
	case other == nil && raw.Version == 1:
		return nil, fmt.Errorf("x509: private key in SEC 1 form, which is read on the curves of NIST and of SM2: %w", err)
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errNotAPrivateKey
}

// AsSM2 returns the SM2 private key in key: *sm2.PrivateKey as it is, *ecdsa.PrivateKey on the SM2 curve converted.
// ok is false for anything else.
func AsSM2(key any) (priv *sm2.PrivateKey, ok bool) {
	switch k := key.(type) {
	case *sm2.PrivateKey:
		return k, k != nil && IsSM2(k)
	case *ecdsa.PrivateKey:
		if !IsSM2(k) {
			return nil, false
		}
		priv, err := new(sm2.PrivateKey).FromECPrivateKey(k)
		return priv, err == nil
	}
	return nil, false
}

// MarshalPKCS8PrivateKey is the inverse of ParsePKCS8PrivateKey. It takes SM2 keys as *sm2.PrivateKey and as
// *ecdsa.PrivateKey on the SM2 curve, and writes the public half too.
func MarshalPKCS8PrivateKey(key any) ([]byte, error) {
	if priv, ok := AsSM2(key); ok {
		if err := CheckSM2PrivateKey(priv); err != nil {
			return nil, err
		}
		return smx509.MarshalPKCS8PrivateKey(priv)
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// MarshalECPrivateKey is the inverse of ParseECPrivateKey.
func MarshalECPrivateKey(key *ecdsa.PrivateKey) ([]byte, error) {
	if priv, ok := AsSM2(key); ok {
		if err := CheckSM2PrivateKey(priv); err != nil {
			return nil, err
		}
		return smx509.MarshalSM2PrivateKey(priv)
	}
	return x509.MarshalECPrivateKey(key)
}

// CheckSM2PrivateKey refuses a key that no file could hold: scalar out of range, or a foreign public half.
func CheckSM2PrivateKey(key *sm2.PrivateKey) error {
	if key.D == nil || key.D.Sign() <= 0 || key.D.BitLen() > 256 {
		return errSM2KeyRange
	}
	fresh, err := NewSM2PrivateKey(key.D.FillBytes(make([]byte, 32)))
	if err != nil {
		return err
	}
	if !fresh.PublicKey.Equal(&key.PublicKey) {
		return errSM2KeyMismatch
	}
	return nil
}

// CheckKeyPair checks that a private key belongs to the certificate. Its error says what does not fit.
// key is anything with a Public method.
func CheckKeyPair(cert *Certificate, key any) error {
	signer, ok := key.(interface{ Public() crypto.PublicKey })
	if !ok {
		return fmt.Errorf("x509: private key type %T has no public half", key)
	}
	pub := signer.Public()
	if IsSM2(cert.PublicKey) != IsSM2(pub) {
		return fmt.Errorf("x509: the certificate's key is %s, the private key is %s", family(cert.PublicKey), family(pub))
	}
	certKey, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !certKey.Equal(pub) {
		return errors.New("x509: the private key does not belong to the certificate")
	}
	return nil
}

// family names the kind of a public key for error texts.
func family(pub any) string {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		if IsSM2(k) {
			return "SM2"
		}
		return "ECDSA " + k.Params().Name
	case *rsa.PublicKey:
		return "RSA"
	}
	return fmt.Sprintf("%T", pub)
}

// ParsePKCS1PrivateKey is that of crypto/x509, for RSA keys.
func ParsePKCS1PrivateKey(der []byte) (*rsa.PrivateKey, error) { return x509.ParsePKCS1PrivateKey(der) }

// MarshalPKCS1PrivateKey is that of crypto/x509, for RSA keys.
func MarshalPKCS1PrivateKey(key *rsa.PrivateKey) []byte { return x509.MarshalPKCS1PrivateKey(key) }

// minRSABits is the shortest RSA key with which crypto/rsa signs and verifies, since Go 1.24.
const minRSABits = 1024

// CheckKeySize refuses a public key, or its private key, that parses but can neither sign nor verify anything.
func CheckKeySize(key any) error {
	if private, ok := key.(crypto.Signer); ok {
		key = private.Public()
	}
	if public, ok := key.(*rsa.PublicKey); ok && public.N.BitLen() < minRSABits {
		return fmt.Errorf("its RSA key has %d bits, and keys below %d bits neither sign nor verify", public.N.BitLen(), minRSABits)
	}
	return nil
}
