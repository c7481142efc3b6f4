#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: build.sh FOLDER
# Compiles the classes and examples with Debian's libraries into FOLDER, stubs of Fabric's gateway included, and prints the class path
# to run them with. DESCRIPTORS is a folder with fabric.binpb and names, as kits have it; in a clone, clients/java/descriptors writes both.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
descriptors=${DESCRIPTORS:-$here/descriptors}
mkdir -p "$1/stubs" "$1/classes"
out=$(cd "$1" && pwd)
path=$out/classes
for jar in bcprov bcpkix bcutil protobuf grpc-api grpc-core grpc-context grpc-stub grpc-protobuf grpc-protobuf-lite grpc-netty \
    netty-common netty-buffer netty-transport netty-resolver netty-handler netty-codec netty-codec-http netty-codec-http2 \
    guava perfmark-api geronimo-annotation-1.3-spec; do
    file=/usr/share/java/$jar.jar
    [ -e "$file" ] || { echo "build.sh: $file is missing; docs/applications.md has the packages to install" >&2; exit 1; }
    path=$path:$file
done
# shellcheck disable=SC2046 # one name a line, none with a space
protoc --descriptor_set_in="$descriptors/fabric.binpb" --java_out="$out/stubs" \
    --plugin=protoc-gen-grpc-java="$(command -v grpc_java_plugin)" --grpc-java_out="$out/stubs" $(cat "$descriptors/names")
find "$out/stubs" "$here/src" "$here/example" -name '*.java' >"$out/sources"
javac -nowarn -d "$out/classes" -cp "$path" "@$out/sources" >&2
echo "$path"
