#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: reproduce.sh [SHA256SUMS]
# Builds the release of this commit in a fresh clone, with an empty build cache, and compares it byte by byte, through the checksums,
# with SHA256SUMS: of 'make release' here by default, or as published. Needs the same version of Go.
set -eu
cd "$(dirname "$0")/.."
sums=$(realpath -- "${1:-build/release/SHA256SUMS}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
git clone -q . "$dir/clone"
git -C "$dir/clone" checkout -q --detach "$(git rev-parse HEAD)"
GOCACHE="$dir/cache" make -C "$dir/clone" release
if diff "$sums" "$dir/clone/build/release/SHA256SUMS"; then
    echo "reproduce: equal bytes in both builds"
else
    echo "reproduce: the builds differ in the files above; compare the versions of Go ('go version bin/peer') and the commits" >&2
    exit 1
fi
