// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// TestKits writes the kits twice and wants the same bytes, and in them no test and no requirement that is not needed.
func TestKits(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for _, target := range []string{first, second} {
		if err := runKits(io.Discard, "../..", "v1.2.3", target); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range kits {
		base := filepath.Join(fabricModule, k.folder, "@v", "v1.2.3")
		for _, ending := range []string{".zip", ".mod", ".info"} {
			a, errA := os.ReadFile(filepath.Join(first, base+ending))
			b, errB := os.ReadFile(filepath.Join(second, base+ending))
			if errA != nil || errB != nil || !bytes.Equal(a, b) {
				t.Errorf("%s%s differs between two runs (%v, %v)", base, ending, errA, errB)
			}
		}
		requireKit(t, k, filepath.Join(first, base))
	}
}

func requireKit(t *testing.T, k kit, base string) {
	t.Helper()
	text, err := os.ReadFile(base + ".mod")
	if err != nil {
		t.Fatal(err)
	}
	file, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if file.Module.Mod.Path != k.path() {
		t.Errorf("the module is %s", file.Module.Mod.Path)
	}
	for _, r := range file.Require {
		if r.Mod.Path == fabricModule {
			t.Errorf("%s requires upstream", k.folder)
		}
		if strings.HasPrefix(r.Mod.Path, fabricModule+"/") && r.Mod.Version != "v1.2.3" {
			t.Errorf("%s requires %s", k.folder, r.Mod)
		}
	}
	content, err := zip.OpenReader(base + ".zip")
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	sources := 0
	for _, f := range content.File {
		if strings.HasSuffix(f.Name, "_test.go") || strings.Contains(f.Name, "/testdata/") {
			t.Errorf("%s holds %s", k.folder, f.Name)
		}
		if strings.HasSuffix(f.Name, ".go") {
			sources++
		}
	}
	if sources == 0 {
		t.Errorf("%s holds no source", k.folder)
	}
}

func TestKitOf(t *testing.T) {
	for importPath, want := range map[string]string{
		fabricModule + "/pkg/gmgateway":                          "pkg",
		fabricModule + "/pkg/internal/roots":                     "pkg",
		fabricModule + "/common/crypto/gmtls/gmcredentials":      "common/crypto",
		fabricModule + "/common/crypto/gmtlstest":                "",
		fabricModule + "/common/crypto":                          "",
		fabricModule + "/internal/settings":                      "internal/settings",
		fabricModule + "/pkg/comm":                               "",
		"github.com/hyperledger/fabric-gateway/pkg/client":       "",
		"github.com/hyperledger/fabric-lib-go/common/crypto/sm3": "",
	} {
		k, ok := kitOf(importPath)
		if ok != (want != "") || k.folder != want {
			t.Errorf("%s is in kit %q", importPath, k.folder)
		}
	}
	if err := runKits(io.Discard, "../..", "0.2.0", t.TempDir()); err == nil {
		t.Error("0.2.0 is taken for a module's version")
	}
}
