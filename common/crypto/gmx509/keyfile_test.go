// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"
)

func TestReadPassword(t *testing.T) {
	for text, want := range map[string]string{
		"secret": "secret", "secret\n": "secret", "secret\r\nmore": "secret", " s \n": " s ", strings.Repeat("x", maxPassword) + "\n": strings.Repeat("x", maxPassword),
	} {
		got, err := ReadPassword(strings.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	for _, text := range []string{"", "\nsecret", "\r\n"} {
		_, err := ReadPassword(strings.NewReader(text))
		require.ErrorContains(t, err, "is empty")
	}
	_, err := ReadPassword(strings.NewReader(strings.Repeat("x", maxPassword+1)))
	require.ErrorContains(t, err, "longer")
	got, err := ReadPasswordFile("")
	require.NoError(t, err)
	require.Nil(t, got)
	_, err = ReadPasswordFile(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestReadKeyFile(t *testing.T) {
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	locked, err := MarshalPrivateKeyPEM(key, []byte("secret"))
	require.NoError(t, err)
	open, err := MarshalPrivateKeyPEM(key, nil)
	require.NoError(t, err)
	block, _ := pem.Decode(open)
	legacy, err := EncryptPEMBlock(rand.Reader, "PRIVATE KEY", block.Bytes, []byte("secret"), PEMCipherAES256)
	require.NoError(t, err)
	parameters := []byte("-----BEGIN SM2 PARAMETERS-----\nBggqgRzPVQGCLQ==\n-----END SM2 PARAMETERS-----\n")
	path := filepath.Join(t.TempDir(), "key")
	write := func(text ...[]byte) {
		require.NoError(t, os.WriteFile(path, []byte(strings.Join(texts(text), "")), 0o600))
	}
	for name, text := range map[string][]byte{"PBES2": locked, "RFC 1423": pem.EncodeToMemory(legacy)} {
		write(parameters, text)
		got, err := ReadKeyFile(path, []byte("secret"))
		require.NoError(t, err, name)
		require.Equal(t, string(parameters)+string(open), string(got), name)
		_, err = ReadKeyFile(path, nil)
		require.ErrorIs(t, err, ErrNoPassword, name)
		require.ErrorContains(t, err, path)
		_, err = ReadKeyFile(path, []byte("wrong"))
		require.ErrorIs(t, err, ErrWrongPassword, name)
	}
	write(parameters, open)
	got, err := ReadKeyFile(path, []byte("secret"))
	require.NoError(t, err)
	require.Equal(t, string(parameters)+string(open), string(got), "a key in the clear stays as it is")
	require.NoError(t, os.WriteFile(path, make([]byte, maxPEM+1), 0o600))
	_, err = ReadKeyFile(path, nil)
	require.ErrorContains(t, err, "longer")
}

func texts(parts [][]byte) []string {
	var all []string
	for _, p := range parts {
		all = append(all, string(p))
	}
	return all
}
