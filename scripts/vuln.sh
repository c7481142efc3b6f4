#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: vuln.sh GOVULNCHECK FOLDER PACKAGE...
# Looks the dependencies of a folder's packages up in Go's vulnerability database; GOVULNDB=file:///folder names a copy. Findings that
# the table in docs/fork.md explains are no failure, others are. Without the variable and without the database nothing was looked at,
# which is said and is no failure: air-gapped sites build too. A copy that is named and cannot be read is a failure.
set -u
explained=$(cd "$(dirname "$0")/.." && pwd)/docs/fork.md
tool=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$2" || exit 1
folder=$2
shift 2
out=$("$tool" ${GOVULNDB:+-db "$GOVULNDB"} "$@" 2>&1) # the scanner does not read the variable itself
status=$?
printf '%s\n' "$out"
if [ -z "${GOVULNDB:-}" ] && printf '%s\n' "$out" | grep -q 'fetching vulnerabilities'; then
    echo "vuln: SKIPPED: the vulnerability database cannot be reached; set GOVULNDB to a copy (file:///folder) to look" >&2
    exit 0
fi
[ $status = 3 ] || exit $status # 3: there are findings in code that is called
found=$(printf '%s\n' "$out" | sed -n 's/^Vulnerability #[0-9]*: \(GO-[0-9-]*\)$/\1/p' | sort -u)
for id in ${found:-unknown}; do
    grep -q "^| .*\b$id\b" "$explained" || { echo "vuln: docs/fork.md does not explain $id, found in $folder" >&2; exit 3; }
done
echo "vuln: docs/fork.md explains each finding in $folder:" $found
