// SPDX-License-Identifier: Apache-2.0

package key

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/cfca"
	gmcipher "github.com/emmansun/gmsm/cipher"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm4"
	"github.com/emmansun/gmsm/smx509"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

const cases = "../../../../common/crypto/material/testdata/cases/"

// run runs the command and returns its result, or the error.
func run(t *testing.T, stdin string, args ...string) (*result, error) {
	t.Helper()
	c := Command()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetIn(strings.NewReader(stdin))
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(append(args, "-o", "json"))
	err := c.Execute()
	if out.Len() == 0 {
		return nil, err
	}
	r := new(result)
	require.NoError(t, json.Unmarshal(out.Bytes(), r))
	code, _ := exit.Code(err)
	require.Equal(t, r.ExitCode, code)
	return r, nil
}

func write(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, content, 0o600))
	return name
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return data
}

func parse(t *testing.T, text []byte) *sm2.PrivateKey {
	t.Helper()
	key, err := x509.ParsePrivateKeyPEM(text, nil)
	require.NoError(t, err)
	return key.(*sm2.PrivateKey)
}

// pair is a signing and an encryption key with their certificates, as a CA would issue them.
type pair struct {
	sign, enc         *sm2.PrivateKey
	signCert, encCert *smx509.Certificate
	files             gmtlstest.Files
}

func newPair(t *testing.T) pair {
	t.Helper()
	texts := gmtlstest.NewCA(t).NewPair(t, "localhost")
	cert := func(text []byte) *smx509.Certificate {
		block, _ := pem.Decode(text)
		cert, err := smx509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		return cert
	}
	return pair{parse(t, texts.SignKey), parse(t, texts.EncKey), cert(texts.SignCert), cert(texts.EncCert), texts.Write(t, t.TempDir(), "n")}
}

// TestDelivered: every form in which a CA delivers an encryption key becomes the key of the certificate, whatever the file around it.
// The forms are made by the engine's encoders, which share nothing with what reads them here, or were made by others.
func TestDelivered(t *testing.T) {
	p := newPair(t)
	envelope, err := sm2.MarshalEnvelopedPrivateKey(rand.Reader, &p.sign.PublicKey, p.enc)
	require.NoError(t, err)
	answer, err := smx509.MarshalCSRResponse([]*smx509.Certificate{p.signCert}, p.enc, []*smx509.Certificate{p.encCert})
	require.NoError(t, err)
	cfcaFile, err := cfca.MarshalSM2([]byte("secret"), p.enc, p.encCert)
	require.NoError(t, err)
	with := []string{"--decrypt-with", p.files.SignKey}
	password := []string{"--passphrase-file", write(t, []byte("secret\n"))}
	b64 := func(der []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(der)) }
	for name, c := range map[string]struct {
		data  []byte
		form  string
		flags []string
		certs int
	}{
		"envelope":                {envelope, "SM2EnvelopedKey", with, 0},
		"envelope, base64":        {b64(envelope), "SM2EnvelopedKey", with, 0},
		"envelope, base64, lines": {append([]byte("\xef\xbb\xbf"), bytes.Join([][]byte{b64(envelope)[:64], b64(envelope)[64:]}, []byte("\r\n"))...), "SM2EnvelopedKey", with, 0},
		"envelope, PEM":           {pem.EncodeToMemory(&pem.Block{Type: "SM2 ENVELOPED KEY", Bytes: envelope}), "SM2EnvelopedKey", with, 0},
		"envelope, padded":        {reseal(t, p, append(p.enc.D.FillBytes(make([]byte, 32)), bytes.Repeat([]byte{16}, 16)...)), "SM2EnvelopedKey", with, 0},
		"envelope, zeros":         {reseal(t, p, p.enc.D.FillBytes(make([]byte, 64))), "SM2EnvelopedKey", with, 0},
		"CSRResponse":             {answer, "CSRResponse", with, 2},
		"CSRResponse, base64":     {b64(answer), "CSRResponse", with, 2},
		"CFCA":                    {b64(cfcaFile), "CFCA .sm2", password, 1},
		"CFCA, DER":               {cfcaFile, "CFCA .sm2", password, 1},
		"CFCA's answer":           {escrow(t, &p.sign.PublicKey, p.enc), "as CFCA sends it", with, 0},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, c.data)
			r, err := run(t, "", file)
			require.NoError(t, err)
			require.Contains(t, string(r.Form), c.form)
			require.NotEmpty(t, r.Needs, "without its secret")
			require.Len(t, r.Certificates, c.certs)

			dir := t.TempDir()
			out := filepath.Join(dir, "out.key")
			args := append([]string{file, "--cert", p.files.EncCert, "--out", out}, c.flags...)
			if c.certs > 0 {
				args = append(args, "--out-cert", filepath.Join(dir, "out.crt"))
			}
			r, err = run(t, "", args...)
			require.NoError(t, err)
			require.NotEmpty(t, r.BelongsTo)
			require.True(t, p.enc.Equal(parse(t, read(t, out))))
			info, err := os.Stat(out)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
			if c.certs > 0 {
				require.Equal(t, c.certs, bytes.Count(read(t, filepath.Join(dir, "out.crt")), []byte("BEGIN CERTIFICATE")))
			}

			before := read(t, out)
			_, err = run(t, "", args...)
			require.ErrorContains(t, err, "not overwritten")
			require.Equal(t, before, read(t, out))

			// Another key or passphrase does not open it, and nothing is written.
			wrong := map[string]string{"--decrypt-with": p.files.EncKey, "--passphrase-file": write(t, []byte("other"))}[c.flags[0]]
			other := filepath.Join(dir, "other.key")
			_, err = run(t, "", file, c.flags[0], wrong, "--out", other)
			require.Error(t, err)
			require.NoFileExists(t, other)
			_, err = run(t, "", file, "--out", other)
			require.ErrorContains(t, err, c.flags[0])

			// Damage anywhere is an error, never a panic or another key.
			if name == "envelope" || name == "CSRResponse" || name == "CFCA, DER" {
				for i := range c.data {
					damaged := bytes.Clone(c.data)
					damaged[i] ^= 0x41
					o, err := open(write(t, damaged), secrets{password: []byte("secret"), with: p.sign})
					if err == nil && o.key != nil {
						require.True(t, p.enc.Equal(o.key), "byte %d", i)
					}
				}
			}
		})
	}
}

// TestCertificatesOfMessages: the certificates of a .p7b file can be had whichever standard names it; openssl writes an empty file for GM/T 0010.
func TestCertificatesOfMessages(t *testing.T) {
	p := newPair(t)
	type signed struct {
		Version    int
		Algorithms []asn1.RawValue `asn1:"set"`
		Content    struct{ ID asn1.ObjectIdentifier }
		Certs      asn1.RawValue   `asn1:"optional"`
		Signers    []asn1.RawValue `asn1:"set"`
	}
	message := func(id asn1.ObjectIdentifier, certs ...[]byte) []byte {
		body := signed{Version: 1, Certs: asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: bytes.Join(certs, nil)}}
		body.Content.ID = oidGMData
		inner, err := asn1.Marshal(body)
		require.NoError(t, err)
		der, err := asn1.Marshal(struct {
			ID   asn1.ObjectIdentifier
			Body asn1.RawValue
		}{id, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: inner}})
		require.NoError(t, err)
		return der
	}
	gm, pkcs7 := asn1.ObjectIdentifier{1, 2, 156, 10197, 6, 1, 4, 2, 2}, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	der := message(gm, p.signCert.Raw, p.encCert.Raw)
	for name, data := range map[string][]byte{
		"DER": der, "base64": []byte(base64.StdEncoding.EncodeToString(der)), "PEM": pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: der}),
		"PKCS #7": message(pkcs7, p.signCert.Raw, p.encCert.Raw),
	} {
		out := filepath.Join(t.TempDir(), "out.pem")
		r, err := run(t, "", write(t, data), "--out-cert", out)
		require.NoError(t, err, name)
		require.Len(t, r.Certificates, 2, name)
		require.Equal(t, certificatesPEM([]*x509.Certificate{ours(t, p.signCert.Raw), ours(t, p.encCert.Raw)}), read(t, out), name)
		_, err = run(t, "", write(t, data), "--out", out+".key")
		require.ErrorContains(t, err, "it holds certificates and no key", name)
	}
	_, err := run(t, "", write(t, message(gm)), "--out-cert", filepath.Join(t.TempDir(), "out.pem"))
	require.ErrorContains(t, err, "holds no certificate")
	for i := range der {
		damaged := bytes.Clone(der)
		damaged[i] ^= 0x41
		o, err := open(write(t, damaged), secrets{})
		require.True(t, err != nil || o.key == nil, "byte %d", i)
	}
}

func ours(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

// reseal is an envelope with other content in the place of the scalar.
func reseal(t *testing.T, p pair, content []byte) []byte {
	t.Helper()
	secret := make([]byte, sm4.BlockSize)
	wrapped, err := sm2.EncryptASN1(rand.Reader, &p.sign.PublicKey, secret)
	require.NoError(t, err)
	block, err := sm4.NewCipher(secret)
	require.NoError(t, err)
	gmcipher.NewECBEncrypter(block).CryptBlocks(content, content)
	point, err := x509.SM2Point(&p.enc.PublicKey)
	require.NoError(t, err)
	der, err := asn1.Marshal(struct {
		Algorithm       struct{ ID asn1.ObjectIdentifier }
		Wrapped         asn1.RawValue
		Public, Private asn1.BitString
	}{
		struct{ ID asn1.ObjectIdentifier }{oidSM4}, asn1.RawValue{FullBytes: wrapped},
		asn1.BitString{Bytes: point, BitLength: 8 * len(point)}, asn1.BitString{Bytes: content, BitLength: 8 * len(content)},
	})
	require.NoError(t, err)
	return der
}

// escrow is the answer of CFCA: a head, and base64 with commas.
func escrow(t *testing.T, to *ecdsa.PublicKey, key *sm2.PrivateKey) []byte {
	t.Helper()
	point, err := x509.SM2Point(&key.PublicKey)
	require.NoError(t, err)
	sealed, err := sm2.Encrypt(rand.Reader, to, append(point[1:], key.D.FillBytes(make([]byte, 32))...), nil)
	require.NoError(t, err)
	der, err := asn1.Marshal(struct {
		Version int
		Data    []byte
	}{1, sealed[1:]})
	require.NoError(t, err)
	text := base64.StdEncoding.EncodeToString(der)
	text = text[:64] + "," + text[64:]
	return fmt.Appendf(nil, "%s%s%016d%s", "00000000000000010000000000000001", strings.Repeat("0", 32), len(text), text)
}

// TestEnvelopeOfOthers: files that were not made by this project's engine.
func TestEnvelopeOfOthers(t *testing.T) {
	out := filepath.Join(t.TempDir(), "enc.key")
	r, err := run(t, "", cases+"enveloped-keys/enveloped.der", "--decrypt-with", cases+"base/peer/tls/server-sign.key",
		"--cert", cases+"base/peer/tls/server-enc.crt", "--out", out)
	require.NoError(t, err)
	require.Empty(t, r.Mismatch)
	require.True(t, parse(t, read(t, cases+"base/peer/tls/server-enc.key")).Equal(parse(t, read(t, out))))

	r, err = run(t, "123456\n", cases+"enveloped-keys/cfca.sm2", "--passphrase-file", "-", "--cert", cases+"base/peer/tls/server-enc.crt")
	require.NoError(t, err)
	require.NotEmpty(t, r.BelongsTo)

	r, err = run(t, "1234", cases+"gmssl3-keys/enc.key", "--passphrase-file", "-", "--cert", cases+"gmssl3-keys/enc.crt")
	require.NoError(t, err)
	require.NotEmpty(t, r.BelongsTo)
	r, err = run(t, "1234", cases+"gmssl3-keys/enc.key", "--passphrase-file", "-", "--cert", cases+"gmssl3-keys/sign.crt")
	require.NoError(t, err)
	require.Contains(t, r.Mismatch, "does not belong")
}

// TestNothingIsHalfWritten: a name that is taken, or a folder that is not there, leaves no key behind that the same call would stumble over.
func TestNothingIsHalfWritten(t *testing.T) {
	p := newPair(t)
	both := write(t, append(read(t, p.files.EncCert), read(t, p.files.EncKey)...))
	dir := t.TempDir()
	out, taken := filepath.Join(dir, "out.key"), write(t, []byte("a certificate"))
	for name, cert := range map[string]string{"not overwritten": taken, "no such file": filepath.Join(dir, "gone", "out.crt"), "name one file": out} {
		_, err := run(t, "", both, "--out", out, "--out-cert", cert)
		require.ErrorContains(t, err, name)
		require.NoFileExists(t, out)
	}
	require.Equal(t, "a certificate", string(read(t, taken)))
	_, err := run(t, "", both, "--out", out, "--out-cert", filepath.Join(dir, "out.crt"))
	require.NoError(t, err)
}

// TestCertificatesOfAPair: --cert may name a file with both certificates of a pair, in any order.
func TestCertificatesOfAPair(t *testing.T) {
	p := newPair(t)
	both := write(t, append(read(t, p.files.SignCert), read(t, p.files.EncCert)...))
	for _, key := range []string{p.files.SignKey, p.files.EncKey} {
		r, err := run(t, "", key, "--cert", both)
		require.NoError(t, err)
		require.Empty(t, r.Mismatch)
		require.NotEmpty(t, r.BelongsTo)
	}
	other := newPair(t)
	r, err := run(t, "", other.files.EncKey, "--cert", both)
	require.NoError(t, err)
	require.Contains(t, r.Mismatch, "does not belong")
}

// TestReencrypted: what is written with a passphrase opens with it, here and in nodes, and with nothing else.
func TestReencrypted(t *testing.T) {
	p := newPair(t)
	out, secret := filepath.Join(t.TempDir(), "out.key"), write(t, []byte("a secret\n"))
	_, err := run(t, "", p.files.EncKey, "--out", out, "--out-passphrase-file", secret)
	require.NoError(t, err)
	require.Contains(t, string(read(t, out)), "BEGIN ENCRYPTED PRIVATE KEY")
	file, err := material.Read(out)
	require.NoError(t, err)
	opened, err := file.PrivateKey([]byte("a secret"))
	require.NoError(t, err)
	require.True(t, p.enc.Equal(opened))
	r, err := run(t, "", out)
	require.NoError(t, err)
	require.Contains(t, r.Needs, "--passphrase-file")
	_, err = run(t, "", out, "--passphrase-file", write(t, []byte("other")))
	require.ErrorIs(t, err, x509.ErrWrongPassword)
	// An encrypted signing key opens envelopes with its own passphrase.
	locked := filepath.Join(t.TempDir(), "sign.key")
	_, err = run(t, "", p.files.SignKey, "--out", locked, "--out-passphrase-file", secret)
	require.NoError(t, err)
	envelope, err := sm2.MarshalEnvelopedPrivateKey(rand.Reader, &p.sign.PublicKey, p.enc)
	require.NoError(t, err)
	_, err = run(t, "", write(t, envelope), "--decrypt-with", locked)
	require.ErrorContains(t, err, "--decrypt-with-passphrase-file")
	r, err = run(t, "", write(t, envelope), "--decrypt-with", locked, "--decrypt-with-passphrase-file", secret)
	require.NoError(t, err)
	require.Equal(t, "SM2", r.Key)
}

func TestWrongUse(t *testing.T) {
	p := newPair(t)
	standard, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ecdsaKey, err := x509.MarshalPrivateKeyPEM(standard, nil)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"two passphrases from one input": {[]string{p.files.EncKey, "--passphrase-file", "-", "--out", "x", "--out-passphrase-file", "-"}, "only one passphrase"},
		"key from standard input":        {[]string{"-"}, "read from a file"},
		"passphrase for nothing":         {[]string{p.files.EncKey, "--out-passphrase-file", p.files.EncKey}, "--out names"},
		"passphrase of no key":           {[]string{p.files.EncKey, "--decrypt-with-passphrase-file", p.files.EncKey}, "--decrypt-with names"},
		"no key":                         {[]string{p.files.EncCert}, "holds a certificate and no private key"},
		"no certificate in it":           {[]string{p.files.EncKey, "--out-cert", filepath.Join(t.TempDir(), "x")}, "holds no certificate"},
		"envelope of an ECDSA key":       {[]string{p.files.EncKey, "--decrypt-with", write(t, ecdsaKey)}, "ECDSA P-256"},
		"no such file":                   {[]string{"absent"}, "absent: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(t, "secret", c.args...)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestOpenSSL: PKCS #12 is named with the command that opens it, what that command writes is read, and openssl reads what is written.
func TestOpenSSL(t *testing.T) {
	if out, err := exec.Command("openssl", "version").Output(); err != nil || !strings.HasPrefix(string(out), "OpenSSL 3") {
		t.Skip("no OpenSSL 3 here")
	}
	p := newPair(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	openssl := func(args ...string) {
		out, err := exec.Command("openssl", args...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	openssl("pkcs12", "-export", "-in", p.files.EncCert, "-inkey", p.files.EncKey, "-passout", "pass:secret", "-out", at("enc.p12"))
	_, err := run(t, "", at("enc.p12"))
	require.ErrorContains(t, err, "openssl pkcs12 -in FILE -nodes -out FILE.pem")
	openssl("pkcs12", "-in", at("enc.p12"), "-nodes", "-passin", "pass:secret", "-out", at("enc.pem"))
	r, err := run(t, "", at("enc.pem"), "--cert", p.files.EncCert, "--out", at("enc.key"), "--out-cert", at("enc.crt"))
	require.NoError(t, err)
	require.NotEmpty(t, r.BelongsTo)
	openssl("pkey", "-in", at("enc.key"), "-noout", "-check")
	openssl("x509", "-in", at("enc.crt"), "-noout")

	openssl("pkcs8", "-topk8", "-v2", "sm4-cbc", "-in", p.files.EncKey, "-passout", "pass:secret", "-out", at("locked.key"))
	r, err = run(t, "secret", at("locked.key"), "--passphrase-file", "-", "--cert", p.files.EncCert)
	require.NoError(t, err)
	require.NotEmpty(t, r.BelongsTo)
}

// TestResponseOfSeveralLists: what follows a list of certificates within a list is read, too.
func TestResponseOfSeveralLists(t *testing.T) {
	pair := gmtlstest.NewCA(t).NewPair(t, "node")
	der := func(text []byte) []byte {
		block, _ := pem.Decode(text)
		return block.Bytes
	}
	set := func(content ...[]byte) []byte {
		raw, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: bytes.Join(content, nil)})
		require.NoError(t, err)
		return raw
	}
	answer, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: set(set(der(pair.SignCert)), der(pair.EncCert))})
	require.NoError(t, err)
	r, err := parseResponse(answer)
	require.NoError(t, err)
	require.Len(t, r.certs, 2)
}
