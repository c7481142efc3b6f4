// SPDX-License-Identifier: Apache-2.0

package sw

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
)

// TestEncryptedECDSAKeys: a store with a password encrypts ECDSA keys as it does those of SM2, finds them by their name or whatever their
// name is, and takes neither another password nor none; what upstream's store had encrypted it reads.
func TestEncryptedECDSAKeys(t *testing.T) {
	password, dir := []byte("of a test"), t.TempDir()
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		private, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		key := &ecdsaPrivateKey{private}
		file := filepath.Join(dir, hex.EncodeToString(key.SKI())+"_sk")
		opened := func(password []byte) *fileBasedKeyStore {
			ks := &fileBasedKeyStore{}
			require.NoError(t, ks.Init(password, dir, false))
			return ks
		}
		requireFound := func(t *testing.T) {
			t.Helper()
			found, err := opened(password).GetKey(key.SKI())
			require.NoError(t, err)
			require.True(t, private.Equal(found.(*ecdsaPrivateKey).privKey))
			for _, wrong := range [][]byte{nil, []byte("another")} {
				_, err := opened(wrong).GetKey(key.SKI())
				require.Error(t, err)
			}
		}
		require.NoError(t, opened(password).StoreKey(key))
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(text), "BEGIN ENCRYPTED PRIVATE KEY")
		plain, err := gmx509.ParsePrivateKeyPEM(text, password)
		require.NoError(t, err)
		require.True(t, private.Equal(plain))
		requireFound(t)

		other := filepath.Join(dir, "priv.pem")
		require.NoError(t, os.Rename(file, other))
		requireFound(t)
		require.NoError(t, os.Remove(other))

		require.NoError(t, opened(password).upstreamStoreKey(key))
		requireFound(t)
		require.NoError(t, os.Remove(file))
	}
}

// TestFormsOfECDSAKeys: a key is found in each form that tools write and that gmtls inspect takes, whatever its file is named.
func TestFormsOfECDSAKeys(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ski := (&ecdsaPrivateKey{private}).SKI()
	sec1, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	p256, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
	require.NoError(t, err)
	encode := func(label string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}) }
	for form, text := range map[string][]byte{
		"PKCS #8":              encode("PRIVATE KEY", pkcs8),
		"PKCS #8, DER":         pkcs8,
		"SEC 1":                encode("EC PRIVATE KEY", sec1),
		"SEC 1, DER":           sec1,
		"byte order mark":      slices.Concat([]byte("\xef\xbb\xbf"), encode("PRIVATE KEY", pkcs8)),
		"behind EC PARAMETERS": slices.Concat(encode("EC PARAMETERS", p256), encode("EC PRIVATE KEY", sec1)),
	} {
		for _, name := range []string{"key.pem", hex.EncodeToString(ski) + "_sk"} {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
			ks := &fileBasedKeyStore{}
			require.NoError(t, ks.Init(nil, dir, true))
			found, err := ks.GetKey(ski)
			require.NoError(t, err, "%s in %s", form, name)
			require.True(t, private.Equal(found.(*ecdsaPrivateKey).privKey), form)
		}
	}
}

// TestPipesInKeyStore: a pipe in a key store holds up nobody. The keys beside it are found, and who misses one is told of it.
func TestPipesInKeyStore(t *testing.T) {
	for name, place := range map[string]func(file string) error{
		"pipe": func(file string) error { return syscall.Mkfifo(file, 0o600) },
		"link to a pipe": func(file string) error {
			return errors.Join(syscall.Mkfifo(file+".fifo", 0o600), os.Symlink(file+".fifo", file))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ks := &fileBasedKeyStore{}
			require.NoError(t, ks.Init(nil, dir, false))
			private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			require.NoError(t, err)
			key := &ecdsaPrivateKey{private}
			require.NoError(t, ks.StoreKey(key))
			require.NoError(t, os.Rename(filepath.Join(dir, hex.EncodeToString(key.SKI())+"_sk"), filepath.Join(dir, "priv.pem")))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
			require.NoError(t, os.Symlink("folder", filepath.Join(dir, "..data"))) // as Kubernetes has it
			require.NoError(t, place(filepath.Join(dir, "a")))
			get := func(ski []byte) error {
				got := make(chan error, 1)
				go func() {
					_, err := ks.GetKey(ski)
					got <- err
				}()
				select {
				case err := <-got:
					return err
				case <-time.After(20 * time.Second):
					t.Fatal("it reads without end")
					return nil
				}
			}
			require.NoError(t, get(key.SKI()))
			const reason = ": it is a pipe, a socket or a device, and not a file: remove it from the key store"
			require.ErrorContains(t, get([]byte{1}), filepath.Join(dir, "a")+reason)
			named := filepath.Join(dir, "02_sk")
			require.NoError(t, place(named))
			require.ErrorContains(t, get([]byte{2}), named+reason)
		})
	}
}
