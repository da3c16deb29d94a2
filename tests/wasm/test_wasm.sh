#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the tests of danpool.wasm; status 77 ("skipped") when it was not built or node is not there.
#   test_wasm.sh MODULE
cd "$(dirname "$0")" || exit 1
skip() { echo "skipped: $*"; exit 77; }
[ -f "$1" ] || skip "danpool.wasm was not built: clang or wasm-ld was not found"
command -v node >/dev/null || skip "node was not found"
[ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 18')" = true ] ||
  skip "node $(node --version) is older than 18"
DANPOOL_WASM=$1 exec node --test-reporter=spec wasm.test.mjs
