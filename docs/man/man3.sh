#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the section 3 pages of the library out of the comments of its public headers, so that a page
# says what the header says: dp_NAME.3 for each header, and for each of its functions a page of that
# name that leads there; and danpool.3 with the list of them.  The directory is emptied first.
#
# usage: docs/man/man3.sh DIRECTORY HEADER...
set -eu
here=$(dirname "$0")
out=$1
shift
rm -rf "$out"
mkdir -p "$out"
# mdoc wants a date; that of the hand-written page keeps the build the same from day to day.
date=$(sed -n 's/^\.Dd //p' "$here/danpool.3")
for header in "$@"; do
  name=dp_$(basename "$header" .h)
  awk -v date="$date" -v page="$name" -v links="$out/links" -f "$here/man3.awk" "$header" \
    >"$out/$name.3"
done
while read -r function page; do
  [ -e "$out/$function.3" ] || ln -s "$page.3" "$out/$function.3"
done <"$out/links"
rm "$out/links"
{
  sed '/^\.\\" PAGES$/,$d' "$here/danpool.3"
  printf '.Bl -tag -width "dp_status(3)" -compact\n'
  for header in "$@"; do
    name=dp_$(basename "$header" .h)
    printf '.It Xr %s 3\n' "$name"
    sed -n 's/^\.Nd //p' "$out/$name.3"
  done
  printf '.El\n'
  sed '1,/^\.\\" PAGES$/d' "$here/danpool.3"
} >"$out/danpool.3"
