// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
)

// writeOverlay writes build/overlay.json for the go command's -overlay flag and for gopls: with it, the repository's
// root looks, under the build tag fork, as if upstream's Go files stood in it, changed as the delta asks, and ours stay
// open to editing.
func (a *assembly) writeOverlay(tree string) error {
	replace := map[string]string{}
	for name, file := range a.files {
		if path.Ext(name) != ".go" || file.ours && (file.data == nil || file.treeOnly) {
			continue
		}
		replace[filepath.Join(a.root, filepath.FromSlash(name))] = filepath.Join(tree, filepath.FromSlash(name))
	}
	data, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "\t")
	if err != nil {
		return err
	}
	name := filepath.Join(filepath.Dir(tree), "overlay.json")
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return os.WriteFile(name, data, 0o644)
}
