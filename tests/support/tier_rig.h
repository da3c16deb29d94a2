/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of tiers and cache share: a temporary directory for pool files, keys and contents
 * that are made from a number, and an opener that fails the test in words.
 */
#ifndef DP_TESTS_TIER_RIG_H
#define DP_TESTS_TIER_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool/tier.h"

#define RIG_PATH_BYTES 256
#define RIG_FILE_BYTES ((size_t)16 << 20)
/* Type numbers in the heap of a pool file: an object's bytes, a leaf of the directory. */
#define RIG_ENTRY_TYPE UINT64_C(0x64616e04)
#define RIG_LEAF_TYPE  UINT64_C(0x64616e03)

/* A fresh directory, on /dev/shm where that is writable, since msync costs nothing there. */
void rig_directory_make(char path[RIG_PATH_BYTES]);
/* Removes it and the files in it. */
void rig_directory_remove(const char *path);
/* "<directory>/<name>" in static memory, until the next call. */
const char *rig_path(const char *directory, const char *name);

/* Opens the pmem tier on a file of RIG_FILE_BYTES; asserts that it works. */
dp_tier *rig_pmem_open(const char *path);

/* A well spread key for a number, and the number's own bytes for a content of that size. */
dp_cache_key rig_key(uint64_t number);
void rig_fill(void *bytes, size_t size_bytes, uint64_t number);
bool rig_is_filled(const void *bytes, size_t size_bytes, uint64_t number);

/* Commits rig_fill(number) of that size under rig_key(number), the number's bytes as meta data. */
dp_status rig_commit(dp_tier *tier, uint64_t number, size_t size_bytes);
/* Finds it, compares every byte, releases it.  DP_ERR_FORMAT: found with wrong bytes. */
dp_status rig_check(dp_tier *tier, uint64_t number, size_t size_bytes);
size_t rig_count(dp_tier *tier);

/* What the heap of a closed file holds of that type, by libpmemobj's own account. */
size_t rig_heap_count(const char *path, uint64_t type);

/* Changes one bit of the payload of `number` (64 bytes at least) in a closed file; false: not
 * there. */
bool rig_damage(const char *path, uint64_t number);
/* Changes one bit where these bytes stand in a closed file; false: they do not. */
bool rig_damage_bytes(const char *path, const unsigned char *bytes, size_t size_bytes);

/* splitmix64: a small generator whose whole state is one number, so a printed seed repeats a run.
 */
uint64_t rig_random(uint64_t *state);

#endif
