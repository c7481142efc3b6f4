// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLedgerOnSM4 makes a mapping over a loop device and a file system on it. It is for machines whose kernel has dm-crypt and SM4.
func TestLedgerOnSM4(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it wants root")
	}
	run := func(name string, args ...string) (string, error) {
		out, err := exec.Command(name, args...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := run("dmsetup", "targets"); err != nil || !strings.Contains(out, "crypt") {
		t.Skipf("this kernel has no dm-crypt: dmsetup targets: %v %s", err, out)
	}
	image := filepath.Join(t.TempDir(), "image")
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 64<<20))
	loop, err := run("losetup", "--find", "--show", image)
	require.NoError(t, err, loop)
	t.Cleanup(func() { _, _ = run("losetup", "--detach", loop) })
	const name = "gmtls-assess-test"
	key := strings.Repeat("0123456789abcdef", 4) // two keys of 128 bits
	if out, err := run("dmsetup", "create", name, "--uuid", "CRYPT-PLAIN-"+name, "--table", "0 131072 crypt sm4-xts-plain64 "+key+" 0 "+loop+" 0"); err != nil {
		t.Skipf("this kernel has no SM4: %s", out)
	}
	t.Cleanup(func() { _, _ = run("dmsetup", "remove", name) })
	out, err := run("mkfs.ext4", "-q", "/dev/mapper/"+name)
	require.NoError(t, err, out)
	folder := filepath.Join(t.TempDir(), "ledger")
	require.NoError(t, os.Mkdir(folder, 0o700))
	out, err = run("mount", "/dev/mapper/"+name, folder)
	require.NoError(t, err, out)
	t.Cleanup(func() { _, _ = run("umount", folder) })
	cipher, err := cipherUnder(folder)
	require.NoError(t, err)
	require.Equal(t, "sm4-xts-plain64", cipher)
}
