// SPDX-License-Identifier: Apache-2.0

package material

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	stdx509 "crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

func caseFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "cases", name))
	require.NoError(t, err)
	return data
}

func derOf(t testing.TB, text []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(text)
	require.NotNil(t, block)
	return block.Bytes
}

func crlf(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")) }
func cr(text []byte) []byte   { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r")) }
func mark(text []byte) []byte { return append([]byte("\xef\xbb\xbf"), text...) }
func indented(text []byte) []byte {
	return []byte("    " + strings.ReplaceAll(string(text), "\n", " \n    "))
}

func join(texts ...[]byte) []byte { return bytes.Join(texts, nil) }

// The certificates of the cases last, as tests of several packages judge them by the clock of the machine. What cannot be parsed, to be
// refused by the tests, is not counted.
func TestCasesLast(t *testing.T) {
	count := 0
	require.NoError(t, filepath.WalkDir(filepath.Join("testdata", "cases"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rest, err := os.ReadFile(path)
		require.NoError(t, err)
		ders := [][]byte{rest}
		for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
			ders = append(ders, block.Bytes)
		}
		for _, der := range ders {
			if cert, err := gmx509.ParseCertificate(der); err == nil {
				require.GreaterOrEqual(t, cert.NotAfter.Year(), 2056, path)
				count++
			}
		}
		return nil
	}))
	require.Greater(t, count, 35)
}

// Whatever the form of a file, the same certificates are read, and none is lost.
func TestFormsOfCertificateFiles(t *testing.T) {
	ca, gmCA := caseFile(t, "base/ca.crt"), caseFile(t, "base/gm-ca.crt")
	one, two := derOf(t, ca), derOf(t, gmCA)
	ecdsa := caseFile(t, "tlcp-files/p256.crt")
	bare := bytes.TrimRight(ca, "\n")
	for name, c := range map[string]struct {
		file []byte
		want [][]byte
	}{
		"PEM":                    {ca, [][]byte{one}},
		"CR LF":                  {crlf(ca), [][]byte{one}},
		"CR":                     {cr(ca), [][]byte{one}},
		"byte order mark":        {mark(ca), [][]byte{one}},
		"mark and CR LF":         {mark(crlf(ca)), [][]byte{one}},
		"no line break at end":   {bare, [][]byte{one}},
		"indented":               {indented(ca), [][]byte{one}},
		"text in front":          {join([]byte("Certificate:\n    Data: ----\nBEGIN of it\n"), ca), [][]byte{one}},
		"text between":           {join(ca, []byte("the other\n\n"), gmCA), [][]byte{one, two}},
		"two":                    {join(ca, gmCA), [][]byte{one, two}},
		"joined":                 {join(bare, gmCA), [][]byte{one, two}},
		"joined, CR LF":          {join(crlf(bare), crlf(gmCA)), [][]byte{one, two}},
		"joined with a space":    {join(bare, []byte(" "), gmCA), [][]byte{one, two}},
		"mark between":           {join(ca, mark(gmCA)), [][]byte{one, two}},
		"three joined":           {join(bare, bytes.TrimRight(gmCA, "\n"), bare), [][]byte{one, two, one}},
		"headers":                {bytes.Replace(ca, []byte("-----\n"), []byte("-----\nOrigin: a CA\n\n"), 1), [][]byte{one}},
		"DER":                    {one, [][]byte{one}},
		"two in DER":             {join(one, two), [][]byte{one, two}},
		"both families":          {join(ca, ecdsa), [][]byte{one, derOf(t, ecdsa)}},
		"case: joined":           {caseFile(t, "root-bundle/joined.pem"), nil},
		"case: DER":              {caseFile(t, "tlcp-files/der.crt"), nil},
		"case: identity CA, DER": {caseFile(t, "identity-ca/der.crt"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			certs, err := ParseCertificates("the file", c.file)
			require.NoError(t, err)
			var got [][]byte
			for i, cert := range certs {
				got = append(got, cert.Raw)
				require.Equal(t, "the file", cert.File)
				require.Equal(t, i+1, cert.Object)
				again, err := ParseCertificates("", cert.PEM())
				require.NoError(t, err)
				require.Equal(t, cert.Raw, again[0].Raw)
			}
			if c.want != nil {
				require.Equal(t, c.want, got)
			}
		})
	}
	joined, err := ParseCertificates("", caseFile(t, "root-bundle/joined.pem"))
	require.NoError(t, err)
	require.Len(t, joined, 3)
	both, err := ParseCertificates("", join(ca, ecdsa))
	require.NoError(t, err)
	require.Equal(t, []Family{SM2, Standard}, []Family{both[0].Family(), both[1].Family()})
}

// What cannot be read is refused by file, object, reason and remedy.
func TestRefusedFiles(t *testing.T) {
	ca, gmCA := caseFile(t, "base/ca.crt"), caseFile(t, "base/gm-ca.crt")
	der := derOf(t, ca)
	key := caseFile(t, "base/peer/msp/keystore/peer.key")
	cut := bytes.LastIndexByte(bytes.TrimRight(ca, "\n"), '\n')
	relabel := func(label string) []byte { return bytes.ReplaceAll(ca, []byte("CERTIFICATE"), []byte(label)) }
	for name, c := range map[string]struct {
		file  []byte
		wants []string
	}{
		"empty":                    {nil, []string{"the file: it is empty"}},
		"spaces":                   {[]byte(" \r\n\n"), []string{"it is empty"}},
		"a readme":                 {[]byte("put the certificates here\n"), []string{"neither PEM nor DER"}},
		"no END line":              {ca[:cut+1], []string{"END line is missing"}},
		"second has no END line":   {join(gmCA, ca[:cut+1]), []string{"the file: object 2 (line 13): ", "END line is missing"}},
		"first has no END line":    {join(ca[:cut+1], gmCA), []string{"END line is missing"}},
		"labels differ":            {bytes.Replace(ca, []byte("END CERTIFICATE"), []byte("END X509 CRL"), 1), []string{"END line is missing or differs"}},
		"no BEGIN line":            {join(gmCA, ca[bytes.IndexByte(ca, '\n')+1:]), []string{"without its BEGIN line"}},
		"four dashes":              {join(gmCA, ca[1:]), []string{"object 2", "fewer dashes than five"}},
		"four dashes, first":       {ca[1:], []string{"line 1 is a damaged BEGIN or END line"}},
		"four dashes at the end":   {bytes.Replace(ca, []byte("-----END"), []byte("----END"), 1), []string{"END line is missing"}},
		"typographic dashes":       {join(gmCA, bytes.Replace(ca, []byte("-----BEGIN CERTIFICATE-----"), []byte("—–BEGIN CERTIFICATE—–"), 1)), []string{"object 2"}},
		"damaged base64":           {bytes.Replace(ca, []byte("MII"), []byte("M!I"), 1), []string{"base64 between is damaged"}},
		"cut DER":                  {der[:len(der)-1], []string{"neither PEM nor DER"}},
		"byte behind DER":          {append(bytes.Clone(der), 0), []string{"object 2: ", "left over (1 byte)"}},
		"byte in PEM behind DER":   {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: append(bytes.Clone(der), 0)}), []string{"trailing data"}},
		"UTF-16":                   {[]byte("\xff\xfe-\x00-\x00"), []string{"UTF-16", "save it as UTF-8"}},
		"UTF-16 without a mark":    {wide(ca, false), []string{"UTF-16", "save it as UTF-8"}},
		"UTF-16, the other order":  {wide(ca, true), []string{"UTF-16", "save it as UTF-8"}},
		"bare base64":              {[]byte(base64.StdEncoding.EncodeToString(der)), []string{"base64 without a BEGIN line, and holds a certificate", "openssl base64 -d"}},
		"trusted label":            {caseFile(t, "identity-ca/trusted-label.crt"), []string{"TRUSTED CERTIFICATE", "openssl x509 -in"}},
		"trusted, second":          {join(gmCA, relabel("TRUSTED CERTIFICATE")), []string{"object 2 (line ", "TRUSTED CERTIFICATE"}},
		"X509 label":               {relabel("X509 CERTIFICATE"), []string{"X509 CERTIFICATE", "openssl x509 -in"}},
		"small letters":            {relabel("certificate"), []string{`"certificate", which is not read (it holds a certificate)`, "write CERTIFICATE in its BEGIN and END lines"}},
		"PKCS7 label":              {relabel("PKCS7"), []string{`"PKCS7"`}},
		"a key labelled so":        {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: derOf(t, key)}), []string{"certificate: ", "it is a private key (PKCS #8)"}},
		"serial not shortest":      {caseFile(t, "identity-ca/nonminimal-serial.crt"), []string{"certificate: x509: malformed serial number"}},
		"bad name":                 {caseFile(t, "tlcp-files/bad-name.crt"), []string{"certificate: x509: "}},
		"enveloped key":            {caseFile(t, "enveloped-keys/enveloped.der"), []string{"it is an SM2EnvelopedKey (GM/T 0009)", "gmtls key"}},
		"CFCA":                     {caseFile(t, "enveloped-keys/cfca.sm2"), []string{"holds a CFCA .sm2 file", "gmtls key"}},
		"CFCA in DER":              {mustBase64(t, caseFile(t, "enveloped-keys/cfca.sm2")), []string{"it is a CFCA .sm2 file", "gmtls key"}},
		"CFCA's answer":            {[]byte("0000000000000001000000000000000100000000000000000000000000000000"), []string{"an encryption key as CFCA sends it", "gmtls key"}},
		"GM/T 0010":                {message(t, "1.2.156.10197.6.1.4.2.2"), []string{"it is a GM/T 0010 message with certificates", "gmtls key FILE --out-cert FILE.pem"}},
		"GM/T 0010, base64":        {[]byte(base64.StdEncoding.EncodeToString(message(t, "1.2.156.10197.6.1.4.2.2"))), []string{"holds a GM/T 0010 message", "gmtls key FILE --out-cert FILE.pem"}},
		"GM/T 0010, sealed":        {message(t, "1.2.156.10197.6.1.4.2.3"), []string{"message without certificates", "ask who sent it"}},
		"PKCS #7":                  {message(t, "1.2.840.113549.1.7.2"), []string{"it is a PKCS #7 message", "openssl pkcs7 -print_certs"}},
		"PKCS #7, sealed":          {message(t, "1.2.840.113549.1.7.3"), []string{"message without certificates", "ask who sent it"}},
		"no message":               {message(t, "1.2.840.113549.1.9.16"), []string{"DER of an unknown kind"}},
		"of a token":               {append([]byte("\x01\x00\x00\x00\x01\x04\x00\x00\x00\x01\x00\x00"), make([]byte, 400)...), []string{"neither PEM nor DER, but an ENVELOPEDKEYBLOB", "SM2EnvelopedKey"}},
		"a key":                    {key, []string{"private key, where only certificates belong"}},
		"certificate and key":      {caseFile(t, "one-file/both.pem"), []string{"private key, where only certificates belong"}},
		"a revocation list":        {caseFile(t, "revocation/rev.crl"), []string{"revocation list, where only certificates belong"}},
		"a revocation list in DER": {caseFile(t, "revocation/rev.der"), []string{"revocation list, where only certificates belong"}},
		"parameters alone":         {[]byte("-----BEGIN SM2 PARAMETERS-----\nBggqgRzPVQGCLQ==\n-----END SM2 PARAMETERS-----\n"), []string{"nothing but curve parameters"}},
		"too large":                {join(ca, bytes.Repeat([]byte("x\n"), MaxFile/2)), []string{"more than the 1048576 bytes that are allowed"}},
		"too many":                 {bytes.Repeat([]byte("-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"), maxObjects+1), []string{"more than 4096 objects"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseCertificates("the file", c.file)
			var typed *Error
			require.ErrorAs(t, err, &typed)
			require.Equal(t, "the file", typed.File)
			for _, want := range c.wants {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// TestTextThatBeginsLikeDER: a line of text in front of PEM may begin with the digit 0, which is the tag of a sequence, in any encoding.
func TestTextThatBeginsLikeDER(t *testing.T) {
	ca := caseFile(t, "base/gm-ca.crt")
	for _, line := range []string{"01.12.2026 root of the bank\n", "0\x01\n", "00 \xb8\xf9\xd6\xa4\xca\xe9\r\n", "0\t\n"} {
		certs, err := ParseCertificates("the file", append([]byte(line), ca...))
		if strings.Contains(line, "\x01") {
			require.ErrorContains(t, err, "left over")
			continue
		}
		require.NoError(t, err, "%q", line)
		require.Len(t, certs, 1)
	}
	// DER with PEM in it, which looks like a key in SEC 1, is still DER.
	der, err := asn1.Marshal([]any{1, ca})
	require.NoError(t, err)
	_, err = ParseCertificates("the file", der)
	require.ErrorContains(t, err, "it is a private key, where only certificates belong")
}

// message is the outline of a message of this type.
func message(t *testing.T, id string) []byte {
	t.Helper()
	oid, err := stdx509.ParseOID(id)
	require.NoError(t, err)
	text, err := oid.MarshalBinary()
	require.NoError(t, err)
	der, err := asn1.Marshal([]asn1.RawValue{{Tag: asn1.TagOID, Bytes: text}, {Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: []byte{5, 0}}})
	require.NoError(t, err)
	return der
}

// Upstream v2.5.9 reads a negative serial number, which crypto/x509 refuses since Go 1.23 unless go.mod says otherwise.
func TestStandardCertificatesAreReadAsInStock(t *testing.T) {
	certs, err := ParseCertificates("", caseFile(t, "negative-serial/ecdsa-ca.crt"))
	require.NoError(t, err)
	require.Negative(t, certs[0].SerialNumber.Sign())
	_, err = ParseCertificates("", caseFile(t, "tlcp-files/negative-serial.crt"))
	require.ErrorContains(t, err, "negative serial number", "SM2 was never so")
}

// wide is ASCII in UTF-16 without a byte order mark.
func wide(text []byte, bigEndian bool) []byte {
	var out []byte
	for _, c := range text {
		if bigEndian {
			out = append(out, 0, c)
		} else {
			out = append(out, c, 0)
		}
	}
	return out
}

// The command that is given for base64 without a BEGIN line decodes it, however long its lines are. For what is not read in DER either, the
// next command follows.
func TestRemedyForBareBase64(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	der := derOf(t, caseFile(t, "base/ca.crt"))
	text := base64.StdEncoding.EncodeToString(der)
	for name, content := range map[string]string{
		"one line": text, "lines": text[:64] + "\n" + text[64:128] + "\n" + text[128:] + "\n", "CR LF": text[:76] + "\r\n" + text[76:] + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
			_, err := Read(file)
			var typed *Error
			require.ErrorAs(t, err, &typed)
			command, ok := strings.CutPrefix(typed.Remedy, "decode it with: ")
			require.True(t, ok, typed.Remedy)
			out, err := exec.Command("sh", "-c", strings.ReplaceAll(command, "FILE", file)).CombinedOutput()
			require.NoError(t, err, string(out))
			certs, err := ReadCertificates(file + ".der")
			require.NoError(t, err)
			require.Equal(t, der, certs[0].Raw)
		})
	}
	pkcs12 := []byte{0x30, 0x05, 0x02, 0x01, 0x03, 0x30, 0x00}
	_, err := Parse("f", []byte(base64.StdEncoding.EncodeToString(pkcs12)))
	require.ErrorContains(t, err, "-out FILE.der; then take certificate and key out with: openssl pkcs12 -in FILE.der ")
}

func mustBase64(t *testing.T, text []byte) []byte {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	return der
}

func TestLists(t *testing.T) {
	list, der := caseFile(t, "revocation/rev.crl"), caseFile(t, "revocation/rev.der")
	for name, file := range map[string][]byte{
		"PEM": list, "DER": der, "CR LF": crlf(list), "byte order mark": mark(list), "CR": cr(list),
		"two": join(list, list), "joined": join(bytes.TrimRight(list, "\n"), list), "two in DER": join(der, der),
		"second": caseFile(t, "revocation/rev-second.crl"), "no AKI": caseFile(t, "crl-forms/no-aki.crl"),
	} {
		t.Run(name, func(t *testing.T) {
			lists, err := ParseLists("the file", file)
			require.NoError(t, err)
			if strings.HasPrefix(name, "two") || name == "joined" || name == "second" {
				require.Len(t, lists, 2)
			}
			last := lists[len(lists)-1]
			parsed, err := gmx509.ParseCRL(last.PEM())
			require.NoError(t, err)
			require.Equal(t, last.TBSCertList.Raw, parsed.TBSCertList.Raw)
			if name != "no AKI" {
				require.NotEmpty(t, last.TBSCertList.RevokedCertificates)
			}
		})
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"certificate": {caseFile(t, "crls-folder/cert.pem"), "it is a certificate, where only revocation lists belong"},
		"key":         {caseFile(t, "crls-folder/key.pem"), "it is a private key, where only revocation lists belong"},
		"both":        {join(list, caseFile(t, "crls-folder/cert.pem")), "object 2"},
		"CRL label":   {bytes.ReplaceAll(list, []byte("X509 CRL"), []byte("CRL")), "openssl crl -in"},
		"damaged":     {pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der[:len(der)-2]}), "revocation list: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseLists("the file", c.file)
			require.ErrorContains(t, err, "the file: ")
			require.ErrorContains(t, err, c.want)
		})
	}
}

// Each form of a key is read wherever a key is, and belongs to the certificate that it was made for.
func TestKeys(t *testing.T) {
	plain := caseFile(t, "base/peer/tls/server-enc.key")
	want := open(t, plain, nil).(*sm2.PrivateKey)
	sec1, err := gmx509.MarshalECPrivateKey(&want.PrivateKey)
	require.NoError(t, err)
	sealed, err := gmx509.MarshalPrivateKeyPEM(want, []byte("secret"))
	require.NoError(t, err)
	encode := func(label string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}) }
	parameters := "-----BEGIN SM2 PARAMETERS-----\nBggqgRzPVQGCLQ==\n-----END SM2 PARAMETERS-----\n"
	for name, file := range map[string][]byte{
		"PKCS #8": plain, "DER": derOf(t, plain), "CR LF": crlf(plain), "byte order mark": mark(plain),
		"SEC 1": encode("EC PRIVATE KEY", sec1), "SM2": encode("SM2 PRIVATE KEY", sec1), "SEC 1 in DER": sec1,
		"EC parameters":   join([]byte(strings.ReplaceAll(parameters, "SM2", "EC")), encode("EC PRIVATE KEY", sec1)),
		"SM2 parameters":  join([]byte(parameters), plain),
		"encrypted":       sealed,
		"encrypted, DER":  derOf(t, sealed),
		"certificate too": join(caseFile(t, "base/peer/tls/server-enc.crt"), plain),
		"key in front":    join(plain, caseFile(t, "base/peer/tls/server-enc.crt"), caseFile(t, "base/gm-ca.crt")),
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, want.Equal(open(t, file, []byte("secret"))))
		})
	}
	for _, name := range []string{"key-forms/id-compressed.key", "key-forms/sign-compressed.key", "openssl-keys/ecparam.key", "explicit-curve/openssl.key"} {
		require.True(t, gmx509.IsSM2(open(t, caseFile(t, name), nil)), name)
	}
	for _, half := range []string{"sign", "enc"} {
		f, err := Parse("", caseFile(t, "gmssl3-keys/"+half+".crt"))
		require.NoError(t, err)
		require.NoError(t, gmx509.CheckKeyPair(f.Certificates[0].Certificate, open(t, caseFile(t, "gmssl3-keys/"+half+".key"), []byte("1234"))))
	}

	agreement, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	x25519, err := gmx509.MarshalPKCS8PrivateKey(agreement)
	require.NoError(t, err)
	f, err := Parse("the file", sealed)
	require.NoError(t, err)
	require.True(t, f.Keys[0].Encrypted())
	_, err = f.PrivateKey(nil)
	require.ErrorIs(t, err, gmx509.ErrNoPassword)
	require.ErrorContains(t, err, "the file: ")
	_, err = f.PrivateKey([]byte("other"))
	require.ErrorIs(t, err, gmx509.ErrWrongPassword)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"no key":   {caseFile(t, "base/gm-ca.crt"), "it holds a certificate and no private key"},
		"two keys": {join(plain, plain), "holds 2 private keys"},
		"a list":   {caseFile(t, "revocation/rev.crl"), "where a private key belongs"},
		"no DER":   {encode("PRIVATE KEY", []byte("not a key")), "not a private key"},
		"X25519":   {encode("PRIVATE KEY", x25519), "signs nothing; give the key that the certificate was issued for"},
	} {
		f, err := Parse("the file", c.file)
		require.NoError(t, err, name)
		_, err = f.PrivateKey(nil)
		require.ErrorContains(t, err, "the file: ", name)
		require.ErrorContains(t, err, c.want, name)
	}
}

func open(t *testing.T, file, passphrase []byte) any {
	t.Helper()
	f, err := Parse("the key", file)
	require.NoError(t, err)
	key, err := f.PrivateKey(passphrase)
	require.NoError(t, err)
	return key
}

func TestChainPutsTheOwnerFirst(t *testing.T) {
	f, err := Parse("", caseFile(t, "chain-order/root-first.pem"))
	require.NoError(t, err)
	key := open(t, caseFile(t, "base/peer/tls/server-sign.key"), nil)
	for _, k := range []any{nil, key} {
		chain, err := f.Chain(k)
		require.NoError(t, err)
		require.Len(t, chain, len(f.Certificates))
		require.False(t, chain[0].IsCA)
		require.True(t, chain[1].IsCA)
		require.NoError(t, gmx509.CheckSignatureFrom(chain[0].Certificate, chain[1].Certificate))
	}
	require.True(t, f.Certificates[0].IsCA, "the file is as it was")

	f.Certificates = f.Certificates[:1]
	_, err = f.Chain(key)
	require.ErrorContains(t, err, "does not belong")
	f.Certificates = nil
	_, err = f.Chain(nil)
	require.ErrorContains(t, err, "no certificate")
}

func TestReadNamesTheFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "none.crt")
	_, err := ReadCertificates(name)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, name)
	require.NoError(t, os.WriteFile(name, caseFile(t, "base/ca.crt"), 0o600))
	certs, err := ReadCertificates(name)
	require.NoError(t, err)
	require.Equal(t, name, certs[0].File)
	_, err = ReadLists(name)
	require.ErrorContains(t, err, name)
}

// Errors say nothing of a key that could not be read.
func TestErrorsHoldNoSecret(t *testing.T) {
	key := open(t, caseFile(t, "base/peer/tls/server-enc.key"), nil).(*sm2.PrivateKey)
	secret := key.D.Bytes()
	f, err := Parse("the file", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	require.NoError(t, err)
	_, err = f.PrivateKey(nil)
	require.Error(t, err)
	for e := err; e != nil; e = errors.Unwrap(e) {
		require.NotContains(t, e.Error(), key.D.Text(16)[:8])
		require.NotContains(t, e.Error(), base64.StdEncoding.EncodeToString(secret)[:8])
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"base/ca.crt", "revocation/rev-second.crl", "root-bundle/joined.pem", "gmssl3-keys/enc.key", "enveloped-keys/enveloped.der", "enveloped-keys/cfca.sm2", "identity-ca/der.crt"} {
		f.Add(caseFile(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("f", data)
		if err != nil {
			var typed *Error
			require.ErrorAs(t, err, &typed)
			return
		}
		// Nothing is lost: each BEGIN line has led to an object.
		found := len(file.Certificates) + len(file.Lists) + len(file.Keys)
		require.Positive(t, found)
		if !isDER(data) {
			require.LessOrEqual(t, found, bytes.Count(data, begin))
			require.Equal(t, bytes.Count(unixLines(data), begin), found+bytes.Count(unixLines(data), []byte(" PARAMETERS-----\n"))/2)
		}
	})
}

// TestManyLines: a file of many short lines is refused as fast as another of its size.
func TestManyLines(t *testing.T) {
	text := bytes.Repeat([]byte("x\n"), MaxList/2)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Parse("junk", text)
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, ErrOther)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*len(text)))
}
