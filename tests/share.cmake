# SPDX-License-Identifier: Apache-2.0
# Sharing across processes: format, owner and peer, hostile ones, and the consumers in clients/.
if(CMOCKA_FOUND)
  foreach(unit share_space share_format share share_hostile
      share_fault share_peers share_threads)
    dp_test(test_${unit} LINK danpool)
  endforeach()

  # One driver for every consumer; a language that is not on this machine is skipped by name.
  add_executable(share_consumer share/consumer.c)
  target_link_libraries(share_consumer PRIVATE dp_flags danpool)
  set_target_properties(share_consumer PROPERTIES C_EXTENSIONS OFF)
  add_executable(test_share_clients test_share_clients.c)
  target_link_libraries(test_share_clients PRIVATE dp_flags danpool PkgConfig::CMOCKA)
  target_include_directories(test_share_clients PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}
    ${CMAKE_CURRENT_SOURCE_DIR}/support ${PROJECT_SOURCE_DIR}/src)
  set_target_properties(test_share_clients PROPERTIES C_EXTENSIONS OFF)
  add_test(NAME share_client_c COMMAND test_share_clients $<TARGET_FILE:share_consumer>)
  foreach(language python node)
    add_test(NAME share_client_${language} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/share/run.sh
      $<TARGET_FILE:test_share_clients> ${language})
  endforeach()
  set_tests_properties(share_client_c share_client_python share_client_node PROPERTIES
    LABELS "clients" SKIP_RETURN_CODE 77 TIMEOUT 120)
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
