#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares the drawings of SVG_PIXELS, a program, with a reference's; status 77 ("skipped") when
# what it needs is not on this machine.
#   run.sh SVG_PIXELS
SVG_PIXELS=$1
export SVG_PIXELS
cd "$(dirname "$0")" || exit 1
skip() { echo "skipped: $*"; exit 77; }
command -v node >/dev/null || skip "node was not found"
[ -d node_modules/@resvg ] || skip "node_modules is absent: npm ci --ignore-scripts in tests/svg"
exec node --test-reporter=spec conformance.test.js
