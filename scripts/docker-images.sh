#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds the images from build/bin and build/fabric/sampleconfig. Nothing is pulled: they start from scratch. Each build gets
# a folder with just the files that go in.
set -eu
cd "$(dirname "$0")/.."
tag=${1:-latest}
context=build/docker
rm -rf "$context"

# put IMAGE DESTINATION FILES...: files and folders that exist, by hard link.
put() {
    image=$1 destination=$2
    shift 2
    mkdir -p "$context/$image/$destination"
    cp -rl "$@" "$context/$image/$destination/"
}

# Upstream's sample MSP stays out: everybody has its keys, and a container without material would start as that organisation.
config() {
    for file in "$@"; do echo "build/fabric/sampleconfig/$file.yaml"; done
}
put peer . build/bin/peer build/bin/ccaas
put peer sampleconfig $(config core)
put orderer . build/bin/orderer
put orderer sampleconfig $(config orderer)
put asset . build/bin/asset
put tools sampleconfig $(config core orderer configtx crypto-config)
for tool in peer cryptogen configtxgen configtxlator osnadmin discover ledgerutil gmtls; do
    if [ -x "build/bin/$tool" ]; then
        put tools bin "build/bin/$tool"
    fi
done

put keyd . build/bin/gmkeyd
# The loader and the libraries at the places where the loader looks for them, links followed.
for library in $(ldd build/bin/gmkeyd | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }') \
    $(ldconfig -p | awk '$1 ~ /^(libm\.so\.6|librt\.so\.1|libgcc_s\.so\.1|libstdc\+\+\.so\.6|libcrypto\.so\.3)$/ { print $NF }' | sort -u); do
    mkdir -p "$context/keyd/root$(dirname "$library")"
    cp -L "$library" "$context/keyd/root$library"
done

for image in peer orderer asset tools keyd; do
    mkdir -p "$context/$image/empty"
    before=$(docker image inspect --format '{{.Id}}' "fabric-gm-$image:$tag" 2>/dev/null || true)
    docker build --quiet --file "docker/$image.Dockerfile" --tag "fabric-gm-$image:$tag" "$context/$image" >/dev/null
    size=$(docker image inspect --format '{{.Size}}' "fabric-gm-$image:$tag")
    echo "fabric-gm-$image:$tag $(((size + 500000) / 1000000)) MB"
    # The image that had the tag would stay without a name; it does stay while a container runs from it.
    if [ -n "$before" ] && [ "$before" != "$(docker image inspect --format '{{.Id}}' "fabric-gm-$image:$tag")" ]; then
        docker image rm "$before" >/dev/null 2>&1 || true
    fi
done
rm -rf "$context"
