// SPDX-License-Identifier: Apache-2.0

package util

import (
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/cfssl/csr"
	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/factory"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// TestSM2KeySize: an SM2 key has one size; another is refused and not made as if it were meant.
func TestSM2KeySize(t *testing.T) {
	for size, good := range map[int]bool{0: true, 256: true, 128: false, 384: false} {
		for _, ephemeral := range []bool{true, false} {
			opts, err := getBCCSPKeyOpts(&csr.KeyRequest{A: AlgoSM2, S: size}, ephemeral)
			require.Equal(t, good, err == nil, size)
			if good {
				require.Equal(t, &bccsp.SM2KeyGenOpts{Temporary: ephemeral}, opts)
			}
		}
	}
}

// newProvider is a provider with its keys in a folder.
func newProvider(t *testing.T) bccsp.BCCSP {
	t.Helper()
	opts := &factory.FactoryOpts{}
	require.NoError(t, ConfigureBCCSP(&opts, t.TempDir(), t.TempDir()))
	csp, err := factory.GetBCCSPFromOpts(opts)
	require.NoError(t, err)
	return csp
}

// holder makes a key in the provider and its certificate, in base64, for a usage.
func holder(t *testing.T, csp bccsp.BCCSP, usage x509.KeyUsage) (key bccsp.Key, raw *sm2.PrivateKey, b64cert string) {
	t.Helper()
	raw, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key, err = csp.KeyImport(raw, &bccsp.SM2PrivateKeyImportOpts{Temporary: true})
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "user"}, NotAfter: time.Now().Add(time.Hour), KeyUsage: usage}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &raw.PublicKey, raw)
	require.NoError(t, err)
	return key, raw, B64Encode(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// TestTokensOfSM2 makes tokens as clients do, and verifies each for its request and for others.
func TestTokensOfSM2(t *testing.T) {
	csp := newProvider(t)
	key, _, cert := holder(t, csp, x509.KeyUsageDigitalSignature)
	_, stranger, other := holder(t, csp, x509.KeyUsageDigitalSignature)
	body := []byte(`{"id":"made"}`)
	token, err := genECDSAToken(csp, key, cert, "POST."+B64Encode([]byte("/register"))+"."+B64Encode(body)+"."+cert)
	require.NoError(t, err)
	verified, err := VerifyToken(csp, token, "POST", "/register", body, false)
	require.NoError(t, err)
	require.Equal(t, "user", verified.Subject.CommonName)

	parts := strings.Split(token, ".")
	forged, err := stranger.Sign(rand.Reader, []byte("POST."+B64Encode([]byte("/register"))+"."+B64Encode(body)+"."+cert), sm2.DefaultSM2SignerOpts)
	require.NoError(t, err)
	old, err := genECDSAToken(csp, key, cert, B64Encode(body)+"."+cert)
	require.NoError(t, err)
	for name, test := range map[string]struct{ token, method, uri, body string }{
		"another method":      {token, "DELETE", "/register", string(body)},
		"another path":        {token, "POST", "/revoke", string(body)},
		"another body":        {token, "POST", "/register", "{}"},
		"another certificate": {other + "." + parts[1], "POST", "/register", string(body)},
		"another's signature": {cert + "." + B64Encode(forged), "POST", "/register", string(body)},
		"no signature":        {cert + ".", "POST", "/register", string(body)},
		"more than base64":    {token + "%", "POST", "/register", string(body)},
		"no base64":           {cert + ".%", "POST", "/register", string(body)},
		"a third part":        {token + ".", "POST", "/register", string(body)},
		"no certificate":      {B64Encode([]byte("x")) + "." + parts[1], "POST", "/register", string(body)},
		"the form of 1.3":     {old, "POST", "/register", string(body)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := VerifyToken(csp, test.token, test.method, test.uri, []byte(test.body), true)
			require.Error(t, err)
		})
	}
	_, err = VerifyToken(nil, token, "POST", "/register", body, false)
	require.Error(t, err)
}

// TestWhoseTokens: the key of a certificate for encryption alone authenticates nobody, as others may have it. Any other usage is the concern of
// those who check the certificate.
func TestWhoseTokens(t *testing.T) {
	csp := newProvider(t)
	for usage, good := range map[x509.KeyUsage]bool{
		x509.KeyUsageDigitalSignature: true, x509.KeyUsageContentCommitment: true, 0: true, x509.KeyUsageCertSign | x509.KeyUsageCRLSign: true,
		x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment: true,
		x509.KeyUsageKeyEncipherment:                                 false, x509.KeyUsageDataEncipherment: false, x509.KeyUsageKeyAgreement: false,
	} {
		key, _, cert := holder(t, csp, usage)
		token, err := genECDSAToken(csp, key, cert, "POST..."+cert)
		require.NoError(t, err)
		_, err = VerifyToken(csp, token, "POST", "", nil, false)
		require.Equal(t, good, err == nil, "%v: %v", usage, err)
	}
}

// TestTokenHash: the hash is that of stock's provider, whichever provider is in use, as the other end may have the other one.
func TestTokenHash(t *testing.T) {
	standard := newProvider(t)
	opts := &factory.FactoryOpts{Default: factory.GMBasedFactoryName}
	require.NoError(t, ConfigureBCCSP(&opts, t.TempDir(), t.TempDir()))
	gm, err := factory.GetBCCSPFromOpts(opts)
	require.NoError(t, err)
	want, err := standard.Hash([]byte("message"), &bccsp.SHA256Opts{})
	require.NoError(t, err)
	for _, csp := range []bccsp.BCCSP{standard, gm} {
		got, err := csp.Hash([]byte("message"), TokenHash(csp))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// TestKeyFiles: a certificate and the key in a file belong together, and an encrypted key is not one to import: its place is said.
func TestKeyFiles(t *testing.T) {
	csp, dir := newProvider(t), t.TempDir()
	_, raw, b64 := holder(t, csp, x509.KeyUsageDigitalSignature)
	cert, err := certificateOfToken(b64)
	require.NoError(t, err)
	text, err := x509.MarshalPrivateKeyPEM(raw, nil)
	require.NoError(t, err)
	require.NoError(t, CheckKeyFile(cert, "key", text))
	_, stranger, _ := holder(t, csp, 0)
	other, err := x509.MarshalPrivateKeyPEM(stranger, nil)
	require.NoError(t, err)
	require.Error(t, CheckKeyFile(cert, "key", other))
	require.Error(t, CheckKeyFile(cert, "key", []byte("x")))
	noKey, err := B64Decode(b64)
	require.NoError(t, err)
	require.Error(t, CheckKeyFile(cert, "key", noKey), "a certificate is no key")
	encrypted, err := x509.MarshalPrivateKeyPEM(raw, []byte("of a test"))
	require.NoError(t, err)
	require.ErrorContains(t, CheckKeyFile(cert, "key", encrypted), "is encrypted: put the file into msp/keystore")

	for _, temporary := range []bool{true, false} {
		key, err := ImportBCCSPKeyFromPEM(gmtlstest.WriteFile(t, dir, "key", text), csp, temporary)
		require.NoError(t, err)
		require.True(t, key.Private())
		_, err = csp.GetKey(key.SKI())
		require.Equal(t, temporary, err != nil, "a temporary key is not stored")
	}
	_, err = ImportBCCSPKeyFromPEM(gmtlstest.WriteFile(t, dir, "key", encrypted), csp, true)
	require.ErrorContains(t, err, "is encrypted")
	got, err := GetECPrivateKey(text)
	require.NoError(t, err)
	require.True(t, got.Equal(&raw.PrivateKey))
}

// TestProviderFolders: files of the provider GM are in the folder of the MSP, or below the home folder.
func TestProviderFolders(t *testing.T) {
	for _, test := range []struct{ msp, store, want string }{
		{"/msp", "", "/msp/keystore"}, {"/msp", "elsewhere", "/msp/keystore"}, {"", "", "/home/msp/keystore"}, {"", "elsewhere", "/home/elsewhere"}, {"", "/abs", "/abs"},
	} {
		opts := &factory.FactoryOpts{Default: factory.GMBasedFactoryName, GM: &factory.GmOpts{FileKeystore: &factory.GmFileKeystoreOpts{KeyStorePath: test.store, PasswordFile: "password"}}}
		_ = ConfigureBCCSP(&opts, test.msp, "/home")
		require.Equal(t, test.want, opts.GM.FileKeystore.KeyStorePath)
		require.Equal(t, "/home/password", opts.GM.FileKeystore.PasswordFile)
	}
}
