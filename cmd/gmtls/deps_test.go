// SPDX-License-Identifier: Apache-2.0

package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tool is used where no node is: of Fabric it holds the TLCP stack, the
// certificates, and the messages of a config block.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}}", ".").Output()
	require.NoError(t, err)
	ours := 0
	for _, path := range strings.Fields(string(out)) {
		rest, ok := strings.CutPrefix(path, "github.com/hyperledger/")
		if !ok {
			continue
		}
		ours++
		allowed := false
		for _, prefix := range []string{"fabric/cmd/gmtls", "fabric/common/ccserver", "fabric/common/consenter", "fabric/common/loglimit", "fabric/common/mspfolder", "fabric/common/policytext", "fabric/common/safefile", "fabric/common/tlsstatus", "fabric/common/crypto/gmtls", "fabric/common/crypto/gmx509", "fabric/common/crypto/material", "fabric/common/crypto/keyd", "fabric/common/crypto/sm2table", "fabric/common/crypto/sm3", "fabric/common/crypto/sm4", "fabric-protos-go-apiv2"} {
			allowed = allowed || rest == prefix || strings.HasPrefix(rest, prefix+"/")
		}
		require.True(t, allowed, "%s is linked", path)
	}
	require.Greater(t, ours, 10)
}

// One static binary: nothing of the machine is needed to run it.
func TestStatic(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // of other systems the format differs, and the system's library is always needed
	}
	name := filepath.Join(t.TempDir(), "gmtls")
	build := exec.Command("go", "build", "-o", name, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the Makefile builds it
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	f, err := elf.Open(name)
	require.NoError(t, err)
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, libraries)
	for _, p := range f.Progs {
		require.NotEqual(t, elf.PT_INTERP, p.Type, "it wants a loader")
	}
}
