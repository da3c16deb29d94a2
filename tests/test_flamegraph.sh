#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The flame graph: every frame as wide as its share, above its caller, and nothing that a name holds
# breaks the SVG.
#
# usage: tests/test_flamegraph.sh FLAMEGRAPH
set -euo pipefail
flamegraph=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

expect() {
  grep -qF -- "$1" "$scratch/svg" || {
    printf 'not in the SVG: %s\n' "$1"
    failures=$((failures + 1))
  }
}

# Four samples as perf script prints them, with '>' for its tab: three in main, of which two in a
# function with an odd name and one of these in the kernel below it; one in another program.
tr '>' '\t' >"$scratch/samples" <<'END'
prog 123 [001] 10.000001:    1000 cycles:
>    55d0 operator<(A&, "x";) const+0x12 (/usr/bin/a prog)
>    66e0 main+0x20 (/usr/bin/a prog)

prog 123/124 10.000002:    1000 cycles:
>ffffffff81 do_fault+0x9f ([kernel.kallsyms])
>    55d0 operator<(A&, "x";) const+0x99 (/usr/bin/a prog)
>    66e0 main+0x21 (/usr/bin/a prog)

prog 123 10.000003:    1000 cycles:
>    66e0 main+0x22 (/usr/bin/a prog)

other 9 10.000004:    1000 cycles:
>    7f00 [unknown] (/lib/x.so)
END
"$flamegraph" 'a & b' <"$scratch/samples" >"$scratch/svg"

expect 'a &amp; b: 4 samples'
expect '<title>other: 1 samples, 25.00 %</title><rect x="0.00"'
expect '<title>prog: 3 samples, 75.00 %</title><rect x="300.00"'
expect '<title>main: 3 samples, 75.00 %</title><rect x="300.00"'
expect '<title>operator&lt;(A&amp;, &quot;x&quot;:) const: 2 samples, 50.00 %</title>'
expect '<title>do_fault_[k]: 1 samples, 25.00 %</title>'
expect '<title>[unknown]: 1 samples, 25.00 %</title>'
expect 'width="900.00"'
expect '</svg>'
[ "$(grep -c '<g>' "$scratch/svg")" -eq 6 ] || {
  echo 'not six frames'
  failures=$((failures + 1))
}
# A caller stands below what it calls: its y is larger.
y_of() { sed -nE "s|.*<title>$1: .*<rect x=\"[^\"]*\" y=\"([0-9]+)\".*|\1|p" "$scratch/svg"; }
if [ "$(y_of prog)" -le "$(y_of main)" ] || [ "$(y_of main)" -le "$(y_of 'do_fault_\[k\]')" ]; then
  echo 'a caller is not below what it calls'
  failures=$((failures + 1))
fi
if "$flamegraph" </dev/null >"$scratch/svg"; then
  echo 'no samples, and yet a graph'
  failures=$((failures + 1))
fi
[ "$failures" -eq 0 ] || exit 1
echo 'flame graph: all as expected'
