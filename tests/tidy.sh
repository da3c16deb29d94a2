#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The style gate: what a machine can check of how the code looks, as ordinary tests.
#
# usage: tests/tidy.sh text|format|shell|man|headers|docs|self
# Each finding is one line "file:line: what is wrong"; status 1 when there are any, 77 (ctest shows
# "Skipped") when the tool that the check needs is not installed.  Nothing is changed.
set -euo pipefail
self=$(readlink -f "${BASH_SOURCE[0]}")
# The self-test runs the gate over a tree of known sins.
cd "${DP_TIDY_ROOT:-$(dirname "$self")/..}"
# Columns are counted in characters, not in bytes.
export LC_ALL=C.UTF-8

readonly columns_max=100
# Test names are sentences and templates hold markup: JavaScript may be wider.
readonly columns_max_js=120
readonly function_lines_max=80
readonly file_lines_max=700
readonly clang_format_version=14
skip_status=77

# The checks print to standard output, which main() collects; this goes past it.
skip() {
  printf 'skipped: %s\n' "$*" >&3
  exit "$skip_status"
}

# files PATTERN...: our own files of such names, without what builds and package managers made.
files() {
  local -a names=()
  local pattern
  for pattern in "$@"; do
    names+=(-o -name "$pattern")
  done
  find . \( -name .git -o -name build -o -name node_modules -o -name __pycache__ \) -prune -o \
    -type f \( "${names[@]:1}" \) -print | sed 's|^\./||' | sort
}

c_files() { files '*.c' '*.h' '*.cu'; }
shell_files() { files x run "*.sh"; }
code_files() {
  c_files
  shell_files
  files '*.cmake' '*.cmake.in' '*.awk' CMakeLists.txt '*.js' '*.mjs' '*.css' '*.html' '*.py'
}

# every PATTERN MESSAGE FILE...: reports each matching line.
every() {
  local pattern=$1 message=$2
  shift 2
  [ $# -gt 0 ] || return 0
  { grep -nHP -- "$pattern" "$@" || true; } | sed -E "s/^([^:]+:[0-9]+):.*/\1: $message/"
}

check_lines() {
  local -a all code scripts
  mapfile -t code < <(c_files && shell_files && files '*.py')
  mapfile -t scripts < <(files '*.js' '*.mjs')
  mapfile -t all < <(code_files &&
    files '*.md' '*.json' '*.service.in' '*.conf' '*.[1-8]' '*.awk' '*.svg')
  every "^.{$((columns_max + 1)),}" "longer than $columns_max columns" "${code[@]}"
  # A case is one document on one line; breaking it would change it.
  local -a narrow
  mapfile -t narrow < <(printf '%s\n' "${scripts[@]}" | grep -vE '(^|/)tests/svg/cases_')
  every "^.{$((columns_max_js + 1)),}" "longer than $columns_max_js columns" "${narrow[@]}"
  every '\t' 'a tab' "${all[@]}"
  every '[ \t]+$' 'space at the end of the line' "${code[@]}" "${scripts[@]}"
  every '\r' 'a carriage return' "${all[@]}"
  # The brackets keep these patterns from finding themselves.
  every '\b(TO[D]O|FI[X]ME|XX[X])\b' 'an unfinished note: finish it or open an issue' "${all[@]}"
  every '(?<![\w.])/(w[o]rk|h[o]me|r[o]ot|Us[e]rs)/' 'a path of one particular machine' "${all[@]}"
}

check_names() {
  local -a all
  mapfile -t all < <(c_files)
  every '^\s*typedef\b.*\b\w+_t(\[\w*\])?;|^\} \w+_t;' 'a typedef in _t (those are POSIX)' \
    "${all[@]}"
  every '^\s*typedef\b[^(]*\*\s*\w+;' 'a typedef that hides a pointer' "${all[@]}"
}

# First the licence (after "#!" or the document type), then a comment that explains the file.
check_heads() {
  local file
  while IFS= read -r file; do
    head -n 2 "$file" | grep -q 'SPDX-License-Identifier: Apache-2\.0' ||
      printf '%s:1: no SPDX line\n' "$file"
    case $file in
    *.c | *.h | *.cu | *.js | *.mjs | *.sh | x)
      # Half a sentence is no explanation: at least six words of comment in the lines that follow.
      [ "$(explaining_words "$file")" -ge 6 ] ||
        printf '%s:2: no paragraph that explains the file behind the SPDX line\n' "$file"
      ;;
    esac
  done < <(code_files)
}

# Words of the comment that follows the SPDX line, up to the first line that is none.
explaining_words() {
  awk '/SPDX-License-Identifier/ { on = 1; next }
       !on { next }
       /^[ \t]*$/ { next }
       !/^[ \t]*(\/\*|\*|\/\/|#)/ && !inside { exit }
       /^[ \t]*#(include|define|ifndef|pragma)/ { exit }
       { inside = !/\*\// && (inside || /\/\*/)
         gsub(/[^A-Za-z ]/, ""); words += NF }
       END { print words + 0 }' "$1"
}

check_lengths() {
  local file lines
  while IFS= read -r file; do
    lines=$(wc -l <"$file")
    [ "$lines" -le "$file_lines_max" ] ||
      printf '%s:%d: a file of %d lines, at most %d\n' "$file" "$lines" "$lines" "$file_lines_max"
  done < <(code_files)
  # clang-format puts a function's braces alone into the first column, and nobody else's.
  c_files | xargs -d '\n' awk -v max="$function_lines_max" '
    /^\{$/ { start = FNR }
    /^\}/ && start {
      if (FNR - start - 1 > max)
        printf "%s:%d: a function of %d lines, at most %d\n", FILENAME, start, FNR - start - 1, max
      start = 0
    }
    FNR == 1 { start = 0 }'
}

# A guard names its file, so that two headers can never share one.
check_guards() {
  local file guard want
  : >"$scratch/guards"
  while IFS= read -r file; do
    guard=$(grep -m 1 -E '^#ifndef ' "$file" | cut -d' ' -f2 || true)
    want=$(basename "$file" .h | tr 'a-z.-' 'A-Z__')_H
    if [ -z "$guard" ] || ! grep -qxF "#define $guard" "$file"; then
      printf '%s:1: no include guard\n' "$file"
    elif [[ $guard != "$want" && $guard != *_"$want" ]]; then
      printf '%s:1: guard %s should end in %s\n' "$file" "$guard" "$want"
    else
      printf '%s %s\n' "$guard" "$file" >>"$scratch/guards"
    fi
  done < <(files '*.h')
  sort "$scratch/guards" |
    awk '$1 == last { print $2 ":1: guard " $1 " is used twice" } { last = $1 }'
}

check_text() {
  check_lines
  check_names
  check_heads
  check_lengths
  check_guards
}

check_format() {
  local tool=''
  for tool in clang-format-$clang_format_version clang-format ''; do
    [ -n "$tool" ] || skip "clang-format $clang_format_version is not installed (./x setup format)"
    command -v "$tool" >/dev/null || continue
    # Another version would see other faults.
    "$tool" --version | grep -q "version $clang_format_version\." && break
  done
  c_files | xargs -d '\n' "$tool" --dry-run 2>&1 | grep -E '(warning|error):' || true
}

check_shell() {
  command -v shellcheck >/dev/null || skip "shellcheck is not installed"
  shell_files | xargs -d '\n' shellcheck -f gcc || true
}

check_man() {
  command -v mandoc >/dev/null || skip "mandoc is not installed"
  files '*.[1-8]' | xargs -r -d '\n' mandoc -T lint -W warning || true
  # Those of the library are made of its headers.
  docs/man/man3.sh "$scratch/man3" include/danpool/*.h
  find "$scratch/man3" -type f -exec mandoc -T lint -W warning {} + || true
}

# Every public header compiles alone, as C and as C++, so that its reader needs no other first.
check_headers() {
  local header name
  local -a strict=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only -Iinclude)
  command -v "${CC:-cc}" >/dev/null || skip "no C compiler"
  for header in include/danpool/*.h; do
    name=${header#include/}
    printf '#include <%s>\ntypedef int one_declaration;\n' "$name" >"$scratch/a.c"
    "${CC:-cc}" -std=c11 "${strict[@]}" "$scratch/a.c" 2>&1 ||
      printf '%s:1: does not compile alone in C\n' "$header"
    command -v "${CXX:-c++}" >/dev/null || continue
    "${CXX:-c++}" -x c++ -std=c++11 "${strict[@]}" "$scratch/a.c" 2>&1 ||
      printf '%s:1: does not compile alone in C++\n' "$header"
  done
}

# Every setting stands in its manual page with the default that the code has.
check_settings() {
  local page=docs/man/danpoold.conf.5 group key value
  while read -r group key value; do
    grep -qxF ".It Ic $group.$key Pq ${value:-\\(dq\\(dq}" "$page" ||
      printf '%s:1: no setting %s.%s with default "%s"\n' "$page" "$group" "$key" "$value"
  done < <(sed -nE 's/^ +[NS]\((\w+), (\w+), "?([^",]*)"?,.*/\1 \2 \3/p' src/server/config/config.h)
}

# Every command of ./x is explained by ./x help.
check_commands() {
  local name
  ./x help >"$scratch/help"
  sed -nE 's/^  ([a-z]+)\) cmd_.*/\1/p' x | while read -r name; do
    grep -qE "^  $name( |$)" "$scratch/help" || printf 'x:1: help does not explain %s\n' "$name"
  done
}

# The words that Markdown sets as code.
code_words() { grep -oE "\`[A-Za-z0-9_./]+\`" | tr -d "\`"; }

# The walks through the code in architecture.md ("| 1 | `call` -> `call` | `file` ... |") are true:
# each call stands in one of the files of its row or of a row before.
check_walks() {
  local row name page=docs/architecture.md
  local -a files=()
  while IFS= read -r row; do
    [[ $row != "| 1 |"* ]] || files=()
    while read -r name; do
      files+=("$name")
      [ -e "$name" ] || printf '%s:1: no file %s\n' "$page" "$name"
    done < <(cut -d'|' -f4 <<<"$row" | code_words)
    while read -r name; do
      grep -rqwF "$name" "${files[@]}" || printf '%s:1: no call %s\n' "$page" "$name"
    done < <(cut -d'|' -f3 <<<"$row" | code_words)
  done < <(grep -E '^\| [0-9]+ \|' "$page")
}

# Links between our documents lead somewhere; README names every top folder.
check_docs() {
  local file link target
  check_settings
  check_commands
  check_walks
  while IFS= read -r file; do
    { grep -oP '\]\(\K[^)#\s]+|<img[^>]+src="\K[^"]+' "$file" || true; } >"$scratch/links"
    while IFS= read -r link; do
      case $link in
      http://* | https://* | mailto:*) continue ;;
      esac
      target=$(dirname "$file")/$link
      [ -e "$target" ] || printf '%s:1: a link to %s, which is not there\n' "$file" "$link"
    done <"$scratch/links"
  done < <(files '*.md')
  local folder
  for folder in */; do
    [ "$folder" = build/ ] || grep -qF "$folder" README.md ||
      printf 'README.md:1: the folder %s is not in the layout\n' "$folder"
  done
}

# A gate that finds nothing may be blind: here is a file with each sin, and all must be seen.
check_self() {
  local tree=$scratch/tree sin
  mkdir -p "$tree"
  {
    printf '#include <a.h>\n#ifndef WRONG\n#define WRONG\n\tint tab; /* TO%s */ \r\n' DO
    printf 'typedef int sin_t;\ntypedef char *hidden;\n// %0101d\n// /ho%s/me\n' 0 me
    printf 'int tail; \nvoid f(void)\n{\n'
    printf '    f();\n%.0s' $(seq "$file_lines_max")
    printf '}\n'
  } >"$tree/sins.h"
  DP_TIDY_ROOT=$tree "$self" text >"$scratch/seen" || true
  for sin in 'longer than' 'a tab' 'space at the end' 'carriage return' 'unfinished note' \
    'particular machine' 'typedef in _t' 'hides a pointer' 'no SPDX' 'no paragraph' \
    'a file of' 'a function of' 'should end in'; do
    grep -q "$sin" "$scratch/seen" || printf 'tests/tidy.sh:1: blind to "%s"\n' "$sin"
  done
}

main() {
  local what=${1:-}
  case $what in
  text | format | shell | man | headers | docs | self) ;;
  *)
    printf 'usage: tests/tidy.sh text|format|shell|man|headers|docs|self\n' >&2
    exit 2
    ;;
  esac
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  exec 3>&1
  "check_$what" >"$scratch/found"
  if [ -s "$scratch/found" ]; then
    cat "$scratch/found"
    printf '%s: %d findings\n' "$what" "$(wc -l <"$scratch/found")"
    exit 1
  fi
  printf '%s: clean\n' "$what"
}
main "$@"
