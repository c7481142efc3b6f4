// SPDX-License-Identifier: Apache-2.0

package material

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const cases = "../../../../common/crypto/material/testdata/cases/"

// TestLoadRoots: no root of a file is lost, and what cannot be read is refused by its file.
func TestLoadRoots(t *testing.T) {
	for name, want := range map[string]int{"root-bundle/joined.pem": 3, "identity-ca/der.crt": 1, "base/gm-ca.crt": 1} {
		roots, err := LoadRoots([]string{cases + name})
		require.NoError(t, err, name)
		require.Len(t, roots.Certs, want, name)
	}
	whole, err := os.ReadFile(cases + "base/gm-ca.crt")
	require.NoError(t, err)
	cut := filepath.Join(t.TempDir(), "cut.pem")
	require.NoError(t, os.WriteFile(cut, append(whole, whole[:len(whole)/2]...), 0o600))
	for name, want := range map[string]string{
		cut: "END line is missing", cases + "identity-ca/trusted-label.crt": "TRUSTED CERTIFICATE", cases + "one-file/both.pem": "it is a private key",
	} {
		_, err := LoadRoots([]string{name})
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, want)
	}
}
