// SPDX-License-Identifier: Apache-2.0

package pkg_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestImports keeps the kits, and the programs built on them, apart from Fabric's own packages: those use fabric-protos-go,
// the kits' libraries fabric-protos-go-apiv2, and a program that links both panics when it starts.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "../pkg/...", "../examples/...", "../integration/...").CombinedOutput()
	require.NoError(t, err, "%s", out)
	allowed := []string{"pkg", "examples/", "integration/", "common/crypto/gmtls", "common/crypto/gmx509"}
	seen := 0
	for dependency := range strings.FieldsSeq(string(out)) {
		require.False(t, strings.HasPrefix(dependency, "github.com/hyperledger/fabric-protos-go/"), dependency)
		own, ok := strings.CutPrefix(dependency, "github.com/hyperledger/fabric/")
		if !ok {
			continue
		}
		seen++
		known := false
		for _, prefix := range allowed {
			known = known || strings.HasPrefix(own, prefix)
		}
		require.True(t, known, "a kit depends on %s", dependency)
	}
	require.Greater(t, seen, 8)
}
