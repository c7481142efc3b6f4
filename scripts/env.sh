#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Prints the environment in which the peer command acts for an organisation of the running network:
#   eval "$(scripts/env.sh org1)"
set -eu
if [ $# -ne 1 ]; then
    echo "usage: eval \"\$(scripts/env.sh ORG)\", for example org1" >&2
    exit 2
fi
root=$(cd "$(dirname "$0")/.." && pwd)
if [ ! -x "$root/build/bin/network" ]; then
    echo "there is no network: start one with make network" >&2
    exit 1
fi
exec "$root/build/bin/network" -dir "${DIR:-$root/build/network}" env "$1"
