# SPDX-License-Identifier: Apache-2.0
# libdanpool: the ladder, and one executable for each unit.  (tests/tidy.sh headers compiles each
# public header alone, as C and as C++.)
add_test(NAME test_ladder COMMAND ${CMAKE_CURRENT_LIST_DIR}/test_ladder.sh)
set_tests_properties(test_ladder PROPERTIES LABELS "style" TIMEOUT 60)

# The pool as a WebAssembly module, in Node.
add_test(NAME test_wasm COMMAND ${CMAKE_CURRENT_LIST_DIR}/wasm/test_wasm.sh
  ${PROJECT_BINARY_DIR}/src/wasm/danpool.wasm)
set_tests_properties(test_wasm PROPERTIES LABELS "unit" SKIP_RETURN_CODE 77 TIMEOUT 120)

if(CMOCKA_FOUND)
  add_library(dp_fake_tier STATIC EXCLUDE_FROM_ALL support/fake_tier.c)
  target_link_libraries(dp_fake_tier PRIVATE dp_flags PUBLIC danpool)
  target_include_directories(dp_fake_tier PUBLIC support ${PROJECT_SOURCE_DIR}/src)
  set_target_properties(dp_fake_tier PROPERTIES C_EXTENSIONS OFF)

  foreach(unit status size_class slab magazine router stats buf movable movable_threads slice pool
      fallback tenant histogram trace trace_file lifecycle lease object reset_check prewarm)
    dp_test(test_${unit} LINK dp_fake_tier)
  endforeach()
  # Moves through a GPU's memory where there is one.
  set_property(TEST test_movable APPEND PROPERTY LABELS gpu)
  # These have a device that is lost and comes back, and files of the pmem tier.
  foreach(unit health breaker chaos)
    if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/test_${unit}.c)
      dp_test(test_${unit} LINK dp_fake_tier dp_tier_rig TIMEOUT 180)
    endif()
  endforeach()
  if(YAJL_FOUND)
    target_link_libraries(test_trace_file PRIVATE PkgConfig::YAJL) # reads the JSON that we write
  endif()
endif()

# Runs alone, from a build with clang and -DDP_FUZZ=ON: build/fuzz/tests/fuzz_trace -max_total_time=60.
if(DP_FUZZ)
  target_compile_options(danpool PRIVATE -fsanitize=fuzzer-no-link)
  add_executable(fuzz_trace fuzz/fuzz_trace.c)
  target_link_libraries(fuzz_trace PRIVATE dp_flags danpool)
  target_include_directories(fuzz_trace PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_options(fuzz_trace PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_trace PRIVATE -fsanitize=fuzzer)
endif()
