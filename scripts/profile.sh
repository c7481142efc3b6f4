#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: profile.sh OUT
#
# Writes OUT, where the nodes of a network at capacity spend their CPU time, by which the compiler chooses what it inlines. The binaries in
# build/bin run a network in mode gm and one in mode tls, with a free port for pprof in each node's configuration.
set -eu
cd "$(dirname "$0")/.."
out=$1
state=build/profile
network() { build/bin/network -dir "$state/network" "$@"; }
load() { build/bin/load run -network "$state/network" "$@" >"$state/load.log" 2>&1; }
export PPROF_TMPDIR="$state"
rm -rf "$state"
mkdir -p "$state"
trap 'network down >/dev/null 2>&1 || true' EXIT

for options in "-mode gm -algorithm gm" "-mode tls -algorithm ecdsa"; do
    network up -base-port 29050 $options
    network stop
    port=29950
    urls=
    for file in "$state"/network/nodes/*/core.yaml "$state"/network/nodes/*/orderer.yaml; do
        port=$((port + 1))
        sed -i "s/^peer:\$/&\\n  profile: {enabled: true, listenAddress: '127.0.0.1:$port'}/
            s/^General:\$/&\\n  Profile: {Enabled: true, Address: '127.0.0.1:$port'}/" "$file"
        urls="$urls http://127.0.0.1:$port/debug/pprof/profile?seconds=40"
    done
    network start
    attempts=0
    until load -submitters 1 -warm-up 0s -duration 1s; do # peers have not found each other yet
        attempts=$((attempts + 1))
        if [ "$attempts" -gt 30 ]; then
            cat "$state/load.log" >&2
            exit 1
        fi
        sleep 1
    done
    load -evaluators 8 -warm-up 10s -duration 45s &
    load=$!
    sleep 10
    go tool pprof -proto -output "$state/$(echo "$options" | tr -d ' ')" $urls
    wait "$load"
    network down
done
go tool pprof -proto -output "$state/all" "$state"/-mode*
# A profile names the folder of the programs. Dashes, as many, take its place.
folder=$(pwd)/build/bin
gzip -dc "$state/all" | LC_ALL=C sed "s|$folder|$(echo "$folder" | sed 's/./-/g')|g" | gzip -n >"$out"
