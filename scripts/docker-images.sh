#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: docker-images.sh VERSION COMMIT [FOLDER OF THE CA'S BINARIES]
#
# Builds the images from build/bin and build/fabric/sampleconfig, and that of the CA where its folder is named. Each is tagged with the
# version and as the latest. Nothing is pulled: they start from scratch. Each build gets a folder with just the files that go in.
set -eu
cd "$(dirname "$0")/.."
version=$1 commit=$2 ca=${3:-}
images="peer orderer asset tools keyd"
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
# There is no Docker in the container: chaincode runs as a service.
mkdir -p "$context/peer/sampleconfig"
sed '/^vm:/,/^[a-z]*:$/ s|^\( *endpoint:\).*|\1 ""|' build/fabric/sampleconfig/core.yaml >"$context/peer/sampleconfig/core.yaml"
put orderer . build/bin/orderer
put orderer sampleconfig $(config orderer)
put asset . build/bin/asset
put tools sampleconfig $(config core orderer configtx crypto-config)
for tool in peer cryptogen configtxgen configtxlator osnadmin discover ledgerutil gmtls consortium; do
    if [ -x "build/bin/$tool" ]; then
        put tools bin "build/bin/$tool"
    fi
done

if [ -n "$ca" ]; then
    put ca . "$ca/fabric-ca-server" "$ca/fabric-ca-client"
    images="$images ca"
fi

put keyd . build/bin/gmkeyd
# The loader and the libraries at the places where the loader looks for them, links followed.
for library in $(ldd build/bin/gmkeyd | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }') \
    $(ldconfig -p | awk '$1 ~ /^(libm\.so\.6|librt\.so\.1|libgcc_s\.so\.1|libstdc\+\+\.so\.6|libcrypto\.so\.3)$/ { print $NF }' | sort -u); do
    mkdir -p "$context/keyd/root$(dirname "$library")"
    cp -L "$library" "$context/keyd/root$library"
done

for image in $images; do
    mkdir -p "$context/$image/empty"
    # The user of an image is none of its files' owner, and a build under umask 027 or 077 left nothing for others.
    chmod -R u+rwX,go+rX,go-w "$context/$image"
    before=$(docker image inspect --format '{{.Id}}' "fabric-gm-$image:latest" 2>/dev/null || true)
    docker build --quiet --file "docker/$image.Dockerfile" --tag "fabric-gm-$image:$version" --tag "fabric-gm-$image:latest" \
        --label "org.opencontainers.image.title=fabric-gm-$image" --label "org.opencontainers.image.version=$version" \
        --label "org.opencontainers.image.revision=$commit" --label org.opencontainers.image.licenses=Apache-2.0 "$context/$image" >/dev/null
    size=$(docker image inspect --format '{{.Size}}' "fabric-gm-$image:$version")
    echo "fabric-gm-$image:$version $(((size + 500000) / 1000000)) MB"
    # The image that had the tags would stay without a name; it does stay while a container runs from it.
    if [ -n "$before" ] && [ "$before" != "$(docker image inspect --format '{{.Id}}' "fabric-gm-$image:latest")" ]; then
        docker image rm "$before" >/dev/null 2>&1 || true
    fi
done
rm -rf "$context"
