// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// cipherUnder returns the cipher of the dm-crypt mapping on which the folder lies, such as sm4-xts-plain64, or "" if the folder's file
// system is on none. Mappings below others (LVM on dm-crypt) are followed.
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
			return "", fmt.Errorf("dmsetup table %s: %w; it wants root, and the package dmsetup", strings.TrimSpace(string(name)), err)
		}
		return cipherIn(string(out))
	}
	below, err := filepath.Glob(filepath.Join(device, "slaves", "*"))
	if err != nil || depth > 8 {
		return "", err
	}
	for _, next := range below {
		if cipher, err := cipherOf(next, depth+1); cipher != "" || err != nil {
			return cipher, err
		}
	}
	return "", nil
}

// cipherIn reads "0 SECTORS crypt CIPHER KEY …".
func cipherIn(table string) (string, error) {
	fields := strings.Fields(table)
	if len(fields) < 5 || fields[2] != "crypt" {
		return "", fmt.Errorf("dmsetup prints %q, which is no mapping of the target crypt", strings.Join(fields[:min(len(fields), 3)], " "))
	}
	return strings.TrimPrefix(fields[3], "capi:"), nil
}
