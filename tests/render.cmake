# SPDX-License-Identifier: Apache-2.0
# Kernels, codecs, the pipeline and danpoolctl.

# librsvg and what it stands on need words with the sanitizers; the two files say which and why.
set(dp_render_environment ASAN_OPTIONS=detect_leaks=1
  TSAN_OPTIONS=halt_on_error=1:suppressions=${CMAKE_CURRENT_SOURCE_DIR}/tsan.supp
  LSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/lsan.supp:print_suppressions=0)
if(CMOCKA_FOUND)
  add_library(dp_media_make STATIC EXCLUDE_FROM_ALL support/media_make.c support/media_more.c)
  target_link_libraries(dp_media_make PRIVATE dp_flags dp_headers)
  set_target_properties(dp_media_make PROPERTIES C_EXTENSIONS OFF)
  foreach(package JPEG WEBP WEBPMUX SPNG AVIF LCMS2)
    if(${package}_FOUND)
      target_link_libraries(dp_media_make PRIVATE PkgConfig::${package})
    endif()
  endforeach()
  if(GIF_FOUND)
    target_link_libraries(dp_media_make PRIVATE GIF::GIF)
  endif()

  foreach(unit resize shrink composite)
    dp_test(test_${unit} LINK dp_kernels m)
  endforeach()
  add_library(dp_lines_look STATIC EXCLUDE_FROM_ALL support/lines_look.c support/path_make.c)
  target_link_libraries(dp_lines_look PRIVATE dp_flags dp_headers m)
  target_include_directories(dp_lines_look PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src)
  set_target_properties(dp_lines_look PROPERTIES C_EXTENSIONS OFF)
  foreach(unit outline outline_bend outline_stroke)
    dp_test(test_${unit} LINK dp_svg dp_lines_look m)
  endforeach()
  dp_test(test_svg_draw LINK dp_svg dp_lines_look m)
  foreach(unit raster raster_levels)
    dp_test(test_${unit} SOURCES test_${unit}.c support/raster_rig.c LINK dp_svg dp_lines_look m)
  endforeach()
  foreach(unit sniff picture plan_cache codec codec_motion codec_sides codec_hostile svg svg_limits drawing
      pipeline render
      render_queue render_device batcher)
    dp_test(test_${unit} LINK dp_render dp_media_make TIMEOUT 240)
    set_tests_properties(test_${unit} PROPERTIES ENVIRONMENT "${dp_render_environment}")
  endforeach()

  foreach(unit filter filter_graph)
    dp_test(test_${unit} LINK dp_svg m)
  endforeach()
  if(EXPAT_FOUND)
    add_executable(scene_pack scene_pack.c)
    target_link_libraries(scene_pack PRIVATE dp_flags dp_svg)
    target_include_directories(scene_pack PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src)
    set_target_properties(scene_pack PROPERTIES C_EXTENSIONS OFF)
  endif()
  # The CUDA drivers against the CPU's: on a device, and as a host build of the device code.
  # dp_emoji_test(NAME PROGRAM LABELS l...): the same over emoji, which packs of scenes in
  # build/scenes bring to machines that cannot make them.
  function(dp_emoji_test name program)
    set(scene_pack none)
    if(TARGET scene_pack)
      set(scene_pack $<TARGET_FILE:scene_pack>)
    endif()
    add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/kernels_emoji.sh
      $<TARGET_FILE:${program}> ${scene_pack} ${PROJECT_SOURCE_DIR}/build/scenes)
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600 RESOURCE_LOCK scenes
      ${ARGN})
  endfunction()
  set(kernel_rig_sources support/kernel_rig.c support/kernel_rig_batch.c
    support/kernel_rig_filter.c support/kernel_rig_raster.c support/kernel_rig_scene.c
    support/kernel_rig_pack.c support/raster_rig.c)
  if(DP_HAVE_NVCC)
    dp_test(test_kernels_cuda SOURCES test_kernels_cuda.c ${kernel_rig_sources}
      LINK danpool dp_svg dp_kernels LABELS gpu)
    dp_emoji_test(test_kernels_emoji_cuda test_kernels_cuda LABELS gpu)
  else()
    dp_test(test_kernels_cuda LINK danpool dp_kernels LABELS gpu)
  endif()
  if(DP_HAVE_CXX)
    file(GLOB kernel_cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cu)
    # In this directory alone; kernels/ gives the same files to nvcc.
    set_source_files_properties(${kernel_cuda_sources} PROPERTIES LANGUAGE CXX)
    add_library(dp_kernels_host STATIC EXCLUDE_FROM_ALL ${kernel_cuda_sources})
    target_link_libraries(dp_kernels_host PRIVATE dp_headers)
    target_include_directories(dp_kernels_host PRIVATE support/cuda_host ${PROJECT_SOURCE_DIR})
    set(kernel_host_options -xc++ -Wall -Wextra -Wshadow -fno-omit-frame-pointer -ffp-contract=off)
    if(DP_WERROR)
      list(APPEND kernel_host_options -Werror)
    endif()
    if(DP_SANITIZE)
      list(APPEND kernel_host_options -fsanitize=${DP_SANITIZE} -fno-sanitize-recover=all)
    endif()
    target_compile_options(dp_kernels_host PRIVATE ${kernel_host_options})
    set_target_properties(dp_kernels_host PROPERTIES CXX_STANDARD 17 CXX_EXTENSIONS OFF)
    # Before dp_kernels, so that its drivers are taken and not those of a build with nvcc.
    dp_test(test_kernels_host SOURCES test_kernels_host.c ${kernel_rig_sources}
      LINK dp_svg dp_kernels_host dp_kernels m TIMEOUT 300)
    set_target_properties(test_kernels_host PROPERTIES LINKER_LANGUAGE CXX)
    dp_emoji_test(test_kernels_emoji test_kernels_host LABELS unit)
    # The backend over a fake driver, with that build as its kernels.
    foreach(unit backend_cuda cuda_drawings)
      dp_test(test_${unit} SOURCES test_${unit}.c support/late_device.c
        LINK dp_svg dp_kernels_host dp_tier_rig dp_render)
      set_target_properties(test_${unit} PROPERTIES LINKER_LANGUAGE CXX)
      set_tests_properties(test_${unit} PROPERTIES ENVIRONMENT "${dp_render_environment}")
    endforeach()
  else()
    message(STATUS "test_kernels_host is left out: no C++ compiler for a host build of the kernels")
  endif()
endif()

# The SVG front end: documents to scenes.
if(CMOCKA_FOUND AND EXPAT_FOUND)
  foreach(unit value shape scene wrap hostile)
    dp_test(test_svg_${unit} SOURCES test_svg_${unit}.c support/scene_dump.c LINK dp_svg m
      TIMEOUT 180)
  endforeach()
  dp_test(test_scene SOURCES test_scene.c LINK dp_svg m)
endif()

if(CMOCKA_FOUND)
  dp_test(test_reuse SOURCES test_reuse.c ${PROJECT_SOURCE_DIR}/src/ctl/reuse.c
    ${PROJECT_SOURCE_DIR}/src/ctl/symbol.c LINK danpool)
  dp_test(test_nvtx LINK dp_render dp_media_make dp_fake_tier dp_tier_rig)
  if(DP_NVTX AND DP_NVTX_INCLUDE)
    # The tool that counts: NVTX loads it by its path, as it would load Nsight.
    add_library(nvtx_counter MODULE support/nvtx_counter.c)
    target_link_libraries(nvtx_counter PRIVATE dp_flags Threads::Threads)
    target_include_directories(nvtx_counter SYSTEM PRIVATE ${DP_NVTX_INCLUDE})
    set_target_properties(nvtx_counter PROPERTIES C_EXTENSIONS OFF)
    add_dependencies(test_nvtx nvtx_counter)
    target_compile_definitions(test_nvtx PRIVATE DP_NVTX_COUNTER="$<TARGET_FILE:nvtx_counter>")
  endif()
endif()

add_test(NAME test_probes
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/test_probes.sh $<TARGET_FILE:danpoolctl>)
set_tests_properties(test_probes PROPERTIES LABELS "unit" TIMEOUT 60 SKIP_RETURN_CODE 77)

add_executable(trace_make support/trace_make.c)
target_link_libraries(trace_make PRIVATE dp_flags danpool)
set_target_properties(trace_make PROPERTIES C_EXTENSIONS OFF)
add_test(NAME test_danpoolctl
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/test_danpoolctl.sh $<TARGET_FILE:danpoolctl>
    $<TARGET_FILE:trace_make>)
set_tests_properties(test_danpoolctl PROPERTIES LABELS "unit" TIMEOUT 60
  ENVIRONMENT "${dp_render_environment}")

# Our drawings beside a reference's.  A sanitizer makes it slow, and the fuzzer knows more cases.
if(TARGET dp_svg AND EXPAT_FOUND AND NOT DP_SANITIZE)
  add_executable(svg_pixels svg/svg_pixels.c)
  target_link_libraries(svg_pixels PRIVATE dp_flags dp_svg)
  target_include_directories(svg_pixels PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
  set_target_properties(svg_pixels PROPERTIES C_EXTENSIONS OFF)
  add_test(NAME svg_conformance
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/svg/run.sh $<TARGET_FILE:svg_pixels>)
  set_tests_properties(svg_conformance PROPERTIES LABELS integration TIMEOUT 900
    SKIP_RETURN_CODE 77)
endif()

# Each runs alone: LSAN_OPTIONS=suppressions=tests/lsan.supp build/fuzz/tests/fuzz_decode
# -max_total_time=60 -max_len=65536 CORPUS.
if(DP_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "DP_FUZZ needs clang: set CMAKE_C_COMPILER")
  endif()
  # The libraries are instrumented too, or the fuzzer would be blind.
  foreach(library dp_render dp_svg dp_kernels)
    target_compile_options(${library} PRIVATE -fsanitize=fuzzer-no-link)
  endforeach()
  # `fuzz_seeds MEDIA DRAWINGS` makes the first corpora.
  add_executable(fuzz_seeds fuzz/fuzz_seeds.c)
  target_link_libraries(fuzz_seeds PRIVATE dp_flags dp_media_make)
  target_include_directories(fuzz_seeds PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/support)
  foreach(unit sniff decode render)
    add_executable(fuzz_${unit} fuzz/fuzz_${unit}.c)
    target_link_libraries(fuzz_${unit} PRIVATE dp_flags dp_render)
    target_include_directories(fuzz_${unit} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src)
    target_compile_options(fuzz_${unit} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${unit} PRIVATE -fsanitize=fuzzer)
  endforeach()
  # The front end and scenes.
  add_executable(fuzz_svg fuzz/fuzz_svg.c)
  target_link_libraries(fuzz_svg PRIVATE dp_flags dp_svg m)
  target_include_directories(fuzz_svg PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src)
  target_compile_options(fuzz_svg PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_svg PRIVATE -fsanitize=fuzzer)
endif()
