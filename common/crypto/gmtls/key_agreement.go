// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/ecdh"
	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// signMessage signs msg with an SM2 key under the default identity.
func signMessage(rand io.Reader, key crypto.PrivateKey, msg []byte) ([]byte, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the signing key is a %T, which is not a crypto.Signer", key)
	}
	sig, err := signer.Sign(rand, msg, sm2.DefaultSM2SignerOpts)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return sig, nil
}

// exchangeMessage is what the server's signature in ServerKeyExchange covers:
// both randoms, then the encryption certificate with its length (ECC) or the
// params (ECDHE), 6.4.5.4.
func exchangeMessage(s *suite, clientRandom, serverRandom, certOrParams []byte) []byte {
	msg := make([]byte, 0, 2*randomLen+3+len(certOrParams))
	msg = append(append(msg, clientRandom...), serverRandom...)
	if !s.ecdhe {
		msg = appendUint24(msg, len(certOrParams))
	}
	return append(msg, certOrParams...)
}

// newPreMaster makes the pre-master secret of an ECC suite: the version that
// the client offered, then randomness.
func newPreMaster(rand io.Reader) ([]byte, error) {
	preMaster := make([]byte, preMasterLen)
	if _, err := io.ReadFull(rand, preMaster[2:]); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	preMaster[0], preMaster[1] = byte(VersionTLCP>>8), byte(VersionTLCP&0xff)
	return preMaster, nil
}

// decryptPreMaster returns the pre-master secret that a client encrypted. A
// ciphertext that does not decrypt to one yields a random secret instead, so
// that the handshake fails later, at Finished, and the client learns nothing
// about the plaintext. An error is about this end only: it has no randomness,
// or the device that holds the key could not try.
func decryptPreMaster(rand io.Reader, key crypto.PrivateKey, ciphertext []byte) ([]byte, error) {
	decrypter, ok := key.(crypto.Decrypter)
	if !ok {
		return nil, fmt.Errorf("the encryption key is a %T, which is not a crypto.Decrypter", key)
	}
	fallback, err := newPreMaster(rand)
	if err != nil {
		return nil, err
	}
	if !holdsPreMaster(ciphertext) {
		return fallback, nil
	}
	plain, err := decrypter.Decrypt(rand, ciphertext, sm2.ASN1DecrypterOpts)
	var candidate [preMasterLen]byte
	good := subtle.ConstantTimeEq(int32(len(plain)), preMasterLen)
	copy(candidate[:], plain)
	clear(plain)
	var device interface{ DeviceUnavailable() bool }
	if errors.As(err, &device) && device.DeviceUnavailable() {
		return nil, fmt.Errorf("decrypting the pre-master secret: %w", err)
	}
	if err != nil {
		good = 0
	}
	good &= subtle.ConstantTimeByteEq(candidate[0], byte(VersionTLCP>>8))
	good &= subtle.ConstantTimeByteEq(candidate[1], byte(VersionTLCP&0xff))
	subtle.ConstantTimeCopy(good, fallback, candidate[:])
	clear(candidate[:])
	return fallback, nil
}

// holdsPreMaster reports whether a ciphertext (GM/T 0009, section 7.2) is of a
// text as long as a pre-master secret. Others go to no key: a client chooses
// the length, and a library of a device may have a buffer for less. The length
// is no secret.
func holdsPreMaster(ciphertext []byte) bool {
	var body, text cryptobyte.String
	in := cryptobyte.String(ciphertext)
	return in.ReadASN1(&body, asn1.SEQUENCE) && body.SkipASN1(asn1.INTEGER) && body.SkipASN1(asn1.INTEGER) &&
		body.SkipASN1(asn1.OCTET_STRING) && body.ReadASN1(&text, asn1.OCTET_STRING) && len(text) == preMasterLen
}

// keyAgreer returns the key-agreement side of an encryption key.
func keyAgreer(key crypto.PrivateKey) (SM2KeyAgreer, error) {
	switch k := key.(type) {
	case *sm2.PrivateKey:
		return softwareAgreer{k}, nil
	case SM2KeyAgreer:
		return k, nil
	}
	return nil, fmt.Errorf("the encryption key is a %T, which is not an SM2KeyAgreer", key)
}

// CanAgree reports whether the ECDHE suites can be used with an encryption key:
// with a key in memory they can, with one in a device that only decrypts they cannot.
func CanAgree(encPrivateKey crypto.PrivateKey) bool {
	_, err := keyAgreer(encPrivateKey)
	return err == nil
}

// softwareAgreer runs the SM2 key exchange with a key in memory.
type softwareAgreer struct{ *sm2.PrivateKey }

// NewKeyAgreement generates the ephemeral key.
func (a softwareAgreer) NewKeyAgreement(rand io.Reader, initiator bool) (SM2KeyAgreement, error) {
	static, err := a.ECDH()
	if err != nil {
		return nil, err
	}
	public, err := sm2.PublicKeyToECDH(&a.PublicKey)
	if err != nil {
		return nil, err
	}
	ephemeral, err := ecdh.P256().GenerateKey(rand)
	if err != nil {
		return nil, err
	}
	return &softwareAgreement{static, public, ephemeral, initiator}, nil
}

type softwareAgreement struct {
	static       *ecdh.PrivateKey
	staticPublic *ecdh.PublicKey
	ephemeral    *ecdh.PrivateKey
	initiator    bool
}

// EphemeralPublic returns the ephemeral public key.
func (a *softwareAgreement) EphemeralPublic() []byte { return a.ephemeral.PublicKey().Bytes() }

// Agree computes the shared key. It checks that both of the peer's keys lie on
// the curve.
func (a *softwareAgreement) Agree(peerStatic *ecdsa.PublicKey, peerEphemeral []byte, keyLen int) ([]byte, error) {
	static, err := sm2.PublicKeyToECDH(peerStatic)
	if err != nil {
		return nil, err
	}
	ephemeral, err := ecdh.P256().NewPublicKey(peerEphemeral)
	if err != nil {
		return nil, err
	}
	point, err := a.static.SM2MQV(a.ephemeral, static, ephemeral)
	if err != nil {
		return nil, err
	}
	return point.SM2SharedKey(!a.initiator, keyLen, a.staticPublic, static, nil, nil)
}

// agree computes the pre-master secret of an ECDHE suite.
func (h *handshake) agree(agreement SM2KeyAgreement, peerEphemeral []byte) ([]byte, error) {
	preMaster, err := agreement.Agree(h.c.peer.enc, peerEphemeral, preMasterLen)
	if err != nil {
		return nil, failf(AlertIllegalParameter, "SM2 key exchange: %w", err)
	}
	return preMaster, nil
}

var errParams = errors.New("the key exchange params are not the SM2 curve and an uncompressed point")

// parseServerParams splits the ServerKeyExchange of an ECDHE suite.
func parseServerParams(body []byte) (params, point, sig []byte, err error) {
	s := cryptobyte.String(body)
	params, point, ok := parseECDHParams(&s)
	if !ok {
		return nil, nil, nil, errParams
	}
	sig, ok = parseVectorMessage(s)
	if !ok {
		return nil, nil, nil, errors.New("the signature has a wrong length")
	}
	return params, point, sig, nil
}

// parseClientParams returns the point in the ClientKeyExchange of an ECDHE
// suite. Stacks differ: most send the params as they are, some as a vector with
// a length of two bytes in front, which cannot be mistaken for params.
func parseClientParams(body []byte) (point []byte, err error) {
	if len(body) == 2+ecdhParamsLen {
		inner, ok := parseVectorMessage(body)
		if !ok {
			return nil, errParams
		}
		body = inner
	}
	s := cryptobyte.String(body)
	_, point, ok := parseECDHParams(&s)
	if !ok || !s.Empty() {
		return nil, errParams
	}
	return point, nil
}
