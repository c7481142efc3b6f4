#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: sign.sh KEY [FOLDER]
# Signs SHA256SUMS of a release (build/release by default) with an OpenSSH private key, or the public key of one that ssh-agent
# holds, and writes SHA256SUMS.sig. A site that has checked a release signs it with its own key in the same way: the new
# signature takes the place of the old one.
set -eu
[ $# -ge 1 ] || { echo "usage: sign.sh KEY [FOLDER]" >&2; exit 2; }
sums=${2:-$(dirname "$0")/../build/release}/SHA256SUMS
[ -f "$sums" ] || { echo "sign: $sums does not exist; run 'make release' first" >&2; exit 1; }
(cd "$(dirname "$sums")" && sha256sum --quiet --strict -c SHA256SUMS) || { echo "sign: the files differ from $sums, which is not signed" >&2; exit 1; }
# The present signature stays until there is another.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$sums" "$work/"
ssh-keygen -q -Y sign -f "$1" -n fabric-gm-release "$work/SHA256SUMS"
[ -s "$work/SHA256SUMS.sig" ] || { echo "sign: ssh-keygen wrote no signature" >&2; exit 1; }
mv "$work/SHA256SUMS.sig" "$sums.sig"
