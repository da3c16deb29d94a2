#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs one test file; status 77 ("skipped") when what it needs is not on this machine.
#   run.sh FILE [browser]
# DANPOOLD names the daemon to test.
cd "$(dirname "$0")" || exit 1
skip() { echo "skipped: $*"; exit 77; }
command -v node >/dev/null || skip "node was not found"
[ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 18')" = true ] ||
  skip "node $(node --version) is older than 18"
[ "$1" = page_units.test.js ] || [ -d node_modules/ws ] ||
  skip "node_modules is absent: npm ci --ignore-scripts in tests/integration"
if [ "${2:-}" = browser ]; then
  [ -d node_modules/playwright-core ] || skip "playwright-core is not installed"
  command -v "${CHROMIUM:-chromium}" >/dev/null || skip "chromium was not found"
fi
exec node --test-reporter=spec "$1"
