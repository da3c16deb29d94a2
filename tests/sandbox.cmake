# SPDX-License-Identifier: Apache-2.0
# Decoders in processes of their own.
if(CMOCKA_FOUND)
  # The same decoder with tricks to play; the one that is installed has none.
  add_executable(danpool-decoder-test support/decoder_trick.c)
  target_include_directories(danpool-decoder-test PRIVATE ${PROJECT_SOURCE_DIR}
    ${PROJECT_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR}/support)
  target_link_libraries(danpool-decoder-test PRIVATE dp_flags dp_decoder Threads::Threads)
  set_target_properties(danpool-decoder-test PROPERTIES C_EXTENSIONS OFF)
  foreach(unit sandbox_block sandbox_wire)
    dp_test(test_${unit} LINK dp_render)
  endforeach()
  foreach(unit sandbox sandbox_fault isolation)
    dp_test(test_${unit} LINK dp_render dp_media_make TIMEOUT 300)
    add_dependencies(test_${unit} danpool-decoder-test)
    target_compile_definitions(test_${unit} PRIVATE
      DP_DECODER_TEST="$<TARGET_FILE:danpool-decoder-test>")
    set_tests_properties(test_${unit} PROPERTIES ENVIRONMENT "${dp_render_environment}")
  endforeach()
endif()

# Runs alone: build/fuzz/tests/fuzz_sandbox -max_total_time=60 -max_len=400.
if(DP_FUZZ)
  add_executable(fuzz_sandbox fuzz/fuzz_sandbox.c)
  target_link_libraries(fuzz_sandbox PRIVATE dp_flags dp_render)
  target_include_directories(fuzz_sandbox PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src)
  target_compile_options(fuzz_sandbox PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_sandbox PRIVATE -fsanitize=fuzzer)
endif()
