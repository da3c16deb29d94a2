# SPDX-License-Identifier: Apache-2.0
# Sharing across processes: format, owner and peer, hostile ones, and the consumers in clients/.
if(CMOCKA_FOUND)
  foreach(unit share_space share_format share share_hostile
      share_peers share_threads)
    dp_test(test_${unit} LINK danpool)
  endforeach()
endif()

# Runs alone: build/fuzz/tests/fuzz_share -max_total_time=60 -max_len=1024.
if(DP_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "DP_FUZZ needs clang: set CMAKE_C_COMPILER")
  endif()
  # The library is instrumented too, or the fuzzer would be blind.
  target_compile_options(danpool PRIVATE -fsanitize=fuzzer-no-link)
  add_executable(fuzz_share fuzz/fuzz_share.c)
  target_link_libraries(fuzz_share PRIVATE dp_flags danpool)
  target_include_directories(fuzz_share PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_options(fuzz_share PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_share PRIVATE -fsanitize=fuzzer)
endif()
