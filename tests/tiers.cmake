# SPDX-License-Identifier: Apache-2.0
# Tiers, decorators, eviction and the keyed cache.
if(CMOCKA_FOUND)
  # The fake driver and the rig know the pool's inside, so they are built like it.
  dp_library(dp_tier_rig SOURCES ${CMAKE_CURRENT_LIST_DIR}/support/cuda_fake.c
    ${CMAKE_CURRENT_LIST_DIR}/support/cuda_fake_stream.c
    ${CMAKE_CURRENT_LIST_DIR}/support/tier_rig.c LINK danpool)
  target_include_directories(dp_tier_rig PUBLIC ${CMAKE_CURRENT_LIST_DIR}/support
    ${CMAKE_CURRENT_LIST_DIR}/../src)
  foreach(unit memfd cuda_driver tier_contract tier_huge tier_managed tier_pmem pmem_batch tier_fault
    tier_trace evict cache cache_insert stream_release stream_gpu)
    if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/test_${unit}.c)
      dp_test(test_${unit} SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${unit}.c LINK dp_tier_rig danpool)
    endif()
  endforeach()
  foreach(unit cache_ladder cache_ladder_faults)
    dp_test(test_${unit} LINK dp_fake_tier dp_tier_rig danpool)
  endforeach()
  dp_test(test_observe LINK dp_tier_rig dp_fake_tier danpool)
  # Long when DP_SOAK is set, which `./x test --soak` does for what is labelled so.
  foreach(unit pmem_crash stress)
    dp_test(test_${unit} SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${unit}.c
      LINK dp_tier_rig danpool Threads::Threads LABELS soak TIMEOUT 1500)
    set_property(TEST test_${unit} APPEND PROPERTY ENVIRONMENT
      TSAN_OPTIONS=halt_on_error=1:suppressions=${CMAKE_CURRENT_LIST_DIR}/tsan.supp)
  endforeach()
  # Sweeps over hundreds of openings, slow under tsan on a busy machine.
  set_property(TEST test_cache_insert test_tier_fault PROPERTY TIMEOUT 300)
  # These have rows that need a GPU; they are worth running where there is one.
  set_property(TEST test_cuda_driver test_tier_contract test_stream_gpu APPEND PROPERTY LABELS gpu)
  target_link_libraries(test_stream_gpu PRIVATE ${CMAKE_DL_LIBS})
  # No part of the library needs the toolkit's header; where it is, ours is compared with it.
  find_path(DP_CUDA_HEADER_DIR cuda.h PATHS /usr/local/cuda/include)
  mark_as_advanced(DP_CUDA_HEADER_DIR)
  if(DP_CUDA_HEADER_DIR)
    dp_test(test_cuda_abi LINK dp_headers)
    target_include_directories(test_cuda_abi SYSTEM PRIVATE ${DP_CUDA_HEADER_DIR})
  endif()
  if(PMEM_FOUND)
    # Tests look into pool files with libpmemobj itself.
    target_link_libraries(dp_tier_rig PUBLIC PkgConfig::PMEM)
  endif()
endif()
