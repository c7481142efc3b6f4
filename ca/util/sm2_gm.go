// SPDX-License-Identifier: Apache-2.0

package util

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/pem"
	"fmt"
	"os"

	"github.com/cloudflare/cfssl/csr"
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric/bccsp"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// AlgoSM2 is the value of csr.keyrequest.algo for SM2 keys. Their size is always 256.
const AlgoSM2 = "sm2"

// sm2Size is the length of an SM2 key in bits.
const sm2Size = 256

// getBCCSPKeyOpts returns how the provider is asked for a new key.
//
//fork:wrap gm: csr.keyrequest.algo may be sm2
func getBCCSPKeyOpts(kr *csr.KeyRequest, ephemeral bool) (bccsp.KeyGenOpts, error) {
	if kr == nil || kr.Algo() != AlgoSM2 {
		return upstreamGetBCCSPKeyOpts(kr, ephemeral)
	}
	if kr.Size() != 0 && kr.Size() != sm2Size {
		return nil, errors.Errorf("an SM2 key has %d bits, but csr.keyrequest.size is %d", sm2Size, kr.Size())
	}
	return &bccsp.SM2KeyGenOpts{Temporary: ephemeral}, nil
}

// ImportBCCSPKeyFromPEM imports the private key in a file into the provider.
//
//fork:wrap gm: SM2 keys, and those in devices
func ImportBCCSPKeyFromPEM(keyFile string, csp bccsp.BCCSP, temporary bool) (bccsp.Key, error) {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	if device, err := keyInFile(keyFile, text); device != nil || err != nil {
		return device, err
	}
	key, err := x509.ParsePrivateKeyPEM(text, nil)
	if err != nil {
		return upstreamImportBCCSPKeyFromPEM(keyFile, csp, temporary)
	}
	priv, ok := x509.AsSM2(key)
	if !ok {
		return upstreamImportBCCSPKeyFromPEM(keyFile, csp, temporary)
	}
	imported, err := csp.KeyImport(priv, &bccsp.SM2PrivateKeyImportOpts{Temporary: temporary})
	if err != nil {
		return nil, fmt.Errorf("importing the SM2 key in %s: %w", keyFile, err)
	}
	return imported, nil
}

// GetECPrivateKey returns the private key of a PEM text.
//
//fork:wrap gm: SM2 keys
func GetECPrivateKey(raw []byte) (*ecdsa.PrivateKey, error) {
	if block, _ := pem.Decode(raw); block != nil && x509.NamesGM(block.Bytes) {
		key, err := x509.ParsePrivateKeyPEM(raw, nil)
		if err != nil {
			return nil, err
		}
		if priv, ok := x509.AsSM2(key); ok {
			return &priv.PrivateKey, nil
		}
	}
	return upstreamGetECPrivateKey(raw)
}

// genECDSAToken makes the token that authenticates a request of a client.
//
//fork:wrap gm: an SM2 key signs the request itself, over SM3(Z || request)
func genECDSAToken(csp bccsp.BCCSP, key bccsp.Key, b64cert, payload string) (string, error) {
	cert, err := certificateOfToken(b64cert)
	if err != nil || !x509.IsSM2(cert.PublicKey) {
		return upstreamGenECDSAToken(csp, key, b64cert, payload)
	}
	signature, err := csp.Sign(key, []byte(payload), &bccsp.SM2SignerOpts{})
	if err != nil {
		return "", errors.WithMessage(err, "signing the request with an SM2 key")
	}
	return b64cert + "." + B64Encode(signature), nil
}

// VerifyToken verifies the token of a request and returns the client's certificate, which the caller has to check.
//
//fork:wrap gm: tokens of SM2 keys, which have no form of version 1.3
func VerifyToken(csp bccsp.BCCSP, token, method, uri string, body []byte, compMode1_3 bool) (*x509.Certificate, error) {
	cert, b64cert, b64signature, err := decodeToken(token)
	if err != nil || csp == nil || !x509.IsSM2(cert.PublicKey) {
		return upstreamVerifyToken(csp, token, method, uri, body, compMode1_3)
	}
	if x509.IsPairEncryption(cert) && !x509.IsPairSigning(cert) { // others may have its key: the CA that made it, who recovers it
		return nil, errors.New("the token's certificate is one for encryption, whose key authenticates nobody")
	}
	signature, err := B64Decode(b64signature)
	if err != nil {
		return nil, errors.WithMessage(err, "the token's signature is not in base64")
	}
	key, err := csp.KeyImport(cert, &bccsp.X509PublicKeyImportOpts{Temporary: true})
	if err != nil {
		return nil, errors.WithMessage(err, "importing the public key of the token's certificate")
	}
	payload := method + "." + B64Encode([]byte(uri)) + "." + B64Encode(body) + "." + b64cert
	valid, err := csp.Verify(key, signature, []byte(payload), &bccsp.SM2SignerOpts{})
	if err != nil {
		return nil, errors.WithMessage(err, "verifying the token's SM2 signature")
	}
	if !valid {
		return nil, errors.New("the token's SM2 signature is wrong")
	}
	return cert, nil
}

// TokenHash is how a message is hashed that an ECDSA or Idemix key signs for the server: by the default hash of the provider as in stock,
// but not by SM3, the default of the provider GM, since the other end may have another provider.
func TokenHash(csp bccsp.BCCSP) bccsp.HashOpts {
	byDefault, err := csp.Hash([]byte{}, &bccsp.SHAOpts{})
	if err != nil {
		return &bccsp.SHAOpts{} // which says why
	}
	if sm3, err := csp.Hash([]byte{}, &bccsp.SM3Opts{}); err == nil && bytes.Equal(byDefault, sm3) {
		return &bccsp.SHA256Opts{}
	}
	return &bccsp.SHAOpts{}
}

func certificateOfToken(b64cert string) (*x509.Certificate, error) {
	text, err := B64Decode(b64cert)
	if err != nil {
		return nil, err
	}
	return GetX509CertificateFromPEM(text)
}
