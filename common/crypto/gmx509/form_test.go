// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os/exec"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"
)

// dressed are forms of one certificate that parse: its holder, or whoever hands it on, can make them without a key.
func dressed(t testing.TB, der []byte) map[string][]byte {
	t.Helper()
	var c derCertificate
	_, err := asn1.Unmarshal(der, &c)
	require.NoError(t, err)
	forms := map[string][]byte{}
	type rest struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
		More           asn1.RawValue `asn1:"optional"`
	}
	for name, more := range map[string]any{"an integer behind": 1, "octets behind": []byte("junk"), "another signature behind": c.Signature} {
		var outer rest
		_, err := asn1.Unmarshal(der, &outer)
		require.NoError(t, err)
		outer.More = raw(t, more)
		forms[name] = raw(t, outer).FullBytes
	}
	for unused := 1; unused <= 7; unused++ {
		// The same number, moved to the left by a byte less the unused bits. Parsers move it back.
		wide := append([]byte{0}, c.Signature.Bytes...)
		value := new(big.Int).Lsh(new(big.Int).SetBytes(wide), uint(unused))
		shifted := value.FillBytes(make([]byte, len(wide)))
		forms["unused bits "+string(rune('0'+unused))] = rebuilt(t, der, func(c *derCertificate) {
			c.Signature = asn1.BitString{Bytes: shifted, BitLength: 8*len(shifted) - unused}
		})
	}
	return forms
}

func TestOneFormOfDER(t *testing.T) {
	sm, ec := issue(t, template("leaf", false), sm2Key(t), nil).cert, issue(t, template("leaf", false), p256Key(t), nil).cert
	for _, cert := range []*Certificate{sm, ec, fixtureCert(t, "leaf.crt")} {
		require.NoError(t, CheckExactDER(cert))
		parsed := 0
		for name, der := range dressed(t, cert.Raw) {
			form, err := ParseCertificate(der)
			if err != nil {
				continue
			}
			parsed++
			require.Equal(t, cert.RawTBSCertificate, form.RawTBSCertificate)
			require.Error(t, CheckExactDER(form), name)
		}
		require.GreaterOrEqual(t, parsed, 3, "the forms are no forms")
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

	one := strings.NewReplacer("\n", "").Replace(base64.StdEncoding.EncodeToString(cert.Raw))
	for name, c := range map[string]struct{ text, why string }{
		"empty":              {"", "no PEM block"},
		"DER":                {string(cert.Raw), "no PEM block"},
		"other label":        {strings.ReplaceAll(string(text), "CERTIFICATE", "X509 CERTIFICATE"), "label"},
		"trusted":            {strings.ReplaceAll(string(text), "CERTIFICATE", "TRUSTED CERTIFICATE"), "label"},
		"no label":           {strings.ReplaceAll(string(text), " CERTIFICATE", " "), "label"},
		"headers":            {strings.Replace(string(text), "-----\n", "-----\nX: y\n\n", 1), "headers"},
		"text in front":      {"subject=leaf\n" + string(text), "in front"},
		"newline in front":   {"\n" + string(text), "in front"},
		"text behind":        {string(text) + "end\n", "behind"},
		"block behind":       {string(text) + string(text), "behind"},
		"newline behind":     {string(text) + "\n", "lines"},
		"no last newline":    {strings.TrimSpace(string(text)), "lines"},
		"CRLF":               {strings.ReplaceAll(string(text), "\n", "\r\n"), "lines"},
		"one line":           {"-----BEGIN CERTIFICATE-----\n" + one + "\n-----END CERTIFICATE-----\n", "lines"},
		"lines of 76":        {"-----BEGIN CERTIFICATE-----\n" + one[:76] + "\n" + one[76:] + "\n-----END CERTIFICATE-----\n", "lines"},
		"space at line ends": {strings.ReplaceAll(string(text), "\n", " \n"), ""},
		"tab in the middle":  {string(text[:60]) + "\t" + string(text[60:]), ""},
	} {
		_, err := ParseExactPEM([]byte(c.text))
		require.Error(t, err, name)
		require.Contains(t, err.Error(), c.why, name)
	}
}

// Of all forms that a fuzzer finds, one is exact.
func FuzzExactForm(f *testing.F) {
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(f, err)
	cert := issue(f, template("leaf", false), key, nil).cert
	f.Add(cert.Raw)
	for _, der := range dressed(f, cert.Raw) {
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
