# SPDX-License-Identifier: Apache-2.0
# The house's own tests: the style gate and the public headers, each a line of tests/tidy.sh.
# A check whose tool is not installed is skipped by name.

foreach(check text format shell man headers docs self)
  add_test(NAME tidy_${check} COMMAND ${CMAKE_CURRENT_LIST_DIR}/tidy.sh ${check})
  set_tests_properties(tidy_${check} PROPERTIES LABELS "style" SKIP_RETURN_CODE 77 TIMEOUT 120)
endforeach()

add_test(NAME test_flamegraph COMMAND ${CMAKE_CURRENT_LIST_DIR}/test_flamegraph.sh
  ${PROJECT_SOURCE_DIR}/bench/flamegraph.sh)
set_tests_properties(test_flamegraph PROPERTIES LABELS "house" TIMEOUT 60)

# One library after another may be missing; with none at all, what is left must build and run.
if(NOT DP_SANITIZE)
  add_test(NAME bare_build
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/bare_build.sh ${CMAKE_COMMAND} ${CMAKE_GENERATOR})
  set_tests_properties(bare_build PROPERTIES LABELS "house" TIMEOUT 300)
endif()

# danpool as others get it.  Sanitizers would come along into their programs.
if(NOT DP_SANITIZE AND DP_INSTALL)
  foreach(part install exports find cxx pkgconfig subdirectory dlopen pages)
    add_test(NAME package_${part} COMMAND ${CMAKE_CURRENT_LIST_DIR}/package/test_package.sh ${part}
      ${PROJECT_BINARY_DIR})
    set_tests_properties(package_${part} PROPERTIES LABELS "house" SKIP_RETURN_CODE 77 TIMEOUT 120
      FIXTURES_REQUIRED package)
  endforeach()
  set_tests_properties(package_install PROPERTIES FIXTURES_REQUIRED "" FIXTURES_SETUP package)
endif()

# Clients with deadlines get the machine for themselves; this file is included after theirs.
get_property(house_tests DIRECTORY PROPERTY TESTS)
foreach(test IN LISTS house_tests)
  get_test_property(${test} LABELS labels)
  if(labels MATCHES "integration|browser")
    set_tests_properties(${test} PROPERTIES RUN_SERIAL ON)
  endif()
endforeach()
