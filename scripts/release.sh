#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: release.sh VERSION LDFLAGS 'TOOLS IN THE TREE' 'TOOLS AT THE ROOT'
#
# Writes build/release: an archive of static binaries for linux/amd64 and linux/arm64, what went into each (the modules
# as the binaries themselves record them, in CycloneDX), and checksums. Nothing in it depends on clock, user or folder, so that two
# runs at one commit should write the same bytes.
set -eu
cd "$(dirname "$0")/.."
version=$1 ldflags=$2 tree_tools=$3 root_tools=$4
root=$(pwd) out=build/release
stamp=$(git log -1 --format=%ct)
rm -rf "$out"
mkdir -p "$out"

# build FOLDER DESTINATION PACKAGES...: static binaries of the architecture in GOARCH.
build() {
    folder=$1 destination=$2
    shift 2
    mkdir -p "$destination"
    (cd "$folder" && CGO_ENABLED=0 GOOS=linux GOFLAGS= go build -trimpath -buildvcs=false -ldflags "$ldflags" -o "$destination/" "$@")
}

# sbom FOLDER: one component for each module in its binaries, in CycloneDX 1.5.
sbom() {
    find "$1" -type f -perm -u+x -exec go version -m {} + |
        awk '$1 == "dep" { print $2, $3 }' | LC_ALL=C sort -u |
        awk -v version="$version" '
            BEGIN {
                printf "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"version\":1,"
                printf "\"metadata\":{\"component\":{\"type\":\"application\",\"name\":\"fabric-gm\",\"version\":\"%s\"}},\"components\":[", version
            }
            { printf "%s\n{\"type\":\"library\",\"name\":\"%s\",\"version\":\"%s\",\"purl\":\"pkg:golang/%s@%s\"}", (NR > 1 ? "," : ""), $1, $2, $1, $2 }
            END { print "\n]}" }'
}

for arch in amd64 arm64; do
    export GOARCH=$arch
    name=fabric-gm-$version-linux-$arch
    staging=$root/$out/$name
    build build/fabric "$staging/bin" $tree_tools
    build . "$staging/bin" $root_tools
    build . "$staging/ccaas/bin" ./cmd/ccaas/detect ./cmd/ccaas/build ./cmd/ccaas/release
    cp -R build/fabric/sampleconfig "$staging/config"
    cp LICENSE NOTICE CHANGELOG.md "$staging/"
    sbom "$staging" >"$out/$name.sbom.json"
    tar --sort=name --mtime="@$stamp" --owner=0 --group=0 --numeric-owner --mode='u+rwX,go+rX,go-w' -C "$out" -cf - "$name" |
        gzip -9n >"$out/$name.tar.gz"
    rm -rf "$staging"
done
(cd "$out" && sha256sum -- *.tar.gz *.sbom.json >SHA256SUMS)
ls -l "$out"
