// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// cipherUnder returns the cipher of the dm-crypt mapping on which the folder lies, such as sm4-xts-plain64, or "" if the folder's file
// system is on none, or only in part. Mappings below others (LVM on dm-crypt) are followed.
func cipherUnder(path string) (string, error) {
	var stat syscall.Stat_t
	if err := syscall.Stat(path, &stat); err != nil {
		return "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	major, minor := (stat.Dev>>8)&0xfff, stat.Dev&0xff|(stat.Dev>>12)&0xfff00
	return cipherOf(filepath.Join("/sys/dev/block", fmt.Sprintf("%d:%d", major, minor)), 0)
}

func cipherOf(device string, depth int) (string, error) {
	uuid, err := os.ReadFile(filepath.Join(device, "dm", "uuid"))
	if err == nil && strings.HasPrefix(string(uuid), "CRYPT-") {
		name, err := os.ReadFile(filepath.Join(device, "dm", "name"))
		if err != nil {
			return "", err
		}
		out, err := exec.Command("dmsetup", "table", strings.TrimSpace(string(name))).Output()
		if err != nil {
			return "", fmt.Errorf("dmsetup table %s: %w; it needs root, and the package dmsetup", strings.TrimSpace(string(name)), err)
		}
		return cipherIn(string(out))
	}
	below, err := filepath.Glob(filepath.Join(device, "slaves", "*"))
	if err != nil || depth > 8 {
		return "", err
	}
	common := ""
	for _, next := range below { // several of LVM and RAID
		cipher, err := cipherOf(next, depth+1)
		if cipher == "" || err != nil {
			return "", err
		}
		if common != "" && cipher != common {
			return common + " and " + cipher, nil
		}
		common = cipher
	}
	return common, nil
}

// cipherIn reads "0 SECTORS crypt CIPHER KEY …".
func cipherIn(table string) (string, error) {
	fields := strings.Fields(table)
	if len(fields) < 5 || fields[2] != "crypt" {
		return "", fmt.Errorf("dmsetup prints %q, which is not a mapping of the target crypt", strings.Join(fields[:min(len(fields), 3)], " "))
	}
	return strings.TrimPrefix(fields[3], "capi:"), nil
}

// kernelLacks says what the kernel lacks for a mapping by SM4, or nothing. root is the root of the file system.
func kernelLacks(root string) string {
	var missing []string
	for _, part := range []struct{ name, algorithm, module string }{
		{"dm-crypt", "", "dm[-_]crypt"},
		{"SM4", "sm4", "sm4[-_][a-z0-9_-]*"},
	} {
		if !loaded(root, part.algorithm, part.module) && !loadable(root, part.module) {
			missing = append(missing, part.name)
		}
	}
	if missing == nil {
		return ""
	}
	return "this kernel (" + release(root) + ") has no " + strings.Join(missing, " and no ")
}

func release(root string) string {
	text, err := os.ReadFile(filepath.Join(root, "proc/sys/kernel/osrelease"))
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// loaded reports whether a module is in the kernel: below /sys/module, or as an algorithm in /proc/crypto.
func loaded(root, algorithm, module string) bool {
	folders, _ := os.ReadDir(filepath.Join(root, "sys/module")) // what cannot be read shows nothing
	named := regexp.MustCompile("^" + module + "$")
	if slices.ContainsFunc(folders, func(f os.DirEntry) bool { return named.MatchString(f.Name()) }) {
		return true
	}
	text, _ := os.ReadFile(filepath.Join(root, "proc/crypto"))
	return algorithm != "" && regexp.MustCompile(`(?m)^name\s*:.*\b`+algorithm+`\b`).Match(text)
}

// loadable reports whether a module is a file that the kernel can load, or built in.
func loadable(root, module string) bool {
	file := regexp.MustCompile("(?m)/" + module + `\.ko(\.[a-z0-9]+)?(:|$)`)
	for _, list := range []string{"modules.dep", "modules.builtin"} {
		text, _ := os.ReadFile(filepath.Join(root, "lib/modules", release(root), list))
		if file.Match(text) {
			return true
		}
	}
	return false
}
