#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: verify-release.sh SIGNERS [FOLDER]
# Verifies SHA256SUMS.sig of a release (the present folder by default) by the keys in SIGNERS, lines of the form
# 'fabric-gm-release ssh-ed25519 AAAA...' (ssh-keygen(1), allowed signers), then every file by SHA256SUMS.
set -eu
[ $# -ge 1 ] || { echo "usage: verify-release.sh SIGNERS [FOLDER]" >&2; exit 2; }
signers=$(realpath -- "$1")
cd "${2:-.}"
ssh-keygen -Y verify -f "$signers" -I fabric-gm-release -n fabric-gm-release -s SHA256SUMS.sig <SHA256SUMS
sha256sum --strict -c SHA256SUMS
# Files that the signed list does not name are nobody's. The signers' keys, and archives unpacked, may lie here.
for file in *; do
    case $file in SHA256SUMS | SHA256SUMS.sig) continue ;; esac
    { [ -d "$file" ] && [ ! -L "$file" ]; } || [ "$(realpath -- "$file")" = "$signers" ] && continue
    cut -c 67- SHA256SUMS | grep -qxF -- "$file" || { echo "verify-release: $file is not in SHA256SUMS" >&2; exit 1; }
done
