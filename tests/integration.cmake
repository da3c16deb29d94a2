# SPDX-License-Identifier: Apache-2.0
# Tests that speak to a running danpoold with real clients.  They need node (18 or newer) and the two
# npm packages of tests/integration/package.json; what is missing makes them "skipped", by name.
if(DP_SANITIZE)
  # Sanitizers keep freed memory and shadow bytes: the bounds on resident memory are wider there.
  set(DP_TEST_MEMORY_FACTOR 6)
else()
  set(DP_TEST_MEMORY_FACTOR 1)
endif()

# dp_client_test(NAME FILE [browser] [LABEL l] [TIMEOUT s])
function(dp_client_test name file)
  cmake_parse_arguments(ARG "" "TIMEOUT;LABEL" "" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 180)
  endif()
  if(NOT ARG_LABEL)
    set(ARG_LABEL integration)
  endif()
  add_test(NAME ${name}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/integration/run.sh ${file} ${ARG_UNPARSED_ARGUMENTS})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
    SKIP_RETURN_CODE 77 ENVIRONMENT "${DP_CLIENT_ENVIRONMENT}")
endfunction()

set(DP_CLIENT_ENVIRONMENT "")
dp_client_test(integration_page_units page_units.test.js)
if(TARGET danpoold)
  set(DP_CLIENT_ENVIRONMENT "DANPOOLD=$<TARGET_FILE:danpoold>"
    "DANPOOL_MEMORY_FACTOR=${DP_TEST_MEMORY_FACTOR}")
  foreach(part protocol limits gate reload tls room_full http media hostile lifecycle sandbox
      auth bili rfc6455 conn)
    dp_client_test(integration_${part} ${part}.test.js)
  endforeach()
  dp_client_test(integration_media_hostile media_hostile.test.js TIMEOUT 600)
  dp_client_test(browser browser.test.js browser LABEL browser TIMEOUT 400)
endif()
