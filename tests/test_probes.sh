#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The USDT probes are in the program: readelf -n lists each with its provider and arguments.
#
# usage: tests/test_probes.sh PROGRAM
# PROGRAM is linked with libdanpool.  Status 77 (ctest shows "Skipped") when the probes were left
# out of this build, which PROGRAM --version says, or when there is no readelf.
set -euo pipefail
program=$1

skip() {
  printf 'skipped: %s\n' "$*"
  exit 77
}

command -v readelf >/dev/null || skip 'readelf is not installed'
"$program" --version | grep -qE '^  usdt +yes' || skip 'built without sys/sdt.h'

# Each probe with the number of its arguments, as src/pool/probe.h promises them.
readonly expected="evict 3
get_slow 4
health 4
migrate 3
put_slow 2
reclaim 1
refill 3
region_get 4
region_put 3"

# "Name: get_slow" below "Provider: danpool", and how many words "Arguments:" has.
found=$(readelf -nW "$program" | awk '
  /Provider:/ { ours = $NF == "danpool" }
  ours && /Name:/ { name = $2 }
  ours && /Arguments:/ { print name, NF - 1 }' | sort -u)

if [ "$found" != "$expected" ]; then
  printf 'probes found:\n%s\nexpected:\n%s\n' "$found" "$expected"
  exit 1
fi
printf '%d probes, all as expected\n' "$(wc -l <<<"$expected")"
