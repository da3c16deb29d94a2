# SPDX-License-Identifier: Apache-2.0
# DpEmbed's script on a directory made for it: -DEMBED=DpEmbed.cmake -DWORK=DIR.
# What comes out is compared as text: the page itself is test_assets' business.
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

function(generate names)
  execute_process(COMMAND ${CMAKE_COMMAND} -DDIR=${WORK} -DFILES=${names} -DSYMBOL=table
    -DOUTPUT=${WORK}/table.c -P ${EMBED} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "generating ${names} failed: ${result}")
  endif()
  file(READ ${WORK}/table.c text)
  set(text "${text}" PARENT_SCOPE)
endfunction()

function(expect piece)
  string(FIND "${text}" "${piece}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "not in the generated table: ${piece}\n${text}")
  endif()
endfunction()

# No file at all: still a table, and one that C takes.
generate("")
expect("const asset table[] = {\n    {0},\n};")

# An empty file, brackets and semicolons (which CMake's lists trip over), the first page.
file(WRITE ${WORK}/empty.css "")
file(WRITE ${WORK}/odd.js "[;]\\\n")
file(WRITE ${WORK}/index.html "<p>")
generate("empty.css|index.html|odd.js")
expect("static const unsigned char file_0[] = {\n0x00,\n};")
expect("static const unsigned char file_1[] = {\n0x3c,0x70,0x3e,\n};")
expect("static const unsigned char file_2[] = {\n0x5b,0x3b,0x5d,0x5c,0x0a,\n};")
expect("{\"/empty.css\", \"text/css; charset=utf-8\", \"\\\"e3b0c44298fc1c149afbf4c8996fb924\\\"\", file_0, 0u}")
expect("{\"/\", \"text/html; charset=utf-8\"")
expect("{\"/odd.js\", \"text/javascript; charset=utf-8\"")
set(before "${text}")

# Another content is another etag.
file(WRITE ${WORK}/index.html "<b>")
generate("empty.css|index.html|odd.js")
if(text STREQUAL before)
  message(FATAL_ERROR "a changed file left the table as it was")
endif()
