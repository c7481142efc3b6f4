#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: fuzz.sh TIME PACKAGE...
# Runs each fuzz target of the packages, folders below the present one, for TIME. A finding does not keep the other targets from running,
# and ends the script with 1 after them.
set -eu
time=$1
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
findings=
for pkg; do
    targets=$(go test -list '^Fuzz' "./$pkg" | grep '^Fuzz') || { echo "fuzz: no target in $pkg" >&2; exit 1; }
    for target in $targets; do
        echo "== $pkg $target"
        go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1s "./$pkg" 2>&1 | tee "$log"
        if grep -q '^ok' "$log"; then
            continue
        fi
        # Up to Go 1.26 the end of TIME may come out as a failure without a failing input (golang/go#75804).
        if grep -qx ' *context deadline exceeded' "$log" && ! grep -qE 'Failing input|panic|fuzzing process' "$log"; then
            echo "(the end of the time, no finding)"
            continue
        fi
        findings="$findings $pkg/$target"
    done
done
[ -z "$findings" ] || { echo "fuzz: failed:$findings" >&2; exit 1; }
