// SPDX-License-Identifier: Apache-2.0

package gmgateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocumentedProfile loads the profile in the comment on Profile, lest it rot.
func TestDocumentedProfile(t *testing.T) {
	source, err := os.ReadFile("profile.go")
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(string(source)) {
		if text, ok := strings.CutPrefix(line, "//\t"); ok {
			lines = append(lines, text)
		}
	}
	require.Greater(t, len(lines), 15, "the comment holds a profile")
	file := filepath.Join(t.TempDir(), "profile.yaml")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600))

	profile, err := LoadProfile(file)
	require.NoError(t, err)
	require.Equal(t, ModeGM, profile.Client.TLS.Mode)
	require.Equal(t, "Org1MSP", profile.Organizations["Org1"].MSPID)
	name, peer, err := profile.peer("")
	require.NoError(t, err)
	require.Equal(t, "peer0.org1.example.com", name)
	require.Equal(t, name, peer.GRPCOptions.TargetNameOverride)
	for field, source := range map[string]PEM{
		"identity.cert": profile.Client.Identity.Cert, "identity.key": profile.Client.Identity.Key,
		"tls.cert": profile.Client.TLS.Cert, "tls.key": profile.Client.TLS.Key,
		"tls.encCert": profile.Client.TLS.EncCert, "tls.encKey": profile.Client.TLS.EncKey, "tlsCACerts": peer.TLSCACerts,
	} {
		require.NotEmpty(t, source.Path, field)
		_, err := profile.read(field, source)
		require.ErrorContains(t, err, filepath.Join(profile.dir, source.Path), "a relative path starts at the profile")
	}
	ids, err := suites(profile.Client.TLS.CipherSuites)
	require.NoError(t, err)
	require.Len(t, ids, 1)
}
