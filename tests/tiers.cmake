# SPDX-License-Identifier: Apache-2.0
# Tiers, decorators, eviction and the keyed cache.
if(CMOCKA_FOUND)
  # The fake driver and the rig know the pool's inside, so they are built like it.
  dp_library(dp_tier_rig SOURCES ${CMAKE_CURRENT_LIST_DIR}/support/cuda_fake.c
    ${CMAKE_CURRENT_LIST_DIR}/support/tier_rig.c LINK danpool)
  target_include_directories(dp_tier_rig PUBLIC ${CMAKE_CURRENT_LIST_DIR}/support
    ${CMAKE_CURRENT_LIST_DIR}/../src)
  foreach(unit cuda_driver tier_contract tier_pmem tier_fault evict cache)
    if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/test_${unit}.c)
      dp_test(test_${unit} SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${unit}.c LINK dp_tier_rig danpool)
    endif()
  endforeach()
  dp_test(test_cache_ladder LINK dp_fake_tier dp_tier_rig danpool)
  # These have rows that need a GPU; they are worth running where there is one.
  set_property(TEST test_cuda_driver test_tier_contract APPEND PROPERTY LABELS gpu)
  if(PMEM_FOUND AND TARGET test_tier_pmem)
    # The test looks into the pool file with libpmemobj itself.
    target_link_libraries(test_tier_pmem PRIVATE PkgConfig::PMEM)
  endif()
endif()
