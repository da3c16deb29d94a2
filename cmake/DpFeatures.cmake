# SPDX-License-Identifier: Apache-2.0
# What was found and what is absent, as one table: printed at the end of configure and compiled into
# danpoold --version (features.c), so that both always say the same.

# dp_feature(NAME FOUND DETAIL): adds a row and sets DP_HAVE_<NAME> for C (0 or 1) in dp_features.h.
function(dp_feature name found detail)
  if(found)
    set(value 1)
    set(word "yes")
  else()
    set(value 0)
    set(word "absent")
  endif()
  string(TOUPPER "${name}" upper)
  string(REGEX REPLACE "[^A-Z0-9]" "_" upper "${upper}")
  # A ';' in a cell would split the list that holds the rows.
  string(REPLACE ";" "," detail "${detail}")
  set_property(GLOBAL APPEND PROPERTY DP_FEATURES "${name}|${word}|${detail}")
  set_property(GLOBAL APPEND PROPERTY DP_FEATURE_DEFINES "#define DP_HAVE_${upper} ${value}")
endfunction()

# Finds a pkg-config module and records it: dp_find(NAME MODULE "what for" [REQUIRED_FOR ...]).
# Makes the imported target PkgConfig::<NAME in capitals> and <NAME>_FOUND.
macro(dp_find name module purpose)
  string(TOUPPER "${name}" dp_find_upper)
  pkg_check_modules(${dp_find_upper} QUIET IMPORTED_TARGET GLOBAL ${module})
  if(${dp_find_upper}_FOUND)
    dp_feature(${name} TRUE "${${dp_find_upper}_VERSION}, ${purpose}")
  else()
    dp_feature(${name} FALSE "${purpose} (pkg-config ${module} not found)")
  endif()
endmacro()

# Finds a header that needs no library and records it: dp_find_header(NAME HEADER "what for" [DIR...]).
# DP_<NAME>=OFF leaves it out; DP_<NAME>_INCLUDE is the directory that it is in.
function(dp_find_header name header purpose)
  string(TOUPPER "${name}" upper)
  option(DP_${upper} "Use ${header} where it is found" ON)
  if(DP_${upper})
    find_path(DP_${upper}_INCLUDE ${header} HINTS ${ARGN})
  endif()
  if(NOT DP_${upper})
    dp_feature(${name} FALSE "${purpose} (turned off)")
  elseif(DP_${upper}_INCLUDE)
    dp_feature(${name} TRUE "${purpose}")
  else()
    dp_feature(${name} FALSE "${purpose} (${header} not found)")
  endif()
endfunction()

# The same for a library without a pkg-config file: dp_find_library(NAME LIBRARY HEADER "what for").
macro(dp_find_library name library header purpose)
  string(TOUPPER "${name}" dp_find_upper)
  find_library(DP_${dp_find_upper}_LIBRARY ${library})
  find_path(DP_${dp_find_upper}_INCLUDE_DIR ${header})
  mark_as_advanced(DP_${dp_find_upper}_LIBRARY DP_${dp_find_upper}_INCLUDE_DIR)
  if(DP_${dp_find_upper}_LIBRARY AND DP_${dp_find_upper}_INCLUDE_DIR)
    set(${dp_find_upper}_FOUND TRUE)
    add_library(PkgConfig::${dp_find_upper} UNKNOWN IMPORTED)
    set_target_properties(PkgConfig::${dp_find_upper} PROPERTIES
      IMPORTED_LOCATION ${DP_${dp_find_upper}_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${DP_${dp_find_upper}_INCLUDE_DIR})
    dp_feature(${name} TRUE "${purpose}")
  else()
    set(${dp_find_upper}_FOUND FALSE)
    dp_feature(${name} FALSE "${purpose} (${header} not found)")
  endif()
endmacro()

function(dp_features_write)
  set(rows "")
  get_property(features GLOBAL PROPERTY DP_FEATURES)
  get_property(defines GLOBAL PROPERTY DP_FEATURE_DEFINES)
  list(JOIN defines "\n" defines)
  foreach(row IN LISTS features)
    string(REPLACE "|" ";" cells "${row}")
    list(GET cells 0 name)
    list(GET cells 1 word)
    list(GET cells 2 detail)
    string(APPEND rows "    X(\"${name}\", \"${word}\", \"${detail}\") \\\n")
  endforeach()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/dp_features.h CONTENT
"/* Generated at configure time: what this build was made with. */
#ifndef DP_FEATURES_H
#define DP_FEATURES_H
#define DP_VERSION_STRING \"@PROJECT_VERSION@\"
#define DP_BUILD_TYPE \"@CMAKE_BUILD_TYPE@\"
${defines}
/* X(name, \"yes\" or \"absent\", detail) */
#define DP_FEATURE_LIST(X) \\
${rows}
#endif
" @ONLY)
endfunction()

function(dp_features_print)
  message(STATUS "")
  message(STATUS "danpool ${PROJECT_VERSION} (${CMAKE_BUILD_TYPE}) is made with")
  get_property(features GLOBAL PROPERTY DP_FEATURES)
  foreach(row IN LISTS features)
    string(REPLACE "|" ";" cells "${row}")
    list(GET cells 0 name)
    list(GET cells 1 word)
    list(GET cells 2 detail)
    string(SUBSTRING "${name}                " 0 14 name)
    string(SUBSTRING "${word}        " 0 7 word)
    message(STATUS "  ${name} ${word} ${detail}")
  endforeach()
  message(STATUS "")
endfunction()
