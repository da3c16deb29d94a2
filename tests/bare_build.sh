#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds danpool as if no library were installed, and then README's C example against it.
#
# What is optional must be reported absent and left out, not fail; and an example that does not
# compile and run is no example.  Works in a scratch directory, changes nothing.
#
# usage: tests/bare_build.sh CMAKE GENERATOR
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cmake=${1:-cmake}
generator=${2:-Ninja}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  printf 'bare_build: %s\n' "$*"
  exit 1
}

# One library alone: what has no pkg-config file is looked for in another way.
"$cmake" -S "$root" -B "$scratch/one" -G "$generator" -DBUILD_TESTING=OFF \
  -DDP_UNISTRING_LIBRARY=OFF >"$scratch/one.log" 2>&1 ||
  { cat "$scratch/one.log" && fail "configure fails without libunistring"; }
grep -qE '^-- +unistring +absent' "$scratch/one.log" || fail "unistring is not said to be absent"
grep -q '^-- danpoold is left out' "$scratch/one.log" || fail "danpoold needs libunistring"

# An empty search path hides every package from pkg-config.
export PKG_CONFIG_LIBDIR=$scratch PKG_CONFIG_PATH=
"$cmake" -S "$root" -B "$scratch/build" -G "$generator" -DCMAKE_BUILD_TYPE=Debug \
  -DBUILD_TESTING=OFF -DCMAKE_DISABLE_FIND_PACKAGE_GIF=ON -DDP_NVTX=OFF \
  -DDP_USDT=OFF >"$scratch/configure.log" 2>&1 ||
  { cat "$scratch/configure.log" && fail "configure fails without libraries"; }
for feature in pmem jpeg webp webpdemux webpmux spng libdeflate gif avif lcms2 librsvg \
  libwebsockets nvtx usdt; do
  grep -qE "^-- +$feature +absent" "$scratch/configure.log" ||
    fail "the table does not say that $feature is absent"
done
"$cmake" --build "$scratch/build" >"$scratch/build.log" 2>&1 ||
  { tail -n 40 "$scratch/build.log" && fail "the build fails without libraries"; }

# The example is what stands between the C fences of "Use the library".
{
  printf '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n'
  # shellcheck disable=SC2016 # the backticks are Markdown's
  sed -n '/^## Use the library/,/^## /{/^```c$/,/^```$/p}' "$root/README.md" | sed '/^```/d' |
    awk '/^#include/ { print; next } !begun { print "int main(void)\n{"; begun = 1 }
         { sub(/\{ \/\* \.\.\. \*\/ \}/, "{ return 1; }"); print } END { print "return 0;\n}" }'
} >"$scratch/example.c"
"${CC:-cc}" -std=c11 -Wall -Wextra -Werror -I"$root/include" "$scratch/example.c" \
  "$scratch/build/src/pool/libdanpool.a" -pthread -ldl -o "$scratch/example" ||
  fail "README's example does not compile"
said=$("$scratch/example") || fail "README's example fails"
case $said in
host | pinned) printf 'bare_build: good, the example got "%s"\n' "$said" ;;
*) fail "README's example said '$said'" ;;
esac
