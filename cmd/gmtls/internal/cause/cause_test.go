// SPDX-License-Identifier: Apache-2.0

package cause

import (
	"flag"
	"os"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/troubleshooting.md")

const document = "../../../../docs/troubleshooting.md"

func TestDocumentIsCurrent(t *testing.T) {
	if *update {
		require.NoError(t, os.WriteFile(document, []byte(Document()), 0o644))
	}
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	require.Equal(t, Document(), string(text), "run go generate ./cmd/gmtls/internal/cause")
}

func TestTableIsWhole(t *testing.T) {
	seen := make(map[ID]bool)
	for _, c := range Table {
		require.False(t, seen[c.ID], "%s stands twice", c.ID)
		seen[c.ID] = true
		require.NotEmpty(t, c.Symptom, c.ID)
		require.NotEmpty(t, c.Cause, c.ID)
		require.NotEmpty(t, c.Remedy, c.ID)
		require.NotEmpty(t, c.Command, c.ID)
	}
}

// Alerts that the TLCP stack knows have the same names here.
func TestAlertNames(t *testing.T) {
	known := 0
	for i := range 256 {
		alert := gmtls.AlertError(i)
		name, _ := AlertName(uint8(i))
		if name == "unknown alert" {
			require.Contains(t, alert.Error(), "alert(")
			continue
		}
		if want := "gmtls: " + name; alert.Error() == want {
			known++
		} else {
			require.Contains(t, alert.Error(), "alert(", "alert %d", i)
		}
	}
	require.Greater(t, known, 25)
}
