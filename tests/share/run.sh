#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the driver with one consumer; status 77 ("skipped") when its language is not on this machine.
#   run.sh DRIVER python|node
here=$(dirname "$(readlink -f "$0")")
skip() { echo "skipped: $*"; exit 77; }
case $2 in
python)
  command -v python3 >/dev/null || skip "python3 was not found"
  python3 -c 'import socket; socket.recv_fds' 2>/dev/null || skip "python3 is older than 3.9"
  exec "$1" python3 "$here/consumer.py"
  ;;
node)
  command -v node >/dev/null || skip "node was not found"
  [ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 18')" = true ] ||
    skip "node $(node --version) is older than 18"
  [ -d "$here/../../clients/node/node_modules/koffi" ] ||
    skip "koffi is absent: npm ci --ignore-scripts in clients/node"
  exec "$1" node "$here/consumer.mjs"
  ;;
esac
echo "run.sh knows python and node, not '$2'" >&2
exit 2
