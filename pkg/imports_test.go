// SPDX-License-Identifier: Apache-2.0

package pkg_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKitsImportNothingOfFabric walks all that the kits depend on. Fabric's own packages register the messages of
// fabric-protos-go, the kits those of fabric-protos-go-apiv2 under the same names: a program that links both panics at its start.
func TestKitsImportNothingOfFabric(t *testing.T) {
	const fabric = "github.com/hyperledger/fabric"
	ours := []string{fabric + "/pkg/", fabric + "/internal/settings"} // the names of settings, which need nothing else
	for _, name := range []string{"gmtls", "gmx509", "keyd", "material", "sm2table", "sm3", "sm4"} {
		ours = append(ours, fabric+"/common/crypto/"+name)
	}
	for _, kit := range []string{"./gmshim/...", "./gmgateway/...", "../examples/...", "../integration/chaincode/..."} {
		list := exec.Command("go", "list", "-deps", kit)
		list.Stderr = t.Output()
		out, err := list.Output()
		require.NoError(t, err)
		kits := 0
		for _, path := range strings.Fields(string(out)) {
			require.False(t, strings.HasPrefix(path, fabric+"-protos-go/"), "%s links %s", kit, path)
			inRepository := strings.HasPrefix(path, fabric+"/examples/") || strings.HasPrefix(path, fabric+"/integration/chaincode/")
			if !strings.HasPrefix(path, fabric+"/") || inRepository {
				continue
			}
			kits++
			allowed := false
			for _, prefix := range ours {
				allowed = allowed || strings.HasPrefix(path, prefix)
			}
			require.True(t, allowed, "%s links %s", kit, path)
		}
		require.Positive(t, kits, "%s: %s", kit, out)
	}
}
