// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTLCPOfOthers: settings of TLCP for the connections to a directory and a database, wherever they are set, are errors that name the keys for
// TLS, and the help does not list them. Those for connections to a CA stay.
func TestTLCPOfOthers(t *testing.T) {
	for key, use := range map[string]string{
		"ldap.tls.mode":         "ldap.url, which begins with ldaps://",
		"ldap.tls.gmprotocol":   "ldap.tls.certfiles",
		"db.tls.mode":           "db.tls.enabled and db.tls.certfiles",
		"db.tls.gm.signcert":    "db.tls.certfiles",
		"intermediate.tls.mode": "",
		"tls.mode":              "",
	} {
		for _, way := range []string{"flag", "environment", "file", "file of another CA"} {
			t.Run(key+" in "+way, func(t *testing.T) {
				s := NewCommand("start", false)
				home := t.TempDir()
				args := []string{"--home", home, "--boot", "admin:adminpw"}
				parts := strings.Split(key, ".")
				text := strings.Join(parts, ": {") + ": gm" + strings.Repeat("}", len(parts)-1) + "\n"
				place := ""
				switch way {
				case "flag":
					args = append(args, "--"+key, "gm")
				case "environment":
					t.Setenv("FABRIC_CA_SERVER_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_")), "gm")
				case "file":
					require.NoError(t, os.WriteFile(filepath.Join(home, "fabric-ca-server-config.yaml"), []byte(text), 0o600))
				case "file of another CA":
					place = filepath.Join(home, "two.yaml") + ": "
					require.NoError(t, os.WriteFile(filepath.Join(home, "two.yaml"), []byte(text), 0o600))
					args = append(args, "--cafiles", "two.yaml")
				}
				flags := s.rootCmd.PersistentFlags()
				require.NoError(t, flags.Parse(args))
				require.Equal(t, use != "", flags.Lookup(key).Hidden)
				err := s.configInit()
				if use == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, place+key+" has no effect")
				require.ErrorContains(t, err, use)
			})
		}
	}
}
