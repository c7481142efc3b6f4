// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric-ca/api"
	"github.com/hyperledger/fabric-ca/util"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/safefile/safefiletest"
)

func sm2KeyOf(t *testing.T, text []byte) *sm2.PrivateKey {
	t.Helper()
	parsed, err := x509.ParsePrivateKeyPEM(text, nil)
	require.NoError(t, err)
	key, ok := x509.AsSM2(parsed)
	require.True(t, ok)
	return key
}

// enveloped is how a CA sends a key that it has made.
func enveloped(t *testing.T, to *ecdsa.PublicKey, key *sm2.PrivateKey) string {
	t.Helper()
	envelope, err := sm2.MarshalEnvelopedPrivateKey(rand.Reader, to, key)
	require.NoError(t, err)
	return util.B64Encode(envelope)
}

// TestAnswersOfCA: the client takes what certifies its keys, as a pair, and no other answer; the files of the present pair stay.
func TestAnswersOfCA(t *testing.T) {
	authority := gmtlstest.NewCA(t)
	made, other := authority.NewPair(t, "peer0"), authority.NewPair(t, "peer0")
	sign, enc := sm2KeyOf(t, made.SignKey), sm2KeyOf(t, made.EncKey)
	stranger := sm2KeyOf(t, other.EncKey)
	good := func() *api.EnrollmentResponseNet {
		a := &api.EnrollmentResponseNet{Cert: util.B64Encode(made.SignCert), EncryptionCert: util.B64Encode(made.EncCert)}
		a.ServerInfo.CAChain = util.B64Encode(authority.CertPEM)
		return a
	}
	byCA := func() *api.EnrollmentResponseNet {
		a := good()
		a.EncryptedKey = enveloped(t, &sign.PublicKey, enc)
		return a
	}
	require.NoError(t, (&pair{sign: sign, enc: enc}).accept(good()))
	received := &pair{sign: sign}
	require.NoError(t, received.accept(byCA()))
	require.True(t, received.enc.Equal(enc))

	for name, test := range map[string]struct {
		ours *pair
		edit func(*api.EnrollmentResponseNet)
		want string
	}{
		"no encryption certificate":       {&pair{sign: sign, enc: enc}, func(a *api.EnrollmentResponseNet) { a.EncryptionCert = "" }, "knows no TLCP pairs"},
		"a certificate of another key":    {&pair{sign: stranger, enc: enc}, func(*api.EnrollmentResponseNet) {}, "signing certificate"},
		"another encryption key":          {&pair{sign: sign, enc: stranger}, func(*api.EnrollmentResponseNet) {}, "encryption certificate"},
		"no base64":                       {&pair{sign: sign, enc: enc}, func(a *api.EnrollmentResponseNet) { a.Cert = "%" }, "signing certificate"},
		"no certificate":                  {&pair{sign: sign, enc: enc}, func(a *api.EnrollmentResponseNet) { a.EncryptionCert = util.B64Encode([]byte("x")) }, "encryption certificate"},
		"two of one use":                  {&pair{sign: sign, enc: sign}, func(a *api.EnrollmentResponseNet) { a.EncryptionCert = a.Cert }, x509.ErrPairEncryptionUsage.Error()},
		"two subjects":                    {&pair{sign: sign, enc: stranger}, func(a *api.EnrollmentResponseNet) { a.EncryptionCert = util.B64Encode(other.EncCert) }, "differ in subject"},
		"no chain":                        {&pair{sign: sign, enc: enc}, func(a *api.EnrollmentResponseNet) { a.ServerInfo.CAChain = "%" }, "chain of the CA"},
		"a chain of none":                 {&pair{sign: sign, enc: enc}, func(a *api.EnrollmentResponseNet) { a.ServerInfo.CAChain = util.B64Encode([]byte("x")) }, "chain of the CA"},
		"no key":                          {&pair{sign: sign}, func(*api.EnrollmentResponseNet) {}, "enveloped encryption key"},
		"a key for somebody else":         {&pair{sign: sign}, func(a *api.EnrollmentResponseNet) { a.EncryptedKey = enveloped(t, &stranger.PublicKey, enc) }, "enveloped encryption key"},
		"a key that is not the certified": {&pair{sign: sign}, func(a *api.EnrollmentResponseNet) { a.EncryptedKey = enveloped(t, &sign.PublicKey, stranger) }, "encryption certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := good()
			test.edit(answer)
			require.ErrorContains(t, test.ours.accept(answer), test.want)
		})
	}
}

// enrolled is a pair as the client has it from a CA with this chain.
func enrolled(t *testing.T, made gmtlstest.Pair, chain ...*gmtlstest.CA) *pair {
	t.Helper()
	p := &pair{sign: sm2KeyOf(t, made.SignKey), enc: sm2KeyOf(t, made.EncKey)}
	for _, authority := range chain {
		p.chain = append(p.chain, authority.Cert)
	}
	for i, text := range [][]byte{made.SignCert, made.EncCert} {
		cert, err := x509.ParseCertificatePEM(text)
		require.NoError(t, err)
		*[]**x509.Certificate{&p.signCert, &p.encCert}[i] = cert
	}
	return p
}

// TestFullDisk: where there is no room for the certificates of a new pair, the keys of the present one stay too.
func TestFullDisk(t *testing.T) {
	root, dir := gmtlstest.NewCA(t), t.TempDir()
	present, next := root.NewPair(t, "peer0"), root.NewPair(t, "peer0")
	require.NoError(t, enrolled(t, present, root).write(dir))
	const room = 400 // of a key
	require.ErrorIs(t, safefiletest.OnFullDisk(t, room, func() error { return enrolled(t, next, root).write(dir) }), syscall.EFBIG)
	for name, want := range map[string][]byte{pairSignKey: present.SignKey, pairEncKey: present.EncKey, pairSignCert: present.SignCert, pairEncCert: present.EncCert} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, string(want), string(text), name)
	}
}

// TestPairFiles: private keys are for their owner alone, in a folder that is too, whatever stood there before; intermediates follow the
// certificates, and roots are in a file of their own.
func TestPairFiles(t *testing.T) {
	root := gmtlstest.NewCA(t)
	issuing := root.Intermediate(t, "issuing")
	made := issuing.NewPair(t, "peer0")
	dir := filepath.Join(t.TempDir(), "tls")
	p := enrolled(t, made, issuing, root)
	for range 2 {
		require.NoError(t, p.write(dir))
		for name, want := range map[string]os.FileMode{
			"": 0o700, pairSignKey: 0o600, pairEncKey: 0o600, pairSignCert: 0o644, pairEncCert: 0o644, pairRoots: 0o644,
		} {
			info, err := os.Stat(filepath.Join(dir, name))
			require.NoError(t, err)
			require.Equal(t, want, info.Mode().Perm(), name)
		}
		require.NoError(t, os.Chmod(filepath.Join(dir, pairSignKey), 0o644))
	}
	for name, want := range map[string]string{
		pairSignCert: string(made.SignCert) + string(issuing.CertPEM), pairEncCert: string(made.EncCert) + string(issuing.CertPEM),
		pairRoots: string(root.CertPEM), pairSignKey: string(made.SignKey), pairEncKey: string(made.EncKey),
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, want, string(text), name)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 5, "nothing else stays in the folder")
}

// TestReusedKeys: the key of a pair that is renewed is read from its file, and only an SM2 key serves.
func TestReusedKeys(t *testing.T) {
	dir := t.TempDir()
	made := gmtlstest.NewCA(t).NewPair(t, "peer0")
	key, err := readPairKey(gmtlstest.WriteFile(t, dir, "sm2.key", made.SignKey))
	require.NoError(t, err)
	require.True(t, key.Equal(sm2KeyOf(t, made.SignKey)))
	block, _ := pem.Decode(made.SignKey)
	key, err = readPairKey(gmtlstest.WriteFile(t, dir, "sm2.der", block.Bytes))
	require.NoError(t, err)
	require.True(t, key.Equal(sm2KeyOf(t, made.SignKey)))
	for name, text := range map[string][]byte{
		"holds no SM2 key": gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "standard").Issue(t, pkix.Name{CommonName: "node"}).KeyPEM, "bad.key": []byte("x"),
	} {
		_, err = readPairKey(gmtlstest.WriteFile(t, dir, "bad.key", text))
		require.ErrorContains(t, err, name)
	}
	_, err = readPairKey(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestWhoMakesKeys: a client whose setting is neither does not send a request.
func TestWhoMakesKeys(t *testing.T) {
	c := &Client{HomeDir: t.TempDir(), Config: &ClientConfig{TLCP: TLCPClientConfig{EncryptionKey: "CA", Dir: "tls"}}}
	err := c.requestPair(&api.CSRInfo{CN: "peer0", KeyRequest: &api.KeyRequest{Algo: "sm2"}}, "peer0", &api.EnrollmentRequestNet{}, func(*api.EnrollmentResponseNet) error {
		require.Fail(t, "a request is sent")
		return nil
	})
	require.ErrorContains(t, err, "tlcp.encryptionkey")
}

// TestPairHolder: the pair in its folder says who renews. Files of two pairs, which an enrolment leaves that is killed between them, and what
// cannot be read are refused by name; so is a folder without a pair.
func TestPairHolder(t *testing.T) {
	root := gmtlstest.NewCA(t)
	present, next := root.NewPair(t, "peer0"), root.NewPair(t, "peer0")
	load := func(change func(dir string)) (*Identity, error) {
		home := t.TempDir()
		dir := filepath.Join(home, "tls")
		require.NoError(t, enrolled(t, present, root).write(dir))
		change(dir)
		c := &Client{HomeDir: home, Config: &ClientConfig{URL: "http://localhost:7054", TLCP: TLCPClientConfig{Dir: "tls"}}}
		return c.LoadPairHolder()
	}
	id, err := load(func(string) {})
	require.NoError(t, err)
	require.Equal(t, "node", id.GetName())
	for name, test := range map[string]struct {
		change func(dir string)
		want   []string
	}{
		"a new key only":    {func(dir string) { gmtlstest.WriteFile(t, dir, pairSignKey, next.SignKey) }, []string{pairSignKey + " is of another pair", pairSignCert, "enroll first"}},
		"a cut key":         {func(dir string) { gmtlstest.WriteFile(t, dir, pairSignKey, present.SignKey[:60]) }, []string{pairSignKey, "END line", "enroll first"}},
		"a cut certificate": {func(dir string) { gmtlstest.WriteFile(t, dir, pairSignCert, present.SignCert[:60]) }, []string{pairSignCert, "END line", "enroll first"}},
		"no pair":           {func(dir string) { require.NoError(t, os.RemoveAll(dir)) }, []string{pairSignCert, "enroll first"}},
		"no key":            {func(dir string) { require.NoError(t, os.Remove(filepath.Join(dir, pairSignKey))) }, []string{"enroll first"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(test.change)
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}
