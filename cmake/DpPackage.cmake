# SPDX-License-Identifier: Apache-2.0
# What others link and what `cmake --install` puts where.  Our own programs and tests go on with the
# target danpool, whose inside they may see; both libraries below are made of its very objects.
#
#   danpool_shared  danpool::danpool         libdanpool.so.0, exports by danpool.map
#   danpool_static  danpool::danpool_static  libdanpool.a, one object whose only globals are dp_*
#
# Everything follows what is there: the headers of include/danpool/, the exports dp_*, and the
# libraries that the target danpool links.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# What the archive needs beside itself, as words for any linker: no path of this machine.
function(dp_package_private_libs out)
  get_target_property(links danpool LINK_LIBRARIES)
  set(words "")
  foreach(link IN LISTS links)
    if(link MATCHES "^PkgConfig::(.+)$")
      list(APPEND words ${${CMAKE_MATCH_1}_LIBRARIES})
    elseif(NOT link MATCHES "^\\$<|::" AND NOT TARGET ${link})
      list(APPEND words ${link})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES words)
  set(${out} ${words} PARENT_SCOPE)
endfunction()
dp_package_private_libs(dp_private_libs)

set(dp_package_dir ${PROJECT_BINARY_DIR}/lib)
add_library(danpool_shared SHARED $<TARGET_OBJECTS:danpool>)
target_link_libraries(danpool_shared PRIVATE "$<BUILD_INTERFACE:dp_flags>" Threads::Threads
  ${dp_private_libs})
target_link_options(danpool_shared PRIVATE
  "LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/danpool.map"
  # Calls among our own functions are ours: no way round by the symbol table.
  LINKER:-Bsymbolic-functions
  # Threads that used a pool run our destructor when they end, be it after a dlclose().
  LINKER:-z,nodelete)
if(NOT DP_SANITIZE)
  target_link_options(danpool_shared PRIVATE LINKER:-z,defs)
endif()
set_property(TARGET danpool_shared APPEND PROPERTY LINK_DEPENDS
  ${PROJECT_SOURCE_DIR}/cmake/danpool.map)
set_target_properties(danpool_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)

# Hidden is a word for shared libraries: in an archive os_free() would still meet the program's own.
set(dp_one_object ${PROJECT_BINARY_DIR}/danpool_one.o)
add_custom_command(OUTPUT ${dp_one_object}
  COMMAND ${CMAKE_LINKER} -r -o ${dp_one_object} $<TARGET_OBJECTS:danpool>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${dp_one_object}
  DEPENDS danpool COMMAND_EXPAND_LISTS VERBATIM)
add_library(danpool_static STATIC ${dp_one_object})
target_link_libraries(danpool_static INTERFACE Threads::Threads ${dp_private_libs})

foreach(library danpool_shared danpool_static)
  set_target_properties(${library} PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME danpool
    LIBRARY_OUTPUT_DIRECTORY ${dp_package_dir} ARCHIVE_OUTPUT_DIRECTORY ${dp_package_dir})
  target_include_directories(${library} INTERFACE
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>")
endforeach()
set_target_properties(danpool_shared PROPERTIES EXPORT_NAME danpool)
add_library(danpool::danpool ALIAS danpool_shared)
add_library(danpool::danpool_static ALIAS danpool_static)

# One page a public header, made of its comments; dp_get(3) and the like lead to it.
find_program(DP_AWK awk)
if(DP_AWK)
  file(GLOB dp_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/danpool/*.h)
  set(dp_man ${PROJECT_SOURCE_DIR}/docs/man)
  add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/man3.stamp
    COMMAND sh ${dp_man}/man3.sh ${PROJECT_BINARY_DIR}/man3 ${dp_headers}
    COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/man3.stamp
    DEPENDS ${dp_headers} ${dp_man}/man3.sh ${dp_man}/man3.awk ${dp_man}/danpool.3 VERBATIM)
  add_custom_target(danpool_man3 ALL DEPENDS ${PROJECT_BINARY_DIR}/man3.stamp)
endif()

option(DP_INSTALL "Make the install rules" ${PROJECT_IS_TOP_LEVEL})
if(NOT DP_INSTALL)
  return()
endif()

install(TARGETS danpool_shared danpool_static EXPORT danpoolTargets
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/danpool DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h")

set(dp_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/danpool)
configure_package_config_file(cmake/danpoolConfig.cmake.in
  ${PROJECT_BINARY_DIR}/danpoolConfig.cmake INSTALL_DESTINATION ${dp_cmake_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/danpoolConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(EXPORT danpoolTargets NAMESPACE danpool:: DESTINATION ${dp_cmake_dir})
install(FILES ${PROJECT_BINARY_DIR}/danpoolConfig.cmake
  ${PROJECT_BINARY_DIR}/danpoolConfigVersion.cmake DESTINATION ${dp_cmake_dir})

# These two name places of the prefix, which `cmake --install --prefix` decides.
list(TRANSFORM dp_private_libs PREPEND "-l" OUTPUT_VARIABLE dp_private_words)
list(JOIN dp_private_words " " dp_private_words)
install(CODE "
  function(dp_full out dir)
    cmake_path(ABSOLUTE_PATH dir BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\" NORMALIZE)
    set(\${out} \"\${dir}\" PARENT_SCOPE)
  endfunction()
  dp_full(DP_LIBDIR \"${CMAKE_INSTALL_LIBDIR}\")
  dp_full(DP_INCLUDEDIR \"${CMAKE_INSTALL_INCLUDEDIR}\")
  dp_full(DP_SBINDIR \"${CMAKE_INSTALL_SBINDIR}\")
  set(DP_VERSION \"${PROJECT_VERSION}\")
  set(DP_PRIVATE_LIBS \"-pthread ${dp_private_words}\")
  configure_file(\"${PROJECT_SOURCE_DIR}/cmake/danpool.pc.in\"
    \"${PROJECT_BINARY_DIR}/danpool.pc\" @ONLY)
  configure_file(\"${PROJECT_SOURCE_DIR}/deploy/danpoold.service.in\"
    \"${PROJECT_BINARY_DIR}/danpoold.service\" @ONLY)")
install(FILES ${PROJECT_BINARY_DIR}/danpool.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(TARGET danpoold)
  install(TARGETS danpoold DESTINATION ${CMAKE_INSTALL_SBINDIR})
  install(FILES ${PROJECT_BINARY_DIR}/danpoold.service DESTINATION lib/systemd/system)
  install(FILES deploy/danpoold.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
  install(FILES docs/man/danpoold.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
  install(FILES docs/man/danpoold.conf.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
endif()
if(TARGET danpool-decoder)
  # Beside bin and sbin, where both programs look for it.
  install(TARGETS danpool-decoder DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/danpool)
endif()
if(TARGET danpoolctl)
  install(TARGETS danpoolctl)
  install(FILES docs/man/danpoolctl.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
if(TARGET danpool_wasm)
  install(FILES ${PROJECT_BINARY_DIR}/src/wasm/danpool.wasm
    DESTINATION ${CMAKE_INSTALL_DATADIR}/danpool)
endif()
# Peers of a share in other languages, beside the format that they follow.
install(DIRECTORY clients DESTINATION ${CMAKE_INSTALL_DATADIR}/danpool
  PATTERN node_modules EXCLUDE PATTERN __pycache__ EXCLUDE)
install(FILES docs/share.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(DP_AWK)
  install(DIRECTORY ${PROJECT_BINARY_DIR}/man3 DESTINATION ${CMAKE_INSTALL_MANDIR})
else()
  install(FILES docs/man/danpool.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3)
endif()
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
