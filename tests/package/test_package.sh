#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# danpool as others get it: installs this build into a prefix of its own, then looks at what lies
# there and builds somebody else's programs against it.
#
# usage: tests/package/test_package.sh PART BUILD_DIRECTORY
#   install       cmake --install; everything is in its place (the other parts need this one)
#   exports       the shared library exports the public headers' functions, the archive no other
#   find          find_package: shared, static and C++
#   cxx           every function of every header, called by its C name from C++
#   pkgconfig     a plain compiler with pkg-config: shared and static
#   subdirectory  add_subdirectory of the sources
#   dlopen        opened late and closed early, by Python's ctypes
#   pages         manual pages, example configuration and systemd unit
# Status 77 (ctest shows "Skipped") when the tool that a part needs is not installed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
part=$1
build=$(cd "$2" && pwd)
prefix=$build/package/prefix
scratch=$build/package/$part
export LC_ALL=C.UTF-8
# A second look at the same compiler flags would only hide ours.
unset CFLAGS CXXFLAGS LDFLAGS

fail() {
  printf 'test_package: %s: %s\n' "$part" "$*"
  exit 1
}

need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || {
      printf 'skipped: %s is not installed\n' "$tool"
      exit 77
    }
  done
}

# quiet COMMAND...: says what it printed only when it failed.
quiet() {
  "$@" >"$scratch/log" 2>&1 || {
    cat "$scratch/log"
    fail "failed: $*"
  }
}

# runs PROGRAM...: with the installed library to be found.
runs() {
  local said
  said=$(LD_LIBRARY_PATH=$libdir "$@" 2>&1) || fail "$1 says: $said"
  [[ $said == good* ]] || fail "$1 says: $said"
  printf '%s: %s\n' "$(basename "$1")" "$said"
}

# lib, lib64 or lib/x86_64-linux-gnu, as CMake has it for the prefix it was configured with.
find_libdir() {
  libdir=$(dirname "$(find "$prefix" -name libdanpool.a)")
  [ -n "${libdir#.}" ] || fail "no libdanpool.a"
}

# The functions that the public headers declare.
declared() {
  cat "$prefix"/include/danpool/*.h | grep -v '^#' | tr '\n' ' ' |
    grep -oP '(?<![\w])DP_API [^;(]*?\bdp_\w+(?= ?\()' | grep -oP '\w+$' | sort
}

part_install() {
  local header name
  rm -rf "$prefix"
  quiet cmake --install "$build" --prefix "$prefix"
  for header in "$root"/include/danpool/*.h; do
    cmp -s "$header" "$prefix/include/danpool/$(basename "$header")" || fail "no $header"
  done
  find_libdir
  for name in libdanpool.so libdanpool.so.0 pkgconfig/danpool.pc \
    cmake/danpool/danpoolConfig.cmake cmake/danpool/danpoolConfigVersion.cmake; do
    [ -s "$libdir/$name" ] || fail "no $name"
  done
  [ -s "$prefix/share/man/man3/danpool.3" ] || fail "no danpool(3)"
  for name in server/danpoold:sbin/danpoold ctl/danpoolctl:bin/danpoolctl; do
    [ ! -x "$build/src/${name%:*}" ] || "$prefix/${name#*:}" --version >/dev/null ||
      fail "${name#*:} does not run"
  done
  [ ! -x "$build/src/decoder/danpool-decoder" ] ||
    [ -x "$prefix/libexec/danpool/danpool-decoder" ] || fail "no danpool-decoder"
  printf 'installed %d files\n' "$(find "$prefix" ! -type d | wc -l)"
}

part_exports() {
  need nm readelf grep
  local library=$libdir/libdanpool.so
  declared >"$scratch/declared"
  [ "$(wc -l <"$scratch/declared")" -ge 30 ] || fail "blind: few functions seen in the headers"
  nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' >"$scratch/versioned"
  ! grep -v '@@DANPOOL_0$' "$scratch/versioned" || fail "exports without their version"
  sed 's/@@.*//' "$scratch/versioned" | sort >"$scratch/exported"
  diff "$scratch/declared" "$scratch/exported" ||
    fail "exports (>) differ from what the headers declare (<)"
  nm -g --defined-only "$libdir/libdanpool.a" | awk 'NF == 3 { print $3 }' | sort \
    >"$scratch/archived"
  diff "$scratch/declared" "$scratch/archived" ||
    fail "the archive's globals (>) differ from what the headers declare (<)"
  readelf -dW "$library" | grep -q 'SONAME.*\[libdanpool\.so\.0\]' || fail "another soname"
  # dlopen() finds room for little thread-local storage of the initial-exec kind.
  local tls
  tls=$(readelf -lW "$library" | awk '$1 == "TLS" { print $6 }')
  ((${tls:-0} <= 256)) || fail "$((tls)) bytes of static thread-local storage"
  printf '%d functions, %d bytes of thread-local storage\n' "$(wc -l <"$scratch/exported")" \
    "$((${tls:-0}))"
}

part_find() {
  need cmake c++
  quiet cmake -S "$here/find" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$prefix"
  quiet cmake --build "$scratch/build"
  readelf -dW "$scratch/build/by_shared" | grep -q 'libdanpool\.so\.0' || fail "not linked shared"
  ! readelf -dW "$scratch/build/by_static" | grep -q libdanpool || fail "not linked statically"
  for name in by_shared by_static by_cxx; do
    runs "$scratch/build/$name"
  done
}

part_cxx() {
  need c++
  {
    (cd "$prefix/include" && printf '#include <%s>\n' danpool/*.h)
    # A volatile table: the linker has to find every name.
    printf '#include <cstdio>\ntypedef void (*function)();\nfunction volatile all[] = {\n'
    declared | sed 's/.*/    reinterpret_cast<function>(\&&),/'
    printf '};\nint main()\n{\n    std::printf("good %%zu\\n", sizeof all / sizeof *all);\n}\n'
  } >"$scratch/all.cpp"
  quiet c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -I"$prefix/include" \
    "$scratch/all.cpp" -L"$libdir" -ldanpool -o "$scratch/all"
  runs "$scratch/all"
}

part_pkgconfig() {
  need pkg-config cc
  export PKG_CONFIG_PATH=$libdir/pkgconfig
  local -a flags
  [ "$(pkg-config --modversion danpool)" = "$version" ] || fail "another version"
  read -ra flags < <(pkg-config --cflags --libs danpool)
  quiet cc -std=c11 -Wall -Wextra -Werror "$here/consumer.c" "${flags[@]}" -o "$scratch/by_pc"
  runs "$scratch/by_pc"
  read -ra flags < <(pkg-config --cflags --static --libs danpool)
  # Only ours is taken from its archive; -ldanpool would prefer the shared one.
  flags=("${flags[@]/#-ldanpool/-l:libdanpool.a}")
  quiet cc -std=c11 -DCONSUMER_OWN_NAMES "$here/consumer.c" "${flags[@]}" \
    -o "$scratch/by_pc_static"
  ! readelf -dW "$scratch/by_pc_static" | grep -q 'libdanpool' || fail "not linked statically"
  runs "$scratch/by_pc_static"
}

part_subdirectory() {
  need cmake
  quiet cmake -S "$here/subdirectory" -B "$scratch/build" -DDANPOOL_SOURCE_DIR="$root"
  quiet cmake --build "$scratch/build" --parallel "$(nproc)"
  runs "$scratch/build/by_source"
  runs "$scratch/build/by_source_shared"
  # A project that contains danpool installs itself, not danpool.
  quiet cmake --install "$scratch/build" --prefix "$scratch/none"
  [ ! -e "$scratch/none" ] || fail "danpool was installed with its host"
}

part_dlopen() {
  need python3
  runs python3 "$here/dlopen.py" "$libdir/libdanpool.so.0"
}

part_pages() {
  local name man=$prefix/share/man/man3
  while read -r name; do
    [ ! -e "$man/dp_pool.3" ] || [ -s "$man/$name.3" ] || fail "no page $name(3)"
  done < <(declared)
  if [ -x "$prefix/sbin/danpoold" ]; then
    quiet "$prefix/sbin/danpoold" -c "$prefix/share/doc/danpool/examples/danpoold.conf" \
      --set "pool.pmem_path=$scratch/pool.pmem" --check-config
    grep -q "^ExecStart=$prefix/sbin/danpoold " "$prefix/lib/systemd/system/danpoold.service" ||
      fail "the unit starts another danpoold"
  fi
  need mandoc
  find "$prefix/share/man" -type f -print0 >"$scratch/pages"
  quiet xargs -0 mandoc -T lint -W warning <"$scratch/pages"
  [ -x "$prefix/sbin/danpoold" ] || return 0
  need systemd-analyze
  quiet systemd-analyze verify --man=no "$prefix/lib/systemd/system/danpoold.service"
  [ ! -s "$scratch/log" ] || { cat "$scratch/log" && fail "the unit has faults"; }
}

rm -rf "$scratch"
mkdir -p "$scratch"
if [ "$part" != install ]; then
  [ -d "$prefix" ] || fail "nothing is installed: the part install runs first"
  find_libdir
  version=$(sed -n 's/^Version: //p' "$libdir/pkgconfig/danpool.pc")
fi
"part_$part"
