# SPDX-License-Identifier: Apache-2.0
#
# One public header to one mdoc page; man3.sh calls it with the variables date, page and links (the
# file that gets "function page" lines).  It knows the form that our headers have: the licence, the
# paragraph, then stanzas between blank lines, each a comment (or none) and the declarations it is
# about.  A line of a comment that is indented, or starts with a number, stays a line of its own.

# The text of a comment line.
function stripped(line) {
  sub(/^[ ]*\/?\*+\/?[ ]?/, "", line)
  sub(/[ ]*\*\/[ ]*$/, "", line)
  return line
}

# What roff would take as a request or an escape is text.
function safe(line) {
  gsub(/\\/, "\\e", line)
  if (line ~ /^[.']/)
    line = "\\\\\\&" line
  return line
}

function say(line) { body = body line "\n" }

# Prints the lines of a comment as paragraphs.
function paragraphs(text,    count, i, lines, line, broken) {
  count = split(text, lines, "\n")
  broken = 1
  for (i = 1; i <= count; i++) {
    line = lines[i]
    if (line ~ /^[ ]*$/) {
      broken = 1
      continue
    }
    if (broken || line ~ /^[ ]*[0-9]+\. / || line ~ /^  +[^ ]/)
      say(body ~ /(\n|^)\.Ss [^\n]*\n$/ ? "" : ".Pp")
    broken = 0
    sub(/^[ ]+/, "", line)
    # mdoc wants each sentence on a line of its own.
    while (match(line, /[^.0-9][.)][ ]+[A-Z]/)) {
      say(safe(substr(line, 1, RSTART + 1)))
      line = substr(line, RSTART + RLENGTH - 1)
    }
    say(safe(line))
  }
}

# The names of the functions that these declarations declare, with links to the page.
function functions(code,    names, rest) {
  rest = code
  gsub(/\n[ \t]*/, " ", rest)
  while (match(rest, /DP_API [^;(]*\(/)) {
    name = substr(rest, RSTART, RLENGTH - 1)
    sub(/.*[ *]/, "", name)
    all = all (all == "" ? "" : " ,\n.Nm ") name
    names = names (names == "" ? "" : " , ") name
    if (name != page)
      print name, page >>links
    rest = substr(rest, RSTART + RLENGTH)
  }
  return names
}

# A stanza is over: its functions or first type as a heading, its declarations, its explanation.
function flush_stanza(    names) {
  if (code != "") {
    names = functions(code)
    if (names == "" && match(code, /(struct|enum) dp_[a-z_]+/))
      names = substr(code, RSTART, RLENGTH)
    else if (names == "" && match(code, /DP_[A-Z_]+/))
      names = substr(code, RSTART, RLENGTH)
    if (names != "")
      say(".Ss " names)
    say(".Bd -literal")
    gsub(/DP_API /, "", code)
    sub(/\n+$/, "", code)
    say(code)
    say(".Ed")
  }
  if (comment != "")
    paragraphs(comment)
  comment = ""
  code = ""
}

# The paragraph's first sentence, for the NAME section.
function first_sentence(text,    end) {
  gsub(/\n/, " ", text)
  end = match(text, /\.( |$)/)
  if (end)
    text = substr(text, 1, end - 1)
  return tolower(substr(text, 1, 1)) substr(text, 2)
}

NR == 1 { next }                       # the licence
!paragraph_done {
  if (/^ \*\//)
    paragraph_done = 1
  else if (!/^\/\*$/)
    paragraph = paragraph stripped($0) "\n"
  next
}
/^#if(n?def| defined\(__cplusplus)/ || /^#(include|endif|else)/ || /^#define DANPOOL_/ { next }
/^(extern "C" \{|\}|#define DP_API.*)$/ { next }

in_comment {
  comment = comment stripped($0) "\n"
  if (/\*\//)
    in_comment = 0
  next
}
/^\/\*/ {
  if (code != "")
    flush_stanza()
  comment = comment stripped($0) "\n"
  in_comment = !/\*\//
  next
}
/^$/ {
  flush_stanza()
  next
}
# Lists that the preprocessor unfolds: their rows are the news, not how they are unfolded.
/^#(define DP_[A-Z]+_ENUM|undef)/ { next }
{
  line = $0
  sub(/[ ]*\\$/, "", line)
  code = code safe(line) "\n"
}

END {
  flush_stanza()
  name = page
  sub(/^dp_/, "", name)
  print ".\\\" Made of include/danpool/" name ".h by man3.sh."
  print ".Dd " date
  print ".Dt " toupper(page) " 3"
  print ".Os"
  print ".Sh NAME"
  print ".Nm " (all == "" ? page : all)
  print ".Nd " first_sentence(paragraph)
  print ".Sh LIBRARY"
  print "danpool (libdanpool, \\-ldanpool)"
  print ".Sh SYNOPSIS"
  print ".In danpool/" name ".h"
  print ".Sh DESCRIPTION"
  text = body
  body = ""
  paragraphs(paragraph)
  sub(/^\.Pp\n/, "", body)
  printf "%s", body text
  print ".Sh SEE ALSO"
  print ".Xr danpool 3"
}
