# SPDX-License-Identifier: Apache-2.0
# Tests of danpoold's modules.  The leaf ones (no socket, no room) come first.
option(DP_FUZZ "Build the libFuzzer targets (clang only)" OFF)

if(TARGET dp_server_leaf AND CMOCKA_FOUND)
  foreach(unit config config_routes log protocol protocol_parse protocol_hostile protocol_write text ws_frame
      log_json origin message format_json bili)
    dp_test(test_${unit} LINK dp_server_leaf)
  endforeach()

  if(ZLIB_FOUND)
    dp_test(test_format_deflate LINK dp_server_leaf)
  endif()

  # The page itself, and a directory made for the test: one file of each kind, one of them empty.
  dp_test(test_assets LINK dp_assets)
  target_compile_definitions(test_assets PRIVATE DP_WEB_DIR="${PROJECT_SOURCE_DIR}/web")
  add_test(NAME test_embed COMMAND ${CMAKE_COMMAND}
    -DEMBED=${PROJECT_SOURCE_DIR}/cmake/DpEmbed.cmake -DWORK=${CMAKE_CURRENT_BINARY_DIR}/embed
    -P ${CMAKE_CURRENT_SOURCE_DIR}/test_embed.cmake)
  set_tests_properties(test_embed PROPERTIES LABELS unit TIMEOUT 60)
endif()

if(TARGET dp_server_gate AND CMOCKA_FOUND)
  foreach(unit auth proxy tarpit comment_filter confusable filter_words gate identity limits moderation repeat)
    dp_test(test_${unit} LINK dp_server_gate)
  endforeach()
endif()

if(TARGET dp_server_core AND CMOCKA_FOUND)
  foreach(unit room room_fault room_full room_past density)
    dp_test(test_${unit} LINK dp_server_core)
  endforeach()
  dp_test(test_admit LINK dp_server_core)
  dp_test(test_media LINK dp_server_core)
  dp_test(test_escapes LINK dp_server_core)
  dp_test(test_notify LINK dp_server_core)
endif()

# Each runs alone: build/fuzz/tests/fuzz_protocol -max_total_time=60.  fuzz_config wants
# -detect_leaks=0 too, or it looks for leaks after every syntax error and gets nowhere.
if(DP_FUZZ AND TARGET dp_server_leaf)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "DP_FUZZ needs clang: set CMAKE_C_COMPILER")
  endif()
  # The library is instrumented too, or the fuzzer would be blind.
  foreach(library dp_config dp_server_leaf dp_server_gate)
    target_compile_options(${library} PRIVATE -fsanitize=fuzzer-no-link)
  endforeach()
  foreach(unit protocol config ws_frame bili jwt proxy filter_list moderation)
    add_executable(fuzz_${unit} fuzz/fuzz_${unit}.c)
    target_link_libraries(fuzz_${unit} PRIVATE dp_flags dp_server_gate dp_server_leaf)
    target_include_directories(fuzz_${unit} PRIVATE ${PROJECT_SOURCE_DIR}/src
      ${PROJECT_SOURCE_DIR}/tests/support)
    target_compile_options(fuzz_${unit} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${unit} PRIVATE -fsanitize=fuzzer)
  endforeach()
endif()
