# SPDX-License-Identifier: Apache-2.0
# Warnings and sanitizers as flag targets: every danpool target links dp_flags privately.

option(DP_WERROR "Treat warnings as errors" ${PROJECT_IS_TOP_LEVEL})
set(DP_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, e.g. address,undefined or thread")

add_library(dp_flags INTERFACE)
target_compile_features(dp_flags INTERFACE c_std_11)
set(dp_c_only "$<$<COMPILE_LANGUAGE:C>:")
target_compile_options(dp_flags INTERFACE
  "${dp_c_only}-Wall>" "${dp_c_only}-Wextra>" "${dp_c_only}-Wpedantic>" "${dp_c_only}-Wshadow>"
  "${dp_c_only}-Wconversion>" "${dp_c_only}-Wstrict-prototypes>"
  "${dp_c_only}-Wmissing-prototypes>" "${dp_c_only}-Wvla>"
  # perf and Nsight walk frames; a frame pointer costs less than a wrong flame graph.
  "${dp_c_only}-fno-omit-frame-pointer>"
  # Kernels must give the same bytes on both backends: no a*b+c contraction behind our back.
  "${dp_c_only}-ffp-contract=off>")
target_compile_definitions(dp_flags INTERFACE _POSIX_C_SOURCE=200809L)
if(DP_WERROR)
  target_compile_options(dp_flags INTERFACE "${dp_c_only}-Werror>")
endif()
if(DP_SANITIZE)
  target_compile_options(dp_flags INTERFACE "${dp_c_only}-fsanitize=${DP_SANITIZE}>"
    "${dp_c_only}-fno-sanitize-recover=all>")
  target_link_options(dp_flags INTERFACE "-fsanitize=${DP_SANITIZE}")
endif()
