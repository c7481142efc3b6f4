// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os/exec"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmx509test"
)

func TestOneFormOfDER(t *testing.T) {
	sm, ec := issue(t, template("leaf", false), sm2Key(t), nil).cert, issue(t, template("leaf", false), p256Key(t), nil).cert
	for _, cert := range []*Certificate{sm, ec, fixtureCert(t, "leaf.crt")} {
		require.NoError(t, CheckExactDER(cert))
		parsed := 0
		for name, der := range gmx509test.DER(cert.Raw) {
			form, err := ParseCertificate(der)
			if err != nil {
				continue
			}
			parsed++
			require.Equal(t, cert.RawTBSCertificate, form.RawTBSCertificate)
			require.Error(t, CheckExactDER(form), name)
			_, err = ParseExact(pem.EncodeToMemory(&pem.Block{Type: pemTypeCertificate, Bytes: der}))
			require.EqualError(t, err, CheckExactDER(form).Error(), name)
		}
		require.GreaterOrEqual(t, parsed, 4, "the forms are no forms")
	}

	bits := func(der []byte) []byte {
		return rebuilt(t, sm.Raw, func(c *derCertificate) { c.Signature = asn1.BitString{Bytes: der, BitLength: 8 * len(der)} })
	}
	for name, c := range map[string]struct {
		der  []byte
		want error
	}{
		"empty":                     {nil, errFormSequence},
		"set":                       {append([]byte{0x31}, sm.Raw[1:]...), errFormSequence},
		"behind":                    {append(bytes.Clone(sm.Raw), 0), errFormSequence},
		"cut":                       {sm.Raw[:len(sm.Raw)-1], errFormSequence},
		"longer length":             {append([]byte{0x30, 0x83, 0}, sm.Raw[2:]...), errFormSequence},
		"indefinite length":         {append(append([]byte{0x30, 0x80}, sm.Raw[4:]...), 0, 0), errFormSequence},
		"no members":                {[]byte{0x30, 0}, errFormMembers},
		"empty signature":           {bits(nil), errFormBits},
		"signature behind ends":     {bits(append(bytes.Clone(sm.Signature), 0)), errSM2SignatureDER},
		"signature of another kind": {bits([]byte("signature")), errSM2SignatureDER},
	} {
		require.ErrorIs(t, CheckExactDER(&Certificate{Raw: c.der, SignatureAlgorithm: SM2WithSM3}), c.want, name)
	}
}

// Of signatures that are no pairs of numbers the BIT STRING alone is looked at.
func TestOneFormOfOtherSignatures(t *testing.T) {
	rsa := func(sig asn1.BitString) *Certificate {
		return &Certificate{
			Raw:                rebuilt(t, fixtureCert(t, "leaf.crt").Raw, func(c *derCertificate) { c.Signature = sig }),
			SignatureAlgorithm: SHA256WithRSA,
		}
	}
	require.NoError(t, CheckExactDER(rsa(asn1.BitString{Bytes: []byte{6}, BitLength: 8})))
	require.ErrorIs(t, CheckExactDER(rsa(asn1.BitString{Bytes: []byte{6}, BitLength: 7})), errFormBits)
	require.ErrorIs(t, CheckExactDER(rsa(asn1.BitString{})), errFormBits)
}

func TestOneFormOfSignature(t *testing.T) {
	ec := issue(t, template("leaf", false), p256Key(t), nil).cert
	n := elliptic.P256().Params().N
	var values pair
	_, err := asn1.Unmarshal(ec.Signature, &values)
	require.NoError(t, err)
	with := func(sig []byte) *Certificate {
		cert, err := ParseCertificate(withSignature(t, ec.Raw, sig))
		require.NoError(t, err)
		return cert
	}
	require.NoError(t, CheckExactDER(with(encodePair(t, values.R, new(big.Int).Sub(n, values.S)))), "the other one of s and n-s")
	require.NoError(t, CheckExactDER(with(encodePair(t, big.NewInt(1), big.NewInt(1)))), "small numbers are numbers")
	for name, sig := range map[string][]byte{
		"behind":       append(bytes.Clone(ec.Signature), 0),
		"three":        raw(t, []*big.Int{values.R, values.S, values.S}).FullBytes,
		"one":          raw(t, []*big.Int{values.R}).FullBytes,
		"zero r":       encodePair(t, new(big.Int), values.S),
		"zero s":       encodePair(t, values.R, new(big.Int)),
		"negative":     encodePair(t, values.R, new(big.Int).Neg(values.S)),
		"padded":       append([]byte{0x30, ec.Signature[1] + 1, 2, ec.Signature[3] + 1, 0}, ec.Signature[4:]...),
		"long length":  append([]byte{0x30, 0x81}, ec.Signature[1:]...),
		"not a pair":   []byte("signature"),
		"empty inside": {0x30, 0},
	} {
		require.ErrorIs(t, CheckExactDER(with(sig)), errFormSignature, name)
	}
}

// The exact PEM is what the openssl command prints, which did not read this code.
func TestOneFormOfPEM(t *testing.T) {
	cert := issue(t, template("leaf", false), sm2Key(t), nil).cert
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	got, err := ParseExactPEM(text)
	require.NoError(t, err)
	require.Equal(t, cert.Raw, got.Raw)
	if openssl, err := exec.LookPath("openssl"); err == nil {
		cmd := exec.Command(openssl, "x509")
		cmd.Stdin = bytes.NewReader(text)
		printed, err := cmd.Output()
		require.NoError(t, err)
		_, err = ParseExactPEM(printed)
		require.NoError(t, err)
	}

	forms := gmx509test.PEM(cert.Raw)
	forms["empty"], forms["DER"], forms["no label"] = nil, cert.Raw, bytes.ReplaceAll(text, []byte(" CERTIFICATE"), []byte(" "))
	why := map[string]string{
		"empty": "no PEM block", "DER": "no PEM block", "other label": "label", "trusted": "label", "no label": "label", "headers": "headers",
		"text in front": "precedes", "newline in front": "precedes", "text behind": "follows", "block behind": "follows",
	}
	for name, form := range forms {
		if why[name] == "" {
			why[name] = "lines"
		}
		for _, parse := range []func([]byte) (*Certificate, error){ParseExactPEM, ParseExact} {
			_, err := parse(form)
			require.ErrorContains(t, err, why[name], name)
		}
	}
}

// Of all forms that a fuzzer finds, one is exact.
func FuzzExactForm(f *testing.F) {
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(f, err)
	cert := issue(f, template("leaf", false), key, nil).cert
	f.Add(cert.Raw)
	for _, der := range gmx509test.DER(cert.Raw) {
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		form, err := ParseCertificate(der)
		if err != nil || CheckExactDER(form) != nil || !bytes.Equal(form.RawTBSCertificate, cert.RawTBSCertificate) {
			return
		}
		if sm2.VerifyASN1WithSM2(cert.PublicKey.(*ecdsa.PublicKey), nil, cert.RawTBSCertificate, form.Signature) {
			require.Equal(t, cert.Raw, form.Raw)
		}
	})
}
