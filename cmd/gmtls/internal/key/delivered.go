// SPDX-License-Identifier: Apache-2.0

package key

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/emmansun/gmsm/cfca"
	gmcipher "github.com/emmansun/gmsm/cipher"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm4"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

var (
	oidSM1    = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 102}
	oidSM4    = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 104}
	oidSM4ECB = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 104, 1}
	oidGMData = asn1.ObjectIdentifier{1, 2, 156, 10197, 6, 1, 4, 2, 1}
)

// openEnveloped opens an SM2EnvelopedKey (GM/T 0009, section 7.4) with the private key that it was made for, which is the
// signing key of the pair.
func openEnveloped(der []byte, with *sm2.PrivateKey) (*sm2.PrivateKey, error) {
	var (
		seq, algorithm, wrapped cryptobyte.String
		cipherID                asn1.ObjectIdentifier
		public, private         asn1.BitString
	)
	input := cryptobyte.String(der)
	if !input.ReadASN1(&seq, cbasn1.SEQUENCE) || !input.Empty() || !seq.ReadASN1(&algorithm, cbasn1.SEQUENCE) ||
		!algorithm.ReadASN1ObjectIdentifier(&cipherID) || !seq.ReadASN1Element(&wrapped, cbasn1.SEQUENCE) ||
		!seq.ReadASN1BitString(&public) || !seq.ReadASN1BitString(&private) || !seq.Empty() ||
		public.BitLength%8 != 0 || private.BitLength%8 != 0 {
		return nil, errors.New("the SM2EnvelopedKey is not well-formed (GM/T 0009, section 7.4)")
	}
	switch {
	case len(cipherID) >= len(oidSM1) && cipherID[:len(oidSM1)].Equal(oidSM1):
		return nil, errors.New("it is encrypted with SM1, which only chips have; ask the CA for SM4")
	case !cipherID.Equal(oidSM4) && !cipherID.Equal(oidSM4ECB):
		return nil, fmt.Errorf("it is encrypted with the cipher %v, and only SM4 in ECB mode is read", cipherID)
	}
	secret, err := with.Decrypt(nil, wrapped, nil)
	if err != nil || len(secret) != sm4.BlockSize {
		return nil, errors.New("it does not open with this signing key: it was made for another one, or is damaged")
	}
	block, err := sm4.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	if len(private.Bytes) == 0 || len(private.Bytes) > 64 || len(private.Bytes)%sm4.BlockSize != 0 {
		return nil, fmt.Errorf("the encrypted key in it has %d bytes, 32 are expected", len(private.Bytes))
	}
	plain := make([]byte, len(private.Bytes))
	gmcipher.NewECBDecrypter(block).CryptBlocks(plain, private.Bytes)
	key, err := x509.NewSM2PrivateKey(scalarOf(plain))
	if err != nil {
		return nil, err
	}
	point, err := x509.SM2Point(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(point, public.Bytes) {
		return nil, errors.New("the private key in it does not belong to the public key in it")
	}
	return key, nil
}

// scalarOf returns the 32 bytes of a scalar. Tokens (GM/T 0016) put 32 zeros in front of it, other encoders a block of
// padding behind it.
func scalarOf(plain []byte) []byte {
	if len(plain) == 48 && bytes.Equal(plain[32:], bytes.Repeat([]byte{16}, 16)) {
		return plain[:32]
	}
	return plain // x509.NewSM2PrivateKey takes zeros in front
}

// response is a CSRResponse (GM/T 0092): certificates for signing, and the encryption key in its envelope with its certificates.
type response struct {
	certs    []*x509.Certificate
	envelope []byte // DER of an SM2EnvelopedKey; nil if there is none
}

func parseResponse(der []byte) (*response, error) {
	malformed := errors.New("the CSRResponse is not well-formed (GM/T 0092)")
	var seq, certs cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&seq, cbasn1.SEQUENCE) || !input.Empty() || !seq.ReadASN1(&certs, cbasn1.SET) {
		return nil, malformed
	}
	answer := new(response)
	if err := answer.add(certs); err != nil {
		return nil, err
	}
	var envelope cryptobyte.String
	var enveloped, more bool
	if !seq.ReadOptionalASN1(&envelope, &enveloped, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!seq.ReadOptionalASN1(&certs, &more, cbasn1.Tag(1).ContextSpecific().Constructed()) || !seq.Empty() {
		return nil, malformed
	}
	if enveloped {
		// Tagged implicitly or explicitly: encoders differ.
		if answer.envelope = envelope; material.FormOf(envelope) != material.FormEnvelopedKey {
			var b cryptobyte.Builder
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(envelope) })
			answer.envelope = b.BytesOrPanic()
		}
	}
	if more {
		if err := answer.add(certs); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

func (r *response) add(list cryptobyte.String) error {
	for !list.Empty() {
		var der cryptobyte.String
		var tag cbasn1.Tag
		if !list.ReadAnyASN1Element(&der, &tag) {
			return errors.New("the certificates of the CSRResponse are not well-formed")
		}
		if tag != cbasn1.SEQUENCE { // a set or a list in the tag
			var inner cryptobyte.String
			if !der.ReadAnyASN1(&inner, &tag) {
				return errors.New("the certificates of the CSRResponse are not well-formed")
			}
			if err := r.add(inner); err != nil {
				return err
			}
			continue
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("certificate %d of the CSRResponse: %w", len(r.certs)+1, err)
		}
		r.certs = append(r.certs, cert)
	}
	return nil
}

// parseSigned returns the certificates of signed data (PKCS #7, GM/T 0010).
func parseSigned(der []byte) (certs []*x509.Certificate, err error) {
	var content, explicit, signed, list cryptobyte.String
	var present bool
	zero := cbasn1.Tag(0).ContextSpecific().Constructed()
	input := cryptobyte.String(der)
	if !input.ReadASN1(&content, cbasn1.SEQUENCE) || !content.SkipASN1(cbasn1.OBJECT_IDENTIFIER) || !content.ReadASN1(&explicit, zero) ||
		!explicit.ReadASN1(&signed, cbasn1.SEQUENCE) || !signed.SkipASN1(cbasn1.INTEGER) || !signed.SkipASN1(cbasn1.SET) ||
		!signed.SkipASN1(cbasn1.SEQUENCE) || !signed.ReadOptionalASN1(&list, &present, zero) {
		return nil, errors.New("the signed data are not well-formed (GM/T 0010)")
	}
	for !list.Empty() {
		var one cryptobyte.String
		if !list.ReadASN1Element(&one, cbasn1.SEQUENCE) {
			return nil, errors.New("the certificates of the signed data are not well-formed")
		}
		cert, err := x509.ParseCertificate(one)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the signed data: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// openCFCA opens a .sm2 file of CFCA: a key encrypted with a password, and its certificate.
func openCFCA(der, password []byte) (*sm2.PrivateKey, *x509.Certificate, error) {
	malformed := errors.New("the CFCA .sm2 file is not well-formed")
	var file struct {
		Version int
		Key     struct {
			Type, Cipher asn1.ObjectIdentifier
			Data         []byte
		}
		Cert struct {
			Type asn1.ObjectIdentifier
			Data []byte
		}
	}
	if rest, err := asn1.Unmarshal(der, &file); err != nil || len(rest) != 0 ||
		!file.Key.Type.Equal(oidGMData) || !file.Cert.Type.Equal(oidGMData) {
		return nil, nil, malformed
	}
	if n := len(file.Key.Data); n == 0 || n > 64 || n%sm4.BlockSize != 0 {
		return nil, nil, malformed
	}
	cert, err := x509.ParseCertificate(file.Cert.Data)
	if err != nil {
		return nil, nil, fmt.Errorf("the certificate in the CFCA .sm2 file: %w", err)
	}
	if len(password) == 0 {
		return nil, cert, x509.ErrNoPassword
	}
	plain, err := cfca.DecryptBySM4CBC(file.Key.Data, password)
	if err != nil {
		return nil, cert, x509.ErrWrongPassword
	}
	key, err := x509.NewSM2PrivateKey(plain)
	if err != nil || x509.CheckKeyPair(cert, key) != nil {
		return nil, cert, x509.ErrWrongPassword
	}
	return key, cert, nil
}

// openEscrow opens the encryption key in the answer of CFCA with the temporary key whose public half was in the request.
func openEscrow(text []byte, with *sm2.PrivateKey) (*sm2.PrivateKey, error) {
	key, err := cfca.ParseEscrowPrivateKey(with, bytes.TrimSpace(text))
	if err != nil {
		return nil, errors.New("it does not open with this key: it was made for another one, or is damaged")
	}
	return key, nil
}

// unwrapBase64 returns the DER in bare base64, or data itself.
func unwrapBase64(data []byte) []byte {
	text := strings.Join(strings.Fields(string(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))), "")
	if der, err := base64.StdEncoding.DecodeString(text); err == nil && material.FormOf(der) != material.FormUnknown {
		return der
	}
	return data
}
