// SPDX-License-Identifier: Apache-2.0

// Package gmx509test makes other forms of a certificate, for tests: forms that parsers accept, that need no key to make, and that differ from
// what the CA wrote. It shares no code with the checks that refuse them.
package gmx509test

import (
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// outer is a certificate as RFC 5280, section 4.1 defines it.
type outer struct {
	Signed, Algorithm asn1.RawValue
	Signature         asn1.BitString
}

// DER returns forms of a DER certificate, each under the name of what was done to it. Every parser in use accepts those with
// something behind the signature and, if the highest bits of the signature are free, those with unused bits.
func DER(der []byte) map[string][]byte {
	var c outer
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		panic(fmt.Sprintf("gmx509test: not a certificate: %v", err))
	}
	forms := map[string][]byte{}
	body := append(append([]byte{}, c.Signed.FullBytes...), c.Algorithm.FullBytes...)
	signature := marshal(c.Signature)
	for name, more := range map[string][]byte{
		"NULL behind": {5, 0}, "octets behind": marshal([]byte("junk")), "second signature": signature, "garbage behind": {0xDE, 0xAD},
	} {
		forms[name] = sequence(body, signature, more)
	}
	var id asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(c.Algorithm.Bytes, &id); err != nil {
		panic(fmt.Sprintf("gmx509test: not an algorithm: %v", err))
	}
	forms["NULL parameters outside"] = sequence(c.Signed.FullBytes, sequence(marshal(id), []byte{5, 0}), signature)
	for unused := 1; unused <= 7; unused++ {
		// The same number, moved up by the unused bits; parsers move it down again.
		wide := append([]byte{0}, c.Signature.Bytes...)
		moved := new(big.Int).Lsh(new(big.Int).SetBytes(c.Signature.Bytes), uint(unused)).FillBytes(wide)
		if moved[0] == 0 {
			moved = moved[1:]
		}
		forms[fmt.Sprintf("%d unused bits", unused)] = sequence(body, marshal(asn1.BitString{Bytes: moved, BitLength: 8*len(moved) - unused}))
	}
	return forms
}

// PEM returns forms of a certificate in PEM, each under the name of what was done to it.
func PEM(der []byte) map[string][]byte {
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	encoded := base64.StdEncoding.EncodeToString(der)
	forms := map[string]string{
		"other label":         strings.ReplaceAll(text, "CERTIFICATE", "X509 CERTIFICATE"),
		"trusted":             strings.ReplaceAll(text, "CERTIFICATE", "TRUSTED CERTIFICATE"),
		"headers":             strings.Replace(text, "-----\n", "-----\nName: value\n\n", 1),
		"text in front":       "subject=peer\n" + text,
		"newline in front":    "\n" + text,
		"text behind":         text + "end\n",
		"block behind":        text + text,
		"newline behind":      text + "\n",
		"no last newline":     strings.TrimSpace(text),
		"CRLF":                strings.ReplaceAll(text, "\n", "\r\n"),
		"one line":            "-----BEGIN CERTIFICATE-----\n" + encoded + "\n-----END CERTIFICATE-----\n",
		"lines of 76":         "-----BEGIN CERTIFICATE-----\n" + encoded[:76] + "\n" + encoded[76:] + "\n-----END CERTIFICATE-----\n",
		"spaces at line ends": strings.ReplaceAll(text, "\n", " \n"),
		"empty lines":         strings.Replace(text, "\n", "\n\n", 3),
	}
	out := map[string][]byte{}
	for name, form := range forms {
		out[name] = []byte(form)
	}
	return out
}

// Identities returns forms of a serialized identity (SerializedIdentity of Fabric's msp/identities.proto) of one certificate,
// each under the name of what was done to it: to the DER, to the PEM, or to the message.
func Identities(mspID string, der []byte) map[string][]byte {
	exact := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	plain := Identity(mspID, exact)
	forms := map[string][]byte{
		"unknown field":      protowire.AppendVarint(protowire.AppendTag(append([]byte{}, plain...), 7, protowire.VarintType), 1),
		"MSP twice":          append(field(1, []byte("Other")), plain...),
		"certificate twice":  append(field(2, []byte("other")), plain...),
		"other order":        append(field(2, exact), field(1, []byte(mspID))...),
		"longer than needed": append([]byte{0x0A, byte(len(mspID)) | 0x80, 0}, append([]byte(mspID), field(2, exact)...)...),
	}
	for name, form := range DER(der) {
		forms["DER: "+name] = Identity(mspID, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: form}))
	}
	for name, form := range PEM(der) {
		forms["PEM: "+name] = Identity(mspID, form)
	}
	return forms
}

// Identity is the serialized identity of a certificate in PEM, as nodes write it.
func Identity(mspID string, text []byte) []byte {
	return append(field(1, []byte(mspID)), field(2, text)...)
}

func field(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}

func marshal(v any) []byte {
	der, err := asn1.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("gmx509test: %v", err))
	}
	return der
}

func sequence(parts ...[]byte) []byte {
	var content []byte
	for _, part := range parts {
		content = append(content, part...)
	}
	return marshal(asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSequence, IsCompound: true, Bytes: content})
}
