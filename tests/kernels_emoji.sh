#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares the CUDA drivers with the CPU's on emoji sets; status 77 ("skipped") when there are none.
#   kernels_emoji.sh PROGRAM SCENE_PACK FOLDER
# FOLDER holds *.scenes, which are made by SCENE_PACK from the npm packages of tests/svg where those
# are, or were brought here from a machine that has them.
program=$1 scene_pack=$2 folder=$3
svg=$(dirname "$0")/svg
skip() { echo "skipped: $*"; exit 77; }

packs() { find "$folder" -name '*.scenes' 2>/dev/null | sort; }

make_packs() {
  command -v node >/dev/null || skip "no scene packs in $folder, and node was not found"
  [ -d "$svg/node_modules/@twemoji" ] ||
    skip "no scene packs in $folder, and no emoji: npm ci --ignore-scripts in tests/svg"
  [ -x "$scene_pack" ] || skip "no scene packs in $folder, and no front end to make them"
  mkdir -p "$folder"
  files=$(mktemp -d) || exit 1
  trap 'rm -rf "$files"' EXIT
  node "$svg/export.js" "$files" 300 || exit 1
  for set in "$files"/*; do
    "$scene_pack" "$folder/$(basename "$set").new" "$set"/*.svg || exit 1
    mv "$folder/$(basename "$set").new" "$folder/$(basename "$set").scenes"
  done
}

[ -n "$(packs)" ] || make_packs
DANPOOL_SCENES=$(packs | tr '\n' ':') "$program"
