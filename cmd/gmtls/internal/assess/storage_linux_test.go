// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLedgerOnSM4 makes a mapping over a loop device and a file system on it, has it recognised, and measures how fast it is written. It is
// for machines whose kernel has dm-crypt and SM4; there it must pass, as in the machine of scripts/sm4-kernel.sh, which sets SM4_VOLUME.
func TestLedgerOnSM4(t *testing.T) {
	skip := t.Skip
	if os.Getenv("SM4_VOLUME") != "" {
		skip = t.Fatal
	}
	if os.Getuid() != 0 {
		skip("it wants root")
	}
	if lacks := kernelLacks("/"); lacks != "" {
		skip(lacks)
	}
	control, err := os.OpenFile("/dev/mapper/control", os.O_RDWR, 0)
	if err != nil {
		skip("mappings cannot be made here: ", err)
	}
	require.NoError(t, control.Close())
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
		return strings.TrimSpace(string(out))
	}
	image := filepath.Join(t.TempDir(), "image")
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 64<<20))
	loop := run("losetup", "--find", "--show", image)
	t.Cleanup(func() { run("losetup", "--detach", loop) })
	const name = "gmtls-assess-test"
	key := strings.Repeat("0123456789abcdef", 4) // two keys of 128 bits
	run("dmsetup", "create", name, "--uuid", "CRYPT-PLAIN-"+name, "--table", "0 131072 crypt sm4-xts-plain64 "+key+" 0 "+loop+" 0")
	t.Cleanup(func() { run("dmsetup", "remove", name) })
	run("mkfs.ext4", "-q", "/dev/mapper/"+name)
	folder := filepath.Join(t.TempDir(), "ledger")
	require.NoError(t, os.Mkdir(folder, 0o700))
	run("mount", "/dev/mapper/"+name, folder)
	t.Cleanup(func() { run("umount", folder) })
	cipher, err := cipherUnder(folder)
	require.NoError(t, err)
	require.Equal(t, "sm4-xts-plain64", cipher)
	t.Logf("written to the mapping: %.0f MB/s; without it: %.0f MB/s", written(t, folder), written(t, t.TempDir()))
}

// written is how many millions of bytes a second are on disk in the folder.
func written(t *testing.T, folder string) float64 {
	t.Helper()
	const size, block = 32 << 20, 1 << 20
	file, err := os.Create(filepath.Join(folder, "written"))
	require.NoError(t, err)
	defer file.Close()
	start := time.Now()
	for range size / block {
		_, err := file.Write(make([]byte, block))
		require.NoError(t, err)
	}
	require.NoError(t, file.Sync())
	return size / 1e6 / time.Since(start).Seconds()
}

// TestKernelLacks lays out what kernels show: modules in use, algorithms, files of modules, and those built in.
func TestKernelLacks(t *testing.T) {
	const nothing = "this kernel (6.1.0) has no dm-crypt and no SM4"
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing": {nil, nothing},
		"others": {map[string]string{
			"proc/crypto": "name         : xts(aes)\ndriver       : xts-sm4\nname         : notsm4\n", "sys/module/dm_mod/x": "", "sys/module/sm4x/x": "",
			"lib/modules/6.1.0/modules.dep": "kernel/drivers/md/dm-crypt-not.ko: \nkernel/crypto/asm4.ko:\n",
		}, nothing},
		"in use":           {map[string]string{"proc/crypto": "name         : xts(sm4)\n", "sys/module/dm_crypt/x": ""}, ""},
		"no SM4":           {map[string]string{"sys/module/dm_crypt/x": ""}, "this kernel (6.1.0) has no SM4"},
		"files":            {map[string]string{"lib/modules/6.1.0/modules.dep": "kernel/drivers/md/dm-crypt.ko.xz: a.ko\nkernel/crypto/sm4_generic.ko:\n"}, ""},
		"built in":         {map[string]string{"lib/modules/6.1.0/modules.builtin": "kernel/drivers/md/dm-crypt.ko\nkernel/arch/x86/crypto/sm4-aesni-avx-x86_64.ko\n"}, ""},
		"another kernel's": {map[string]string{"lib/modules/5.0/modules.dep": "kernel/drivers/md/dm-crypt.ko:\nkernel/crypto/sm4_generic.ko:\n"}, nothing},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write := func(name, text string) {
				name = filepath.Join(root, filepath.FromSlash(name))
				require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
				require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
			}
			write("proc/sys/kernel/osrelease", "6.1.0\n")
			for file, text := range test.files {
				write(file, text)
			}
			require.Equal(t, test.want, kernelLacks(root))
		})
	}
}

// TestLedgerOnSeveralDevices: a volume over several devices is as protected as the least of them.
func TestLedgerOnSeveralDevices(t *testing.T) {
	bin := t.TempDir() // its dmsetup prints the cipher that the mapping is named by
	require.NoError(t, os.WriteFile(filepath.Join(bin, "dmsetup"), []byte("#!/bin/sh\necho 0 8 crypt $2 key\n"), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for _, test := range []struct {
		devices []string // ciphers; empty for one without
		want    string
	}{
		{[]string{"sm4-xts-plain64"}, "sm4-xts-plain64"},
		{[]string{"sm4-xts-plain64", "sm4-xts-plain64"}, "sm4-xts-plain64"},
		{[]string{"sm4-xts-plain64", ""}, ""},
		{[]string{"", "sm4-xts-plain64"}, ""},
		{[]string{"sm4-xts-plain64", "aes-xts-plain64"}, "sm4-xts-plain64 and aes-xts-plain64"},
		{nil, ""},
	} {
		volume := t.TempDir()
		for i, cipher := range test.devices {
			dm := filepath.Join(volume, "slaves", strconv.Itoa(i), "dm")
			require.NoError(t, os.MkdirAll(dm, 0o700))
			if cipher != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dm, "uuid"), []byte("CRYPT-PLAIN-x"), 0o600))
				require.NoError(t, os.WriteFile(filepath.Join(dm, "name"), []byte(cipher+"\n"), 0o600))
			}
		}
		cipher, err := cipherOf(volume, 0)
		require.NoError(t, err)
		require.Equal(t, test.want, cipher, "%q", test.devices)
	}
}
