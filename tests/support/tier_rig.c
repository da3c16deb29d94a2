/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything here is a function of its arguments, so a child process and its parent agree on what
 * a number's key and content are without telling each other.  No cmocka, so children may use it.
 */
#include "tier_rig.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dp_features.h"
#include "pool/os.h"

#if DP_HAVE_PMEM
#include <libpmemobj/iterator_base.h>
#include <libpmemobj/pool_base.h>

size_t rig_heap_count(const char *path, uint64_t type)
{
    PMEMobjpool *pop = pmemobj_open(path, "danpool.v2");
    DP_ASSERT(pop != NULL);
    size_t count = 0;
    for (PMEMoid oid = pmemobj_first(pop); !OID_IS_NULL(oid); oid = pmemobj_next(oid)) {
        count += pmemobj_type_num(oid) == type;
    }
    pmemobj_close(pop);
    return count;
}
#endif

void rig_directory_make(char path[RIG_PATH_BYTES])
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(path, RIG_PATH_BYTES, "%s/danpool-test-XXXXXX", base);
    DP_ASSERT(mkdtemp(path) != NULL);
}

const char *rig_path(const char *directory, const char *name)
{
    static char path[2 * RIG_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

void rig_directory_remove(const char *path)
{
    DIR *directory = opendir(path);
    DP_ASSERT(directory != NULL);
    for (const struct dirent *file = readdir(directory); file != NULL; file = readdir(directory)) {
        (void)unlink(rig_path(path, file->d_name)); /* "." and ".." refuse */
    }
    closedir(directory);
    (void)rmdir(path);
}

dp_tier *rig_pmem_open(const char *path)
{
    tier_open_args args = {.pmem_path = path, .pmem_size_bytes = RIG_FILE_BYTES};
    char detail[96] = "";
    dp_tier *tier = NULL;
    dp_status status = tier_open(DP_TIER_PMEM, &args, detail, &tier);
    if (status != DP_OK) {
        fprintf(stderr, "pmem: %s: %s\n", dp_status_name(status), detail);
    }
    DP_ASSERT(status == DP_OK);
    return tier;
}

uint64_t rig_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

dp_cache_key rig_key(uint64_t number)
{
    dp_cache_key key;
    rig_fill(&key, sizeof key, ~number);
    return key;
}

void rig_fill(void *bytes, size_t size_bytes, uint64_t number)
{
    unsigned char *at = bytes;
    uint64_t state = number;
    while (size_bytes > 0) {
        uint64_t word = rig_random(&state);
        size_t step = size_bytes < sizeof word ? size_bytes : sizeof word;
        memcpy(at, &word, step);
        at += step;
        size_bytes -= step;
    }
}

bool rig_is_filled(const void *bytes, size_t size_bytes, uint64_t number)
{
    const unsigned char *at = bytes;
    uint64_t state = number;
    bool same = true;
    while (size_bytes > 0 && same) {
        uint64_t word = rig_random(&state);
        size_t step = size_bytes < sizeof word ? size_bytes : sizeof word;
        same = memcmp(at, &word, step) == 0;
        at += step;
        size_bytes -= step;
    }
    return same;
}

static tier_object object_of(uint64_t number, size_t size_bytes)
{
    tier_object object = {.size_bytes = size_bytes,
                          .priority = (dp_priority)(number % DP_PRIORITY_COUNT),
                          .kind = (dp_kind)(number % DP_KIND_COUNT),
                          .meta_bytes = number % (DP_CACHE_META_BYTES_MAX + 1)};
    rig_fill(object.meta, object.meta_bytes, number + 1);
    return object;
}

dp_status rig_commit(dp_tier *tier, uint64_t number, size_t size_bytes)
{
    tier_object object = object_of(number, size_bytes);
    dp_cache_key key = rig_key(number);
    void *bytes = malloc(size_bytes);
    DP_ASSERT(bytes != NULL);
    rig_fill(bytes, size_bytes, number);
    object.data = bytes;
    dp_status status = tier_store_commit(tier, &key, &object);
    free(bytes);
    return status;
}

dp_status rig_check(dp_tier *tier, uint64_t number, size_t size_bytes)
{
    tier_object expected = object_of(number, size_bytes);
    tier_object object;
    dp_cache_key key = rig_key(number);
    dp_status status = tier_store_find(tier, &key, &object);
    if (status != DP_OK) {
        return status;
    }
    bool same = object.size_bytes == size_bytes && object.priority == expected.priority &&
                object.kind == expected.kind && object.meta_bytes == expected.meta_bytes &&
                memcmp(object.meta, expected.meta, expected.meta_bytes) == 0 &&
                rig_is_filled(object.data, size_bytes, number);
    tier_store_release(tier, &object);
    return same ? DP_OK : DP_ERR_FORMAT;
}

static bool count_one(void *user, const dp_cache_key *key, const tier_object *object)
{
    (void)key;
    (void)object;
    (*(size_t *)user)++;
    return true;
}

size_t rig_count(dp_tier *tier)
{
    size_t count = 0;
    tier_store_each(tier, count_one, &count);
    return count;
}

bool rig_damage_bytes(const char *path, const unsigned char *bytes, size_t size_bytes)
{
    unsigned char *file = malloc(RIG_FILE_BYTES);
    FILE *stream = fopen(path, "r+b");
    DP_ASSERT(file != NULL && stream != NULL);
    DP_ASSERT(fread(file, 1, RIG_FILE_BYTES, stream) == RIG_FILE_BYTES);
    size_t last = size_bytes - 1;
    bool done = false;
    for (size_t i = 0; i + size_bytes <= RIG_FILE_BYTES && !done; i++) {
        if (file[i] == bytes[0] && memcmp(file + i, bytes, size_bytes) == 0) {
            DP_ASSERT(fseek(stream, (long)(i + last), SEEK_SET) == 0);
            DP_ASSERT(fputc(bytes[last] ^ 1, stream) != EOF);
            done = true;
        }
    }
    DP_ASSERT(fclose(stream) == 0);
    free(file);
    return done;
}

bool rig_damage(const char *path, uint64_t number)
{
    unsigned char start[64];
    rig_fill(start, sizeof start, number);
    return rig_damage_bytes(path, start, sizeof start);
}
