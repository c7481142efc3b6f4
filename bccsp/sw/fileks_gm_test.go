// SPDX-License-Identifier: Apache-2.0

package sw

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

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
