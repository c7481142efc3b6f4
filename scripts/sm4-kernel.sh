#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: sm4-kernel.sh COMMAND [ARGUMENT ...]
# Runs a command as root on a kernel that has SM4, in a virtual machine. The kernel is the distribution's, and so are the sources of its SM4 modules, which
# its packages leave out. The machine sees all files of this one. What it writes is gone at the end, and it has no network. For Debian on
# amd64; KVM is used where there is one. SM4_KERNEL_DIR is the folder for kernel and modules, SM4_KERNEL_MEMORY the machine's memory.
# In the machine, the folder SM4_VOLUME (default /srv) is a volume made as docs/data-at-rest.md says.
set -eu
fail() { echo "sm4-kernel: $*" >&2; exit 1; }
[ $# -gt 0 ] || fail "which command?"
command -v apt-cache >/dev/null && [ "$(uname -m)" = x86_64 ] || fail "it takes kernels from the packages of Debian for amd64, and this is another system"
release=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: linux-image-//p' | head -n 1)
[ -n "$release" ] || fail "no package linux-image-amd64 is known; run 'apt-get update'"
series=$(echo "$release" | cut -d. -f1,2)
missing=
for package in "linux-headers-$release" "linux-source-$series" qemu-system-x86 busybox-static kmod cpio xz-utils gcc make cryptsetup-bin e2fsprogs dmsetup mount iproute2; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] || fail "these packages are not installed: apt-get install --no-install-recommends$missing"
mkdir -p "${SM4_KERNEL_DIR:=build/sm4-kernel}"
dir=$(cd "$SM4_KERNEL_DIR" && pwd)
modules=$dir/image/lib/modules/$release
volume=${SM4_VOLUME:-/srv}

# The image is unpacked and not installed: this machine boots its own.
if [ ! -e "$dir/$release" ]; then
    rm -rf "$dir/image" "$dir/sm4"
    mkdir -p "$dir/image" "$dir/sm4"
    (cd "$dir" && apt-get download -q "linux-image-$release" && dpkg -x "linux-image-${release}_"*.deb image && rm "linux-image-${release}_"*.deb)
    tar -xf "/usr/src/linux-source-$series.tar.xz" -C "$dir/sm4" --strip-components=2 "linux-source-$series/crypto/sm4.c" "linux-source-$series/crypto/sm4_generic.c"
    tar -xf "/usr/src/linux-source-$series.tar.xz" -C "$dir/sm4" --strip-components=4 --wildcards "linux-source-$series/arch/x86/crypto/sm4*"
    cat >"$dir/sm4/Makefile" <<'EOF'
obj-m := sm4.o sm4_generic.o sm4-aesni-avx-x86_64.o sm4-aesni-avx2-x86_64.o
sm4-aesni-avx-x86_64-y := sm4-aesni-avx-asm_64.o sm4_aesni_avx_glue.o
sm4-aesni-avx2-x86_64-y := sm4-aesni-avx2-asm_64.o sm4_aesni_avx2_glue.o
EOF
    make -s -C "/lib/modules/$release/build" "M=$dir/sm4" modules 2>"$dir/sm4/log" || fail "the modules of SM4 do not compile: $(cat "$dir/sm4/log")"
    mkdir "$modules/extra"
    cp "$dir"/sm4/*.ko "$modules/extra/"
    depmod -b "$dir/image" "$release"
    : >"$dir/$release"
fi

# The first file system: busybox, and the modules that reach this machine's files.
first="virtio_pci virtio_rng 9pnet_virtio 9p overlay"
rm -rf "$dir/first"
mkdir -p "$dir/first/bin" "$dir/first/proc" "$dir/first/sys" "$dir/first/dev"
cp /bin/busybox "$dir/first/bin/"
for module in $first; do
    modprobe -d "$dir/image" -S "$release" --show-depends "$module" | while read -r verb file _; do
        [ "$verb" = insmod ] || continue
        file=$(realpath "$file")
        mkdir -p "$dir/first/$(dirname "${file#"$dir/image/"}")"
        cp "$file" "$dir/first/${file#"$dir/image/"}"
    done
done
depmod -b "$dir/first" "$release" 2>/dev/null
cat >"$dir/first/init" <<EOF
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc proc /proc
\$b mount -t sysfs sys /sys
\$b mount -t devtmpfs dev /dev
for module in $first; do \$b modprobe \$module; done
\$b mkdir -p /below /above /root
\$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=1048576,cache=loose files /below
\$b mount -t tmpfs above /above
\$b mkdir /above/files /above/work
\$b mount -t overlay -o lowerdir=/below,upperdir=/above/files,workdir=/above/work overlay /root
for folder in proc sys dev; do \$b mount --move /\$folder /root/\$folder; done
exec \$b switch_root /root /bin/sh $dir/inside
EOF
chmod +x "$dir/first/init"
(cd "$dir/first" && find . | cpio -o -H newc --quiet | gzip -1) >"$dir/first.gz"

# What the machine does: the volume, an address for programs that want one, the command.
{
    echo "cd '$PWD'"
    echo "export HOME='$HOME' PATH='$PATH' DM_DISABLE_UDEV=1 SM4_VOLUME='$volume'"
    cat <<EOF
mount -t tmpfs run /run
mkdir -p /dev/pts /dev/shm /lib/modules
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount --bind '$dir/image/lib/modules' /lib/modules
for module in loop ext4 dm-crypt xts sm4_generic sm4-aesni-avx2-x86_64 dummy; do modprobe \$module || echo "no \$module"; done
ip link set lo up
ip link add net0 type dummy
ip address add 192.0.2.1/24 dev net0
ip link set net0 up
mkdir -p /run/disk '$volume'
mount -t tmpfs -o size=75% disk /run/disk
truncate -s 2G /run/disk/image
disk=\$(losetup --find --show /run/disk/image)
echo only-for-this-run >/run/disk/key
cryptsetup luksFormat -q --type luks2 --cipher sm4-xts-plain64 --key-size 256 --hash sha256 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \$disk /run/disk/key
cryptsetup open \$disk ledger --key-file /run/disk/key
mkfs.ext4 -q /dev/mapper/ledger
mount /dev/mapper/ledger '$volume'
EOF
    for word in "$@"; do printf "'%s' " "$(printf %s "$word" | sed "s/'/'\\\\''/g")"; done
    echo
    echo 'echo "sm4-kernel: the command ended with $?"'
    echo '/bin/busybox poweroff -f'
} >"$dir/inside"

qemu-system-x86_64 -machine q35 -accel kvm -accel tcg,thread=multi -cpu max -smp "$(nproc)" -m "${SM4_KERNEL_MEMORY:-4G}" -nographic -no-reboot -nic none \
    -kernel "$dir/image/boot/vmlinuz-$release" -initrd "$dir/first.gz" -append "console=ttyS0 loglevel=1 panic=-1 random.trust_cpu=on" \
    -virtfs local,path=/,mount_tag=files,security_model=none,readonly=on,multidevs=remap 2>&1 </dev/null | tr -d '\r' | tee "$dir/log"
grep -q '^sm4-kernel: the command ended with 0$' "$dir/log" || fail "the command failed, or the machine ended before it"
