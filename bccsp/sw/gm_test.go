// SPDX-License-Identifier: Apache-2.0

package sw

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/bccsp/signer"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
)

func gmProvider(t testing.TB, password []byte, dir string) *CSP {
	t.Helper()
	ks, err := NewFileBasedKeyStore(password, dir, false)
	require.NoError(t, err)
	csp, err := NewWithParams(256, "SHA2", ks)
	require.NoError(t, err)
	return csp.(*CSP)
}

// A provider of any setting serves both families, side by side.
func TestEveryProviderServesBothFamilies(t *testing.T) {
	for _, c := range []struct {
		level  int
		family string
	}{{256, "SHA2"}, {384, "SHA2"}, {256, "SHA3"}, {384, "SHA3"}, {256, "SM3"}} {
		csp, err := NewWithParams(c.level, c.family, NewDummyKeyStore())
		require.NoError(t, err)

		key, err := csp.KeyGen(&bccsp.SM2KeyGenOpts{Temporary: true})
		require.NoError(t, err)
		msg := []byte("message")
		sig, err := csp.Sign(key, msg, &bccsp.SM2SignerOpts{})
		require.NoError(t, err)
		ok, err := csp.Verify(key, sig, msg, &bccsp.SM2SignerOpts{})
		require.NoError(t, err)
		require.True(t, ok)

		ec, err := csp.KeyGen(&bccsp.ECDSAP256KeyGenOpts{Temporary: true})
		require.NoError(t, err)
		require.False(t, gm.IsKey(ec))
		digest := sha256.Sum256(msg)
		sig, err = csp.Sign(ec, digest[:], nil)
		require.NoError(t, err)
		ok, err = csp.Verify(ec, sig, digest[:], nil)
		require.NoError(t, err)
		require.True(t, ok)
		_, err = csp.Sign(ec, nil, nil)
		require.ErrorContains(t, err, "Invalid digest")

		sum, err := csp.Hash(msg, &bccsp.SM3Opts{})
		require.NoError(t, err)
		want := sm3.Sum(msg)
		require.Equal(t, want[:], sum)
		sum, err = csp.Hash(msg, &bccsp.SHAOpts{})
		require.NoError(t, err)
		require.Equal(t, c.family == "SM3", hex.EncodeToString(sum) == hex.EncodeToString(want[:]), "the default family")

		sym, err := csp.KeyGen(&bccsp.SM4KeyGenOpts{Temporary: true})
		require.NoError(t, err)
		text, err := csp.Encrypt(sym, msg, &bccsp.SM4GCMModeOpts{})
		require.NoError(t, err)
		plain, err := csp.Decrypt(sym, text, &bccsp.SM4GCMModeOpts{})
		require.NoError(t, err)
		require.Equal(t, msg, plain)
		_, err = csp.Sign(sym, msg, &bccsp.SM2SignerOpts{})
		require.ErrorContains(t, err, "Unsupported 'SignKey'")
		_, err = csp.Verify(sym, sig, msg, &bccsp.SM2SignerOpts{})
		require.ErrorContains(t, err, "Unsupported 'VerifyKey'")

		// The key's own algorithm decides about HMAC too.
		mac, err := csp.KeyDeriv(sym, &bccsp.HMACDeriveKeyOpts{Temporary: true, Arg: msg})
		require.NoError(t, err)
		raw, err := mac.Bytes()
		require.NoError(t, err)
		require.Len(t, raw, 32)
	}
	_, err := NewWithParams(384, "SM3", NewDummyKeyStore())
	require.ErrorContains(t, err, "use 256")
	_, err = NewWithParams(256, "SM4", NewDummyKeyStore())
	require.Error(t, err)
	_, err = NewWithParams(256, "SM3", nil)
	require.Error(t, err)
}

// One provider and one key serve many goroutines; run with -race.
func TestConcurrentUse(t *testing.T) {
	csp := gmProvider(t, nil, t.TempDir())
	key, err := csp.KeyGen(&bccsp.SM2KeyGenOpts{})
	require.NoError(t, err)
	results := make(chan error)
	const workers = 8
	for worker := range workers {
		go func() {
			var failed error
			for i := range 20 {
				msg := []byte{byte(worker), byte(i)}
				k, err := csp.GetKey(key.SKI())
				if err != nil {
					failed = err
					break
				}
				sig, err := csp.Sign(key, msg, &bccsp.SM2SignerOpts{})
				if err != nil {
					failed = err
					break
				}
				if ok, err := csp.Verify(k, sig, msg, &bccsp.SM2SignerOpts{}); err != nil || !ok {
					failed = fmt.Errorf("signature %d of worker %d is not valid: %w", i, worker, err)
					break
				}
			}
			results <- failed
		}()
	}
	for range workers {
		require.NoError(t, <-results)
	}
}

func TestEmptyMessage(t *testing.T) {
	csp := gmProvider(t, nil, t.TempDir())
	key, err := csp.KeyGen(&bccsp.SM2KeyGenOpts{Temporary: true})
	require.NoError(t, err)
	for _, msg := range [][]byte{nil, {}} {
		sig, err := csp.Sign(key, msg, &bccsp.SM2SignerOpts{})
		require.NoError(t, err)
		ok, err := csp.Verify(key, sig, msg, &bccsp.SM2SignerOpts{})
		require.NoError(t, err)
		require.True(t, ok)
		_, err = csp.Verify(key, nil, msg, &bccsp.SM2SignerOpts{})
		require.Error(t, err)
	}
}

// The ways by which Fabric imports the keys of identities, all of which say "ECDSA".
func TestIdentityKeysByWhatTheyAre(t *testing.T) {
	csp := gmProvider(t, nil, t.TempDir())
	priv, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	pkcs8, err := gmx509.MarshalPKCS8PrivateKey(priv)
	require.NoError(t, err)
	sec1, err := gmx509.MarshalECPrivateKey(&priv.PrivateKey)
	require.NoError(t, err)
	pkix, err := gmx509.MarshalPKIXPublicKey(&priv.PublicKey)
	require.NoError(t, err)
	cert := selfSigned(t, priv)

	var skis [][]byte
	for _, c := range []struct {
		raw  any
		opts bccsp.KeyImportOpts
	}{
		{pkcs8, &bccsp.ECDSAPrivateKeyImportOpts{Temporary: true}},
		{sec1, &bccsp.ECDSAPrivateKeyImportOpts{Temporary: true}},
		{pkix, &bccsp.ECDSAPKIXPublicKeyImportOpts{Temporary: true}},
		{&priv.PublicKey, &bccsp.ECDSAGoPublicKeyImportOpts{Temporary: true}},
		{cert, &bccsp.X509PublicKeyImportOpts{Temporary: true}},
		{pkcs8, &bccsp.SM2PrivateKeyImportOpts{Temporary: true}},
		{pkix, &bccsp.SM2PublicKeyImportOpts{Temporary: true}},
	} {
		k, err := csp.KeyImport(c.raw, c.opts)
		require.NoError(t, err, "%T", c.opts)
		require.True(t, gm.IsKey(k), "%T", c.opts)
		skis = append(skis, k.SKI())
	}
	for _, ski := range skis {
		require.Equal(t, skis[0], ski)
	}

	// ECDSA and damaged material go upstream's way.
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	k, err := csp.KeyImport(&ec.PublicKey, &bccsp.ECDSAGoPublicKeyImportOpts{Temporary: true})
	require.NoError(t, err)
	require.False(t, gm.IsKey(k))
	for _, raw := range []any{pkix[:len(pkix)-1], append(pkix, 0), []byte{}, "text"} {
		_, err = csp.KeyImport(raw, &bccsp.ECDSAPKIXPublicKeyImportOpts{Temporary: true})
		require.Error(t, err)
		_, err = csp.KeyImport(raw, &bccsp.ECDSAPrivateKeyImportOpts{Temporary: true})
		require.Error(t, err)
	}
}

func selfSigned(t testing.TB, key crypto.Signer) *gmx509.Certificate {
	t.Helper()
	tmpl := &gmx509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := gmx509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	require.NoError(t, err)
	cert, err := gmx509.ParseCertificate(der)
	require.NoError(t, err)
	require.NoError(t, gmx509.CheckSignature(cert, cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature))
	return cert
}

// A certificate can be signed with a key that never leaves the provider.
func TestCryptoSigner(t *testing.T) {
	csp := gmProvider(t, nil, t.TempDir())
	key, err := csp.KeyGen(&bccsp.SM2KeyGenOpts{})
	require.NoError(t, err)
	s, err := signer.New(csp, key)
	require.NoError(t, err)
	require.True(t, gmx509.IsSM2(s.Public()))
	selfSigned(t, s)
	_, err = s.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
	require.ErrorContains(t, err, "pass the message")
}

func TestKeyStoreOfBothFamilies(t *testing.T) {
	for name, password := range map[string][]byte{"plain": nil, "encrypted": []byte("password")} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			csp := gmProvider(t, password, dir)
			var keys []bccsp.Key
			for _, opts := range []bccsp.KeyGenOpts{&bccsp.SM2KeyGenOpts{}, &bccsp.ECDSAP256KeyGenOpts{}, &bccsp.SM4KeyGenOpts{}, &bccsp.AES256KeyGenOpts{}} {
				k, err := csp.KeyGen(opts)
				require.NoError(t, err)
				keys = append(keys, k)
			}
			pubSource, err := sm2.GenerateKey(rand.Reader)
			require.NoError(t, err)
			pub, err := csp.KeyImport(&pubSource.PublicKey, &bccsp.SM2PublicKeyImportOpts{})
			require.NoError(t, err)
			keys = append(keys, pub)

			// A provider that starts later finds them all, each of its kind.
			again := gmProvider(t, password, dir)
			for _, k := range keys {
				back, err := again.GetKey(k.SKI())
				require.NoError(t, err)
				require.IsType(t, k, back)
				require.Equal(t, k.SKI(), back.SKI())
			}
			back, err := again.GetKey(keys[0].SKI())
			require.NoError(t, err)
			sig, err := again.Sign(back, []byte("m"), &bccsp.SM2SignerOpts{})
			require.NoError(t, err)
			ok, err := csp.Verify(keys[0], sig, []byte("m"), &bccsp.SM2SignerOpts{})
			require.NoError(t, err)
			require.True(t, ok)

			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, entries, len(keys), "no temporary files stay")
			for _, e := range entries {
				info, err := e.Info()
				require.NoError(t, err)
				require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
			}
			_, err = os.Stat(filepath.Join(dir, hex.EncodeToString(keys[0].SKI())+"_sk"))
			require.NoError(t, err, "named as Fabric names key files")
			_, err = again.GetKey([]byte("nobody"))
			require.ErrorContains(t, err, "not found")
			_, err = again.GetKey(nil)
			require.Error(t, err)
		})
	}
}

// MSP folders hold the key under any name, in the form of the tool that made it.
func TestKeyStoreFindsKeysOfOtherTools(t *testing.T) {
	priv, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	want, err := gm.NewPrivateKey(priv)
	require.NoError(t, err)
	sec1, err := gmx509.MarshalECPrivateKey(&priv.PrivateKey)
	require.NoError(t, err)
	pkcs8, err := gmx509.MarshalPrivateKeyPEM(priv, nil)
	require.NoError(t, err)
	encrypted, err := gmx509.MarshalPrivateKeyPEM(priv, []byte("password"))
	require.NoError(t, err)
	for name, c := range map[string]struct{ text, password []byte }{
		"priv_sk":    {pkcs8, nil},
		"server.key": {pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), nil},
		"openssl":    {append([]byte("-----BEGIN SM2 PARAMETERS-----\nBggqgRzPVQGCLQ==\n-----END SM2 PARAMETERS-----\n"), pem.EncodeToMemory(&pem.Block{Type: "SM2 PRIVATE KEY", Bytes: sec1})...), nil},
		"gmssl.pem":  {encrypted, []byte("password")},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), c.text, 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "README"), []byte("not a key"), 0o600))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
			k, err := gmProvider(t, c.password, dir).GetKey(want.SKI())
			require.NoError(t, err)
			require.Equal(t, want.SKI(), k.SKI())
			require.True(t, k.Private())
			if c.password != nil {
				_, err = gmProvider(t, nil, dir).GetKey(want.SKI())
				require.ErrorIs(t, err, gmx509.ErrNoPassword)
				require.ErrorContains(t, err, name, "the file is named")
			}
		})
	}
}

func TestKeyStoreRefusesWrongFiles(t *testing.T) {
	dir := t.TempDir()
	csp := gmProvider(t, nil, dir)
	one, err := csp.KeyGen(&bccsp.SM2KeyGenOpts{})
	require.NoError(t, err)
	two, err := csp.KeyGen(&bccsp.SM2KeyGenOpts{})
	require.NoError(t, err)
	path := func(k bccsp.Key) string { return filepath.Join(dir, hex.EncodeToString(k.SKI())+"_sk") }

	text, err := os.ReadFile(path(two))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path(one), text, 0o600))
	_, err = csp.GetKey(one.SKI())
	require.ErrorContains(t, err, "not the one it is named after")

	block, _ := pem.Decode(text)
	block.Bytes[len(block.Bytes)-1] ^= 1 // the public half inside
	require.NoError(t, os.WriteFile(path(one), pem.EncodeToMemory(block), 0o600))
	_, err = csp.GetKey(one.SKI())
	require.ErrorContains(t, err, "does not belong to the private key")

	readOnly, err := NewFileBasedKeyStore(nil, dir, true)
	require.NoError(t, err)
	require.ErrorContains(t, readOnly.StoreKey(one), "read only")
	require.Error(t, readOnly.StoreKey(nil))

	mac, err := csp.KeyImport([]byte("secret"), &bccsp.HMACSM3ImportKeyOpts{Temporary: true})
	require.NoError(t, err)
	ks, err := NewFileBasedKeyStore(nil, dir, false)
	require.NoError(t, err)
	require.ErrorContains(t, ks.StoreKey(mac), "cannot be stored")
	require.NoError(t, os.RemoveAll(dir))
	require.Error(t, ks.StoreKey(one), "the folder is gone")
	_, err = ks.GetKey(one.SKI())
	require.Error(t, err)
}
