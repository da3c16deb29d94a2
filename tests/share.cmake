# SPDX-License-Identifier: Apache-2.0
# Sharing across processes: format, owner and peer, hostile ones, and the consumers in clients/.
if(CMOCKA_FOUND)
  foreach(unit share_space share_format share share_hostile
      share_peers share_threads)
    dp_test(test_${unit} LINK danpool)
  endforeach()
endif()
