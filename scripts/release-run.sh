#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: release-run.sh FOLDER
# Runs each static binary of the archives in FOLDER (build/release) once: those of another architecture by qemu-user, where it is
# installed. gmkeyd loads libraries of vendors and of its platform: it is run on its own architecture alone.
set -eu
folder=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ran=0
for archive in "$folder"/*.tar.gz; do
    case $archive in
    *-linux-amd64.tar.gz) machine=x86_64 emulator=qemu-x86_64 ;;
    *-linux-arm64.tar.gz) machine=aarch64 emulator=qemu-aarch64 ;;
    *) echo "release-run: $archive: of which architecture?" >&2; exit 1 ;;
    esac
    runner=
    if [ "$(uname -m)" != "$machine" ]; then
        command -v "$emulator" >/dev/null || { echo "release-run: $(basename "$archive") not run: there is no $emulator (package qemu-user)"; continue; }
        runner=$emulator
    fi
    rm -rf "$dir/x" && mkdir "$dir/x"
    tar -C "$dir/x" -xzf "$archive"
    for program in "$dir"/x/*/bin/*; do
        case ${program##*/} in
        peer | orderer | cryptogen | configtxlator | fabric-ca-server | fabric-ca-client) set -- version ;;
        configtxgen) set -- -version ;;
        gmkeyd) [ -z "$runner" ] || continue; set -- -h ;;
        *) set -- --help ;;
        esac
        out=$($runner "$program" "$@" 2>&1) || { echo "release-run: ${program##*/} $*: $out" >&2; exit 1; }
        [ -n "$out" ] || { echo "release-run: ${program##*/} $* says nothing" >&2; exit 1; }
        ran=$((ran + 1))
    done
done
[ "$ran" -gt 0 ] || { echo "release-run: no archive in $folder; run 'make release'" >&2; exit 1; }
echo "release-run: $ran programs ran"
