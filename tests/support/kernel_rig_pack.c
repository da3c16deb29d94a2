/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole sets of pictures: every scene of the packs that DANPOOL_SCENES names (paths with ':'
 * between them), in two sizes, by a batch against draw_scene().  Skipped when it names none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "kernel_rig.h"
#include "kernels/cuda_launch.h"
#include "pool/os.h"
#include "render/svg/draw_pack.h"
#include "render/svg/scene_pack.h"

#define BATCH      64u
#define SIDE_MAX   160u
#define BYTES_EACH ((size_t)SIDE_MAX * SIDE_MAX * 4)

/* What all batches share. */
typedef struct set {
    draw_context *context;
    draw_batch batch;
    draw_packer packer;
    draw_memory memory;
    uint64_t targets; /* BATCH of BYTES_EACH */
    uint8_t *want, *got;
    uint32_t side, count;
    unsigned compared, too_large;
} set;

static void compare_batch(set *s)
{
    const size_t size_bytes = BATCH * BYTES_EACH;
    const char *failure = draw_batch_run_cuda(&s->batch, 0);

    assert_string_equal(failure == NULL ? "" : failure, "");
    assert_null(cuda_stream_wait(0));
    kernel_rig_memory->read(s->targets, s->got, size_bytes);
    for (uint32_t i = 0; i < s->count; i++) {
        assert_memory_equal(s->got + i * BYTES_EACH, s->want + i * BYTES_EACH,
                            (size_t)s->side * s->side * 4);
    }
    s->compared += s->count;
    s->count = 0;
    draw_batch_begin(&s->batch, &s->memory);
}

/* Every other one by way of a pack. */
static dp_status add_one(set *s, const scene *picture, uint64_t target)
{
    const uint32_t size[2] = {s->side, s->side};
    if (s->count % 2 == 0) {
        return draw_batch_add(&s->batch, s->context, picture, size, target);
    }
    dp_status status = draw_pack_make(&s->packer, s->context, picture, size);
    if (status == DP_OK) {
        void *pack = os_aligned(DRAW_PACK_ALIGNMENT,
                                os_align_up(s->packer.head.size_bytes, DRAW_PACK_ALIGNMENT));
        assert_non_null(pack);
        draw_pack_write(&s->packer, pack);
        status = draw_batch_put(&s->batch, pack, 0, target);
        os_free(pack);
    }
    return status;
}

static void add_scene(set *s, const scene *picture)
{
    const uint64_t target = s->targets + s->count * BYTES_EACH;

    dp_status status = add_one(s, picture, target);
    if (status == DP_ERR_BUSY && s->count != 0) {
        compare_batch(s);
        status = add_one(s, picture, s->targets);
    }
    if (status == DP_ERR_TOO_LARGE) {
        s->too_large++;
        return;
    }
    assert_int_equal(status, DP_OK);
    assert_int_equal(draw_scene(s->context, picture, s->side, s->side,
                                s->want + s->count * BYTES_EACH, (size_t)s->side * 4),
                     DP_OK);
    s->count++;
    if (s->count == BATCH) {
        compare_batch(s);
    }
}

static void compare_pack(set *s, const void *pack, size_t size_bytes)
{
    size_t offset = 0;
    scene picture;
    dp_status status;

    while ((status = scene_pack_next(pack, size_bytes, &offset, &picture)) == DP_OK) {
        add_scene(s, &picture);
    }
    assert_int_equal(status, DP_ERR_NOT_FOUND);
    compare_batch(s);
}

/* The whole file, to be freed; NULL: it is not there. */
static void *read_pack(const char *name, size_t *size_bytes)
{
    FILE *in = fopen(name, "rb");
    if (in == NULL) {
        return NULL;
    }
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    *size_bytes = (size_t)ftell(in);
    rewind(in);
    void *out = kernel_rig_bytes(*size_bytes + 1);
    assert_int_equal(fread(out, 1, *size_bytes, in), *size_bytes);
    fclose(in);
    return out;
}

static void make_set(set *s)
{
    memset(s, 0, sizeof *s);
    assert_int_equal(draw_context_create(&s->context), DP_OK);
    s->memory.size_bytes = (size_t)32 << 20;
    s->memory.spare_bytes = (size_t)128 << 20;
    s->memory.host = kernel_rig_bytes(s->memory.size_bytes);
    s->memory.device = kernel_rig_memory->take(NULL, s->memory.size_bytes);
    s->memory.spare = kernel_rig_memory->take(NULL, s->memory.spare_bytes);
    s->targets = kernel_rig_memory->take(NULL, BATCH * BYTES_EACH);
    s->want = kernel_rig_bytes(BATCH * BYTES_EACH);
    s->got = kernel_rig_bytes(BATCH * BYTES_EACH);
    draw_batch_begin(&s->batch, &s->memory);
}

static void drop_set(set *s)
{
    kernel_rig_memory->give(s->memory.device);
    kernel_rig_memory->give(s->memory.spare);
    kernel_rig_memory->give(s->targets);
    free(s->memory.host);
    free(s->want);
    free(s->got);
    draw_batch_drop(&s->batch);
    draw_packer_drop(&s->packer);
    draw_context_destroy(s->context);
}

void kernel_rig_pack(void **state)
{
    static const uint32_t sides[] = {72, SIDE_MAX};
    char *names = strdup(getenv("DANPOOL_SCENES") == NULL ? "" : getenv("DANPOOL_SCENES"));
    char *rest = names;
    unsigned packs = 0;
    set s;
    (void)state;

    assert_non_null(names);
    make_set(&s);
    for (char *name; (name = strtok_r(rest, ":", &rest)) != NULL;) {
        size_t size_bytes;
        void *pack = read_pack(name, &size_bytes);
        for (size_t i = 0; pack != NULL && i < sizeof sides / sizeof sides[0]; i++) {
            s.side = sides[i];
            compare_pack(&s, pack, size_bytes);
        }
        packs += pack != NULL;
        free(pack);
    }
    drop_set(&s);
    free(names);
    if (packs == 0) {
        printf("skipped: DANPOOL_SCENES names no scene pack\n");
        skip();
    }
    printf("packs=%u drawings=%u too_large=%u\n", packs, s.compared, s.too_large);
}
