// SPDX-License-Identifier: Apache-2.0

package helpers

import (
	"bytes"
	"crypto"
	"encoding/pem"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// ParseOneCertificateFromPEM returns the first certificate of a PEM text, and what follows it.
//
//fork:wrap gm: certificates of SM2 keys
func ParseOneCertificateFromPEM(text []byte) ([]*x509.Certificate, []byte, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" || !x509.NamesGM(block.Bytes) {
		return upstreamParseOneCertificateFromPEM(text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, rest, err
	}
	return []*x509.Certificate{cert}, rest, nil
}

// ParseCSR reads a certificate request, PEM or DER, and verifies its signature.
//
//fork:wrap gm: certificate requests of SM2 keys
func ParseCSR(in []byte) (*x509.CertificateRequest, []byte, error) {
	der, rest := bytes.TrimSpace(in), []byte(nil)
	block, after := pem.Decode(der)
	if block != nil {
		der, rest = block.Bytes, after
	}
	if !x509.NamesGM(der) || block != nil && block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" {
		return upstreamParseCSR(in)
	}
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, rest, err
	}
	if err := x509.CheckRequestSignature(req); err != nil {
		return nil, rest, err
	}
	return req, rest, nil
}

// ParseCSRPEM reads a certificate request without verifying its signature.
//
//fork:wrap gm: certificate requests of SM2 keys
func ParseCSRPEM(text []byte) (*x509.CertificateRequest, error) {
	if block, _ := pem.Decode(text); block != nil && x509.NamesGM(block.Bytes) {
		return x509.ParseCertificateRequest(block.Bytes)
	}
	return upstreamParseCSRPEM(text)
}

// SignerAlgo returns the algorithm by which a key signs.
//
//fork:wrap gm: an SM2 key signs over SM3
func SignerAlgo(priv crypto.Signer) x509.SignatureAlgorithm {
	if x509.IsSM2(priv.Public()) {
		return x509.SM2WithSM3
	}
	return upstreamSignerAlgo(priv)
}
