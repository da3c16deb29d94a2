#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Draws a flame graph (Brendan Gregg's) from what `perf script` prints, as one SVG without script:
# a frame's width is its share of the samples, callers stand below, hovering tells name and share.
#
#     perf record --call-graph fp -o perf.data PROGRAM
#     perf script -i perf.data | bench/flamegraph.sh "title" >flame.svg
#
# Needs nothing but awk and sort.  Status 1 when there is no sample in the input.
set -euo pipefail
title=${1:-flame graph}

# One line a stack, the caller first: "program;main;work".  Addresses and offsets are dropped.
fold() {
  awk '
    function flush_stack(   path, i) {
      if (depth == 0) return
      path = program
      for (i = depth; i > 0; i--) path = path ";" frames[i]
      print path
      depth = 0
    }
    /^[^ \t]/ {
      flush_stack()
      program = $0
      sub(/[ \t]+-?[0-9]+(\/[0-9]+)?[ \t].*/, "", program)
      gsub(/[;\t]/, " ", program)
      next
    }
    NF >= 2 {
      name = $0
      sub(/^[ \t]*[0-9a-f]+[ \t]+/, "", name)
      kernel = name ~ /\(\[/ ? "_[k]" : ""
      sub(/[ \t]+\([^()]*\)$/, "", name)
      sub(/\+0x[0-9a-f]+$/, "", name)
      gsub(/;/, ":", name)
      frames[++depth] = (name == "" ? "[unknown]" : name) kernel
      next
    }
    { flush_stack() }
    END { flush_stack() }'
}

# "path count" of every frame of the tree; a caller stands before what it calls.
count() {
  awk '
    {
      n = split($0, frame, ";")
      path = ""
      for (i = 1; i <= n; i++) {
        path = i == 1 ? frame[1] : path ";" frame[i]
        samples[path]++
      }
    }
    END { for (path in samples) printf "%s\t%d\n", path, samples[path] }' | LC_ALL=C sort
}

draw() {
  awk -F '\t' -v title="$title" '
    function escape(text) {
      gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text)
      gsub(/"/, "\\&quot;", text)
      return text
    }
    # Warm for our own code, cool for the kernel; the shade follows the name.
    function color(name,   i, hash) {
      hash = 0
      for (i = 1; i <= length(name); i++)
        hash = (hash * 31 + index(letters, substr(name, i, 1))) % 97
      if (name ~ /_\[k\]$/) return sprintf("rgb(%d,%d,%d)", 110 + hash % 50, 150 + hash % 40, 215)
      return sprintf("rgb(%d,%d,%d)", 215 + hash % 40, 90 + hash, 40 + hash % 30)
    }
    BEGIN {
      letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
      width = 1200; row = 17; narrowest = 0.2
    }
    {
      paths[++n] = $1; samples[$1] = $2
      depth[$1] = split($1, unused, ";")
      if (depth[$1] == 1) total += $2
    }
    END {
      if (total == 0) exit 1
      # What is too narrow to be drawn does not make the picture higher either.
      for (path in samples)
        if (samples[path] * width / total >= narrowest && depth[path] > deepest)
          deepest = depth[path]
      height = (deepest + 2) * row + 10
      printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" ", width, height
      printf "viewBox=\"0 0 %d %d\" font-family=\"monospace\" font-size=\"11\">\n", width, height
      printf "<rect width=\"100%%\" height=\"100%%\" fill=\"#fbfaf6\"/>\n"
      printf "<text x=\"8\" y=\"14\">%s: %d samples</text>\n", escape(title), total
      for (i = 1; i <= n; i++) {
        path = paths[i]; parent = path; name = path
        if (depth[path] == 1) parent = ""
        else { sub(/;[^;]*$/, "", parent); sub(/^.*;/, "", name) }
        left[path] = left[parent] + taken[parent]
        taken[parent] += samples[path]
        w = samples[path] * width / total
        if (w < narrowest) continue
        x = left[path] * width / total; y = height - 5 - depth[path] * row
        text = escape(name)
        shown = int((w - 6) / 6.7)
        printf "<g><title>%s: %d samples, %.2f %%</title>", text, samples[path], \
          100 * samples[path] / total
        printf "<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"%s\" rx=\"1\"/>", \
          x, y, w, row - 1, color(name)
        if (shown >= 3)
          printf "<text x=\"%.2f\" y=\"%d\">%s</text>", x + 3, y + 12, \
            escape(substr(name, 1, shown))
        print "</g>"
      }
      print "</svg>"
    }'
}

fold | count | draw
