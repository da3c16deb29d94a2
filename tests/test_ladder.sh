#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The ladder of src/pool: a file includes only files of its own rung or a lower one.
#
# usage: tests/test_ladder.sh [DIRECTORY]
# The table below is the ladder.  A file that is not in it is an error too, so that a new file is
# given a rung on purpose; so is a name in the table that no file has.
set -euo pipefail
self_dir=$(dirname "$(readlink -f "$0")")
dir=${1:-$self_dir/../src/pool}

rungs=(
  "list os memfd share_os cuda_driver pmem_file pmem_entry pmem_dir pmem_index \
histogram trace probe"
  "status tier tier_host tier_huge tier_pinned tier_hbm tier_managed tier_pmem tier_shm \
tier_fault tier_limit tier_trace pmem_state pmem_load pmem_commit pmem_store \
nvtx_mark observe share_format"
  "size_class slab slab_state slab_region slab_check slab_walk share_space trace_file trace_chrome"
  "magazine magazine_state magazine_depot magazine_check router evict stats lease health fallback \
 tenant"
  "pool_internal pool_state pool_health buf movable slice device stream_release \
 cache_internal cache_table cache_room cache_insert cache_ladder cache \
 pool_observe share_internal share_slot share_view share \
 lifecycle prewarm object object_cache reset_check"
  "pool"
)

declare -A rung_of seen
for rung in "${!rungs[@]}"; do
  for name in ${rungs[rung]}; do
    rung_of[$name]=$rung
  done
done

failures=0
complain() {
  printf '%s\n' "$*"
  failures=$((failures + 1))
}

shopt -s nullglob
for file in "$dir"/*.c "$dir"/*.h; do
  base=$(basename "$file")
  name=${base%.*}
  seen[$name]=1
  if [ -z "${rung_of[$name]:-}" ]; then
    complain "$base: has no rung; give it one in tests/test_ladder.sh"
    continue
  fi
  while IFS=: read -r line included; do
    target=$(basename "$included" .h)
    if [ -z "${rung_of[$target]:-}" ]; then
      complain "$base:$line: includes $included, which has no rung"
    elif [ "${rung_of[$target]}" -gt "${rung_of[$name]}" ]; then
      complain "$base:$line: rung ${rung_of[$name]} includes $included of rung ${rung_of[$target]}"
    fi
  done < <(sed -nE '/^[[:space:]]*#[[:space:]]*include[[:space:]]*"pool\//{=;p}' "$file" |
    sed -E 'N;s|\n.*"(pool/[^"]+)".*|:\1|')
done

for name in "${!rung_of[@]}"; do
  [ -n "${seen[$name]:-}" ] || complain "$name: is in the table, but no such file is in $dir"
done

if [ "$failures" -gt 0 ]; then
  printf '%d rung(s) broken\n' "$failures"
  exit 1
fi
printf '%d names on %d rungs\n' "${#seen[@]}" "${#rungs[@]}"
