#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: release.sh FOLDER 'ARCHITECTURES' VERSION LDFLAGS 'TOOLS IN THE TREE' 'TOOLS AT THE ROOT' 'UPSTREAM OF THE CA' 'TOOLS OF THE CA'
#
# Writes FOLDER: for each architecture an archive of binaries for Linux, static but for gmkeyd, which loads libraries of vendors,
# what went into each (the modules as the binaries themselves record them, in CycloneDX), and checksums. The bytes depend on the commit and the Go version alone, not on
# clock, user, folder or the caller's settings of Go: scripts/reproduce.sh holds this to it.
set -eu
export LC_ALL=C
cd "$(dirname "$0")/.."
out=$1 architectures=$2 version=$3 ldflags=$4 tree_tools=$5 root_tools=$6 ca=$7 ca_tools=$8
root=$(pwd)
# Upstream's modules: compiled in our trees, the binaries do not record them.
upstream=$(cd scripts/fork && go list -m github.com/hyperledger/fabric
    awk '$1 == "module:" || $2 == "module:" { module = $NF } $1 == "version:" { print module, $2 }' "upstreams/$ca/upstream.yaml")
stamp=$(git log -1 --format=%ct)
if [ -n "$(git status --porcelain)" ]; then
    echo "release: the clone differs from its commit, so nobody could build the same again; commit or remove:" >&2
    git status --short >&2
    exit 1
fi
rm -rf "$out"
mkdir -p "$out"

# What the caller has set for other builds, in the environment, by go env -w or by go.work, must not reach these. Where modules come from,
# the caller may say.
GOPROXY=$(go env GOPROXY) GONOSUMDB=$(go env GONOSUMDB) GOSUMDB=$(go env GOSUMDB) GOPRIVATE=$(go env GOPRIVATE) GONOPROXY=$(go env GONOPROXY)
GOCACHE=$(go env GOCACHE) GOMODCACHE=$(go env GOMODCACHE)
export GOPROXY GONOSUMDB GOSUMDB GOPRIVATE GONOPROXY GOCACHE GOMODCACHE GOENV=off GOWORK=off
export CGO_ENABLED=0 GOOS=linux GOFLAGS=-mod=readonly GOAMD64=v1 GOARM64=v8.0 GOFIPS140=off
unset GOEXPERIMENT

# build FOLDER DESTINATION [FLAGS] PACKAGES...: static binaries of the architecture in GOARCH.
build() {
    folder=$1 destination=$2
    shift 2
    mkdir -p "$destination"
    (cd "$folder" && go build -trimpath -buildvcs=false -ldflags "$ldflags" -o "$destination/" "$@")
}

# sbom FOLDER: one component for each module in its binaries, for Go's library and for upstream, in CycloneDX 1.5. A program of which
# go version cannot tell what is in it ends the release.
sbom() {
    recorded=$(go version -m "$1"/bin/* "$1"/ccaas/bin/*)
    {
        echo "$recorded" | awk '$1 == "dep" { print $2, $3 } $1 ~ /:$/ && $2 ~ /^go/ { print "stdlib", substr($2, 3) }'
        echo "$upstream"
    } | sort -u |
        awk -v version="$version" '
            BEGIN {
                printf "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"version\":1,"
                printf "\"metadata\":{\"component\":{\"type\":\"application\",\"name\":\"fabric-gm\",\"version\":\"%s\"}},\"components\":[", version
            }
            { printf "%s\n{\"type\":\"library\",\"name\":\"%s\",\"version\":\"%s\",\"purl\":\"pkg:golang/%s@%s\"}", (NR > 1 ? "," : ""), $1, $2, $1, $2 }
            END { print "\n]}" }'
}

scripts/kits.sh "v$(echo "$version" | sed 's/.*-gm\.//')" build/kits

for arch in $architectures; do
    export GOARCH=$arch
    name=fabric-gm-$version-linux-$arch
    staging=$root/$out/$name
    build build/fabric "$staging/bin" -pgo="$root/cmd/nodes.pgo" $tree_tools
    build . "$staging/bin" $root_tools
    build "build/fabric-$ca" "$staging/bin" $ca_tools
    build . "$staging/ccaas/bin" ./cmd/ccaas/detect ./cmd/ccaas/build ./cmd/ccaas/release
    mkdir "$staging/config"
    cp build/fabric/sampleconfig/*.yaml "$staging/config/" # without upstream's sample MSP, whose key everybody has
    cp -R build/kits "$staging/kits"
    cp LICENSE NOTICE CHANGELOG.md "$staging/"
    sbom "$staging" >"$out/$name.sbom.json"
    grep -q '"name":"stdlib"' "$out/$name.sbom.json" || { echo "release: go version -m says nothing of the binaries of $arch" >&2; exit 1; }
    tar --format=gnu --sort=name --mtime="@$stamp" --owner=0 --group=0 --numeric-owner --mode='u+rwX,go+rX,go-w' -C "$out" -cf - "$name" |
        gzip -9n >"$out/$name.tar.gz"
    rm -rf "$staging"
done
(cd "$out" && sha256sum -- *.tar.gz *.sbom.json >SHA256SUMS)
ls -l "$out"
