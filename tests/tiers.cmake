# SPDX-License-Identifier: Apache-2.0
# Tiers, decorators, eviction and the keyed cache.
if(CMOCKA_FOUND)
  # The fake driver and the rig know the pool's inside, so they are built like it.
  dp_library(dp_tier_rig SOURCES ${CMAKE_CURRENT_LIST_DIR}/support/cuda_fake.c
    ${CMAKE_CURRENT_LIST_DIR}/support/tier_rig.c LINK danpool)
  target_include_directories(dp_tier_rig PUBLIC ${CMAKE_CURRENT_LIST_DIR}/support
    ${CMAKE_CURRENT_LIST_DIR}/../src)
  foreach(unit cuda_driver tier_contract tier_pmem pmem_batch tier_fault evict cache cache_insert)
    if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/test_${unit}.c)
      dp_test(test_${unit} SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${unit}.c LINK dp_tier_rig danpool)
    endif()
  endforeach()
  # Long when DP_SOAK is set, which `./x test --soak` does for what is labelled so.
  foreach(unit pmem_crash stress)
    dp_test(test_${unit} SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${unit}.c
      LINK dp_tier_rig danpool Threads::Threads LABELS soak TIMEOUT 1500)
    set_property(TEST test_${unit} APPEND PROPERTY ENVIRONMENT
      TSAN_OPTIONS=halt_on_error=1:suppressions=${CMAKE_CURRENT_LIST_DIR}/tsan.supp)
  endforeach()
  # Sweeps over hundreds of openings, slow under a sanitizer.
  set_property(TEST test_cache_insert test_tier_fault PROPERTY TIMEOUT 300)
  # These have rows that need a GPU; they are worth running where there is one.
  set_property(TEST test_cuda_driver test_tier_contract APPEND PROPERTY LABELS gpu)
  if(PMEM_FOUND)
    # Tests look into pool files with libpmemobj itself.
    target_link_libraries(dp_tier_rig PUBLIC PkgConfig::PMEM)
  endif()
endif()
