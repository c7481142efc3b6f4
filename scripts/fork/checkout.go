// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// verifyCheckout computes the checksum of the module that a checkout's folder holds, as a module proxy would serve it, and
// compares it with the recorded one.
func verifyCheckout(dir string, p pinned, tag string) error {
	tmp, err := os.MkdirTemp("", "fork-checkout-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	name := filepath.Join(tmp, "module.zip")
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	err = zip.CreateFromDir(out, module.Version{Path: p.Module, Version: p.Version}, dir)
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("%s is not a checkout of %s: %w", dir, p.Module, err)
	}
	sum, err := dirhash.HashZip(name, dirhash.Hash1)
	if err != nil {
		return err
	}
	if sum != p.Sum {
		return fmt.Errorf("the files in %s are not those of %s %s: their checksum is %s, recorded is %s. Check out %s without changes "+
			"and without files of your own (git status --ignored shows them)", dir, p.Module, p.Version, sum, p.Sum, tag)
	}
	return nil
}
