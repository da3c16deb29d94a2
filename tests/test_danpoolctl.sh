#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# danpoolctl as a person meets it: what it prints, what it refuses, and with which exit status.
#
# usage: tests/test_danpoolctl.sh DANPOOLCTL TRACE_MAKE
set -euo pipefail
ctl=$1
trace_make=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# expect STATUS PATTERN ARGUMENT...: runs it and looks for the pattern in what it said.
expect() {
  local want=$1 pattern=$2 status=0
  shift 2
  "$ctl" "$@" >"$scratch/said" 2>&1 || status=$?
  if [ "$status" -ne "$want" ] || ! grep -qE -- "$pattern" "$scratch/said"; then
    printf 'danpoolctl %s: status %d (expected %d), expected /%s/ in:\n' \
      "$*" "$status" "$want" "$pattern"
    cat "$scratch/said"
    failures=$((failures + 1))
  fi
}

svg="<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 20'>"
printf "%s<circle cx='9' cy='9' r='8'/></svg>" "$svg" >"$scratch/a.svg"
printf "%s<image href='/etc/passwd'/></svg>" "$svg" >"$scratch/local.svg"
printf 'not a picture' >"$scratch/text"
: >"$scratch/empty"
box=(--width 100 --height 100)

expect 0 'usage: danpoolctl COMMAND' --help
expect 0 '^danpoolctl [0-9.]+' --version
expect 0 '^  librsvg +(yes|absent) ' --version
expect 2 'usage'
expect 2 'there is no command "dance"' dance
expect 0 '^host +ok ' tiers
for tier in huge pinned hbm managed pmem shm; do
  expect 0 "^$tier +(ok|unsupported) " tiers
done
expect 0 '^shm +ok +yes +no +no +yes ' tiers
expect 2 'takes no argument' tiers all
expect 0 '^isolation +process' decoders
expect 1 'was not found' decoders /nowhere/danpool-decoder
expect 1 'it does not start' decoders /bin/true
expect 0 'tiers tried: .*host' route --kind text --size 100
expect 0 'surface of 4096 bytes, batch 8: rule [0-9]+ of [0-9]+' \
  route --kind svg --size 4096 --batch 8
expect 0 '^  shipped: . kind = "surface"; batch_min = 8; tiers = \["hbm", "pinned", "host"\]; .$' \
  route --kind svg --size 4096 --batch 8
expect 0 '^  host     tried (first|next)$' route --kind svg --size 4096 --batch 8
expect 0 ', priority high, tenant 7: rule' \
  route --kind text --size 9 --priority high --tenant 7
expect 1 '^  host     passed over: kernels cannot see it$' \
  route --kind other --size 9 --need device
expect 2 'is none of low, normal, high' route --kind text --size 1 --priority top
expect 2 'is none of' route --kind dance --size 1
expect 2 'not a number' route --kind text --size 10x
expect 2 'not a number' route --kind text --size -1
expect 2 'needs --kind and --size' route --kind text

cat >"$scratch/routes.conf" <<'EOF'
pool = {
  routes = (
    { kind = "text"; size_max = 100; tiers = ["host"]; },
    { kind = "surface"; tenant = 5; tiers = ["hbm", "shm"]; }
  );
};
EOF
printf 'pool = {\n routes = ( { tiers = ["vram"]; } ); };\n' >"$scratch/wrong.conf"
if ! "$ctl" route --kind text --size 1 -c /dev/null 2>&1 | grep -q 'this build cannot read'; then
  expect 0 'rule 1 of [0-9]+, tiers tried: host$' \
    route --kind text --size 100 -c "$scratch/routes.conf"
  expect 0 '^  .*/routes.conf:3: . kind = "text"; size_max = 100; tiers = \["host"\]; .$' \
    route --kind text --size 100 -c "$scratch/routes.conf"
  expect 0 'rule [3-9] of [0-9]+, tiers tried: .*host$' \
    route --kind text --size 101 -c "$scratch/routes.conf"
  expect 0 'routes.conf:4: ' \
    route --kind svg --size 9 --tenant 5 --config "$scratch/routes.conf"
  expect 1 'wrong.conf:2: pool.routes: there is no tier "vram"' \
    route --kind svg --size 9 -c "$scratch/wrong.conf"
  expect 1 'none: No such file' route --kind svg --size 9 -c "$scratch/none"
fi

expect 2 'two file names' render "$scratch/a.svg" "${box[@]}"
expect 2 'needs files, --width and --height' render "$scratch/a.svg" "$scratch/o" --width 9
expect 2 'needs files, --sizes' thumb "$scratch/a.svg" -o "$scratch/o/"
for sizes in 160 160x 0x9 9x4097 '9x9,' ',9x9' 9x9x9 -9x9 1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1; do
  expect 2 '(is no list like|more than 7)' thumb "$scratch/a.svg" -o "$scratch/o/" "--sizes=$sizes"
done
expect 2 'none of contain, cover, exact' thumb "$scratch/a.svg" -o x --sizes 9x9 --fit fill
expect 2 'not a number from 1 to 64' thumb "$scratch/a.svg" -o x --sizes 9x9 --jobs 0
expect 2 'several pictures need a directory' thumb "$scratch/a.svg" -o "$scratch/x" --sizes 9x9,8x8
expect 2 'several pictures need a directory' render a b c -o "$scratch/x" "${box[@]}"
expect 1 'would both become' render "$scratch/a.svg" "$scratch/b/a.png" -o "$scratch/" "${box[@]}"
expect 2 'not a number from 1 to 4096' render a b --width 5000 --height 1
expect 2 'none of auto, cpu, cuda' render a b "${box[@]}" --backend gpu
expect 2 'none of webp, jpeg, png' render a b "${box[@]}" --format gif
expect 1 'No such file' render "$scratch/none" "$scratch/out" "${box[@]}"
expect 1 'is empty' render "$scratch/empty" "$scratch/out" "${box[@]}"
expect 1 'not a regular file' render "$scratch" "$scratch/out" "${box[@]}"
expect 1 'not in the format' render "$scratch/text" "$scratch/out" "${box[@]}" --format png

expect 2 'needs one file name' reuse
expect 2 'usage' reuse --dance x
expect 1 'cannot be read' reuse "$scratch/none"
expect 1 'not in the format' reuse "$scratch/text"
expect 1 'not in the format' trace "$scratch/empty"
"$trace_make" "$scratch/recording"
# gets, reused, fresh, held, held bytes, mean size, site: one row a site, and the sum.
expect 0 '^ +300 +99\.67% +1 +0 +0 +100  trace_make\+0x[0-9a-f]+$' reuse --raw \
  "$scratch/recording"
expect 0 '^ +40 +0\.00% +40 +7 +35000 +5000  trace_make\+0x' reuse --raw "$scratch/recording"
expect 0 '^ +340 +87\.94% +41 +7 +35000 +676  all$' reuse "$scratch/recording"
if command -v addr2line >/dev/null; then
  expect 0 '^ +300 .*  take_text at .*/trace_make\.c:[0-9]+' reuse "$scratch/recording"
  expect 0 '^ +40 .*  take_sticker at .*/trace_make\.c:[0-9]+' reuse "$scratch/recording"
fi
head -c -40 "$scratch/recording" >"$scratch/short"
expect 1 'not in the format' reuse "$scratch/short"
expect 0 '"traceEvents":' trace "$scratch/recording"
expect 0 '"name":"get","cat":"host","ph":"X"' trace "$scratch/recording"

if "$ctl" --version | grep -qE '^  expat +yes' && "$ctl" --version | grep -qE '^  spng +yes'; then
  expect 0 'engine +cpu$' render "$scratch/a.svg" "$scratch/out.png" "${box[@]}" \
    --format png
  expect 0 'result +png, 100 x 50 pixels' render "$scratch/a.svg" "$scratch/out.png" "${box[@]}" \
    --format png --backend cpu
  head -c 8 "$scratch/out.png" | grep -q PNG || {
    echo 'the output is no PNG'
    failures=$((failures + 1))
  }
  expect 1 'svg refers to a local file \(format\)' render "$scratch/local.svg" "$scratch/none.png" \
    "${box[@]}" --format png
  # Many files: each on a line, in order; what fails fails alone and shows in the exit status.
  for i in 1 2 3 4 5 6 7 8 9; do
    cp "$scratch/a.svg" "$scratch/n$i.svg"
  done
  expect 1 '^9 files, 1 failed, ' render "$scratch"/n[1-8].svg "$scratch/text" \
    -o "$scratch/many/" "${box[@]}" --format png
  expect 0 '^9 files, 0 failed, .* backend cpu$' thumb "$scratch"/n?.svg -o "$scratch/many" \
    --sizes 40x20,64x64 --fit cover --format png --jobs 3 --backend cpu \
    --sheet "$scratch/sheet.png" --labels
  expect 0 'n3.svg: [^,]+, host, [0-9.]+ ms, svg 40 x 20 -> png 40 x 20, png 64 x 64$' \
    thumb "$scratch"/n?.svg -o "$scratch/many" --sizes 40x20,64x64 --fit cover --format png
  for file in n1.png n8.png n9-40x20.png n1-64x64.png; do
    [ -s "$scratch/many/$file" ] || {
      echo "many/$file is not there"
      failures=$((failures + 1))
    }
  done
  if [ -e "$scratch/many/text.png" ] || ls "$scratch"/many/*.part 2>/dev/null; then
    echo 'a failed file left something behind'
    failures=$((failures + 1))
  fi
  expect 0 'result +png, 416 x 464 pixels' render "$scratch/sheet.png" "$scratch/again.png" \
    --width 4096 --height 4096 --format png
  # One JSON object a line, also for a name that needs escapes.
  mv "$scratch/n9.svg" "$scratch/n9\"\\.svg"
  if "$ctl" thumb "$scratch"/n*.svg "$scratch/text" -o "$scratch/many" --sizes 9x9 --format png \
    --json >"$scratch/lines" 2>"$scratch/words"; then
    echo 'a failure did not show in the exit status of --json'
    failures=$((failures + 1))
  fi
  if command -v python3 >/dev/null; then
    python3 - "$scratch/lines" <<'EOF' || failures=$((failures + 1))
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert len(lines) == 10, len(lines)
assert [line["ok"] for line in lines] == [True] * 9 + [False]
assert lines[8]["file"].endswith('n9"\\.svg'), lines[8]
assert lines[0]["engine"] and lines[0]["pictures"][0]["width"] == 9
assert lines[9]["status"] == "format"
EOF
  fi
  if grep -q 'files,' "$scratch/words"; then
    echo 'progress was shown where there is no terminal'
    failures=$((failures + 1))
  fi
  expect 1 'none/out.part: No such file' render "$scratch/a.svg" "$scratch/none/out" "${box[@]}" \
    --format png
  [ ! -e "$scratch/none.png" ] || {
    echo 'a failed job left a file behind'
    failures=$((failures + 1))
  }
fi
[ "$failures" -eq 0 ] || {
  printf '%d failures\n' "$failures"
  exit 1
}
echo 'danpoolctl: all as expected'
