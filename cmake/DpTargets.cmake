# SPDX-License-Identifier: Apache-2.0
# Helpers that keep one line per target in the lists below.

# dp_library(NAME SOURCES... [LINK libs...]): an internal static library with our flags.
function(dp_library name)
  cmake_parse_arguments(ARG "" "" "LINK;SOURCES" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE "$<BUILD_INTERFACE:dp_flags>" PUBLIC ${ARG_LINK})
  set_target_properties(${name} PROPERTIES C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden
    POSITION_INDEPENDENT_CODE ON)
endfunction()

# dp_test(NAME SOURCES f.c... LINK libs... [LABELS l...] [TIMEOUT s]): one cmocka executable.
# Exit status 77 means "the whole file is skipped", which ctest shows by name.
function(dp_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LINK;SOURCES;LABELS" ${ARGN})
  if(NOT ARG_SOURCES)
    set(ARG_SOURCES ${name}.c)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  if(DP_SANITIZE)
    # It is to end a test that hangs, not one that a sanitizer makes slow.
    math(EXPR ARG_TIMEOUT "4 * ${ARG_TIMEOUT}")
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE dp_flags ${ARG_LINK} PkgConfig::CMOCKA)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support
    ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
  set_target_properties(${name} PROPERTIES C_EXTENSIONS OFF)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${ARG_TIMEOUT}
    LABELS "unit;${ARG_LABELS}"
    ENVIRONMENT "TSAN_OPTIONS=halt_on_error=1;ASAN_OPTIONS=detect_leaks=1;\
LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/lsan.supp:print_suppressions=0")
endfunction()

# dp_bench(NAME SOURCES... LINK...): a benchmark; ctest runs it with --quick so that it never rots.
function(dp_bench name)
  cmake_parse_arguments(ARG "" "" "LINK;SOURCES;ARGS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE dp_flags dp_bench_harness ${ARG_LINK})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/bench)
  set_target_properties(${name} PROPERTIES C_EXTENSIONS OFF)
  add_test(NAME ${name}_quick COMMAND ${name} --quick --json ${ARG_ARGS})
  set_tests_properties(${name}_quick PROPERTIES TIMEOUT 120 LABELS "bench" RUN_SERIAL ON)
endfunction()
