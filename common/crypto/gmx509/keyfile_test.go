// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadPassword(t *testing.T) {
	for text, want := range map[string]string{
		"secret": "secret", "secret\n": "secret", "secret\r\nmore": "secret", " s \n": " s ", "\xef\xbb\xbfsecret\r\n": "secret", strings.Repeat("x", maxPassword) + "\n": strings.Repeat("x", maxPassword),
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
