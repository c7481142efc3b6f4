#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: docker-chaincode.sh [TAG]
# Builds the two images that a peer needs to build and launch chaincode in Go, fabric-gm-ccenv and fabric-gm-baseos, of what a
# Debian machine with Go has. Nothing is pulled.
set -eu
cd "$(dirname "$0")/.."
tag=${1:-latest}
context=build/docker-chaincode
rm -rf "$context"
mkdir -p "$context/ccenv/root/bin" "$context/ccenv/empty" "$context/baseos/empty"

# The shell and the loader and libraries that it needs, at the places where the loader looks for them.
cp -L /bin/sh "$context/ccenv/root/bin/sh"
for library in $(ldd /bin/sh | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }'); do
    mkdir -p "$context/ccenv/root$(dirname "$library")"
    cp -L "$library" "$context/ccenv/root$library"
done
# Go, without its tests and documents. Links, as there are in Debian's packages, are followed.
goroot=$(go env GOROOT)
mkdir -p "$context/ccenv/root/usr/local/go"
for part in bin pkg src lib VERSION go.env; do
    if [ -e "$goroot/$part" ]; then
        cp -RL "$goroot/$part" "$context/ccenv/root/usr/local/go/"
    fi
done
find "$context/ccenv/root/usr/local/go/src" \( -name testdata -o -name '*_test.go' \) -prune -exec rm -rf {} +

# The user of an image is none of its files' owner, and umask 027 or 077 leaves nothing for others.
chmod -R u+rwX,go+rX,go-w "$context"
for image in ccenv baseos; do
    docker build --quiet --file "docker/$image.Dockerfile" --tag "fabric-gm-$image:$tag" "$context/$image" >/dev/null
    echo "fabric-gm-$image:$tag $(docker image inspect --format '{{.Size}}' "fabric-gm-$image:$tag") bytes"
done
rm -rf "$context"
