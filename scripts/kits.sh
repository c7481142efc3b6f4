#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: kits.sh VERSION FOLDER
# Writes what applications and chaincode are written with, for a machine that has neither this repository nor a network:
#   FOLDER/modules     a module proxy in files: the kits in VERSION, and every module that they and the templates need
#   FOLDER/NAME        each program of examples as a separate module, to copy and change
#   FOLDER/java, node  the clients in these languages
# The bytes depend on the commit alone. docs/applications.md says how it is used.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
version=$1
rm -rf "$2"
mkdir -p "$2/modules"
target=$(cd "$2" && pwd)
"$root/build/tools/fork" -root "$root" kits "$version" "$target/modules"

# A new module cache ends up with just what is needed. The existing cache serves it first, and proxies serve what is missing.
near=$(go env GOMODCACHE)/cache/download
proxies=$(go env GOPROXY)
cache=$(mktemp -d)
trap 'go clean -modcache; rm -rf "$cache"' EXIT
export GOMODCACHE="$cache" GOPROXY="file://$target/modules,file://$near,$proxies" GOFLAGS= GOWORK=off
# The kits are in no checksum database; all else is checked against our go.sum, or else the database.
export GONOSUMDB="github.com/hyperledger/fabric/*"
for source in "$root"/examples/*/; do
    name=$(basename "$source")
    mkdir "$target/$name"
    for file in "$source"*.go; do
        case $file in *_test.go) ;; *) cp "$file" "$target/$name/" ;; esac
    done
    cp "$root/LICENSE" "$target/$name/"
    cd "$target/$name"
    cp "$root/go.sum" .
    go mod init "$name" 2>/dev/null
    go mod edit -go="$(cd "$root" && go list -m -f '{{.GoVersion}}')" -require="github.com/hyperledger/fabric/pkg@$version"
    go mod tidy 2>/dev/null || go mod tidy
    go build -trimpath -o /dev/null . # what was compiled in any other folder counts
done
# What a program that starts from nothing asks for: go get of each part.
cd "$(mktemp -d "$cache/empty.XXXXXX")"
go mod init empty 2>/dev/null
for package in pkg/gmgateway pkg/gmshim common/crypto/gmtls/gmcredentials common/crypto/sm3 common/crypto/sm4; do
    go get "github.com/hyperledger/fabric/$package@$version" 2>/dev/null
done
cd "$target"
cp -R "$cache/cache/download/." modules/
rm -rf modules/sumdb
find modules -name '*.lock' -exec rm -f {} +
# Where a proxy had a module from differs between proxies.
find modules -name '*.info' -exec sed -i 's/,"Origin":{.*}}$/}/' {} +
cp -R "$root/clients/java" "$root/clients/node" "$target/"
# In place of the program that writes them, the descriptors of Fabric's gateway, for protoc.
rm "$target/java/descriptors/main.go"
(cd "$root" && GOMODCACHE="${near%/cache/download}" GOPROXY="$proxies" go run ./clients/java/descriptors "$target/java/descriptors/fabric.binpb") \
    >"$target/java/descriptors/names"
echo "kits: $(find modules -name '*.zip' | wc -l) modules, $(du -sh "$target" | cut -f1) in $target"
