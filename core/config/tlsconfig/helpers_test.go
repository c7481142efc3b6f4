// SPDX-License-Identifier: Apache-2.0

package tlsconfig

import (
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// envReplacer is what the peer command gives to viper.
var envReplacer = strings.NewReplacer(".", "_")

func certDER(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	block, _ := pem.Decode(content)
	require.NotNil(t, block, path)
	return block.Bytes
}
