#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: mirror.sh FOLDER
# Writes a module proxy in files: every module that building, testing and verifying this repository needs, pinned
# upstream included, as the go command verified it. Carry the folder to the other site and build there with
#   GOPROXY=file:///path/of/mirror make build
# where go.sum checks every module as ever.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
target=$(cd "$1" && pwd)
# A new module cache holds just what is needed. The existing cache serves it first, and proxies serve what is missing.
cache=$(mktemp -d)
trap 'GOMODCACHE="$cache" go clean -modcache; rm -rf "$cache"' EXIT
near=$(go env GOMODCACHE)/cache/download
export GOMODCACHE="$cache" GOPROXY="file://$near,$(go env GOPROXY)"
# The caller's flags are about other builds.
export GOFLAGS=
for module in . scripts/fork build/fabric; do
    # The listing loads the go.mod files that module selection reads; the download brings the modules themselves.
    (cd "$root/$module" && go mod download && go list -deps -test ./... >/dev/null)
done
for module in scripts/fork scripts/tools; do
    (cd "$root/$module" && go list -deps tool >/dev/null)
done
rm -rf "$target"
mkdir -p "$target"
cp -R "$cache/cache/download/." "$target/"
rm -rf "$target/sumdb"
find "$target" -name '*.lock' -exec rm -f {} +
echo "mirror: $(find "$target" -name '*.zip' | wc -l) modules, $(du -sh "$target" | cut -f1) in $1"
echo "mirror: build from it with: GOPROXY=file://$target make build"
