/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploads: rendered once, found again by id, refused in words; with the real pool, cache and
 * renderer.
 */
#include "cm.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <danpool/stats.h>

#include "server/media.h"

#define UPLOADS 8

static const char sticker[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"40\">"
    "<circle cx=\"20\" cy=\"20\" r=\"18\" fill=\"#f60\"/></svg>";

typedef struct fixture {
    dp_pool *pool;
    dp_cache *cache;
    dp_render *render;
    media_store *store;
} fixture;

static pthread_mutex_t posted_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t posted_more = PTHREAD_COND_INITIALIZER;
static unsigned posted;

static void count_post(media_upload *upload)
{
    (void)upload;
    pthread_mutex_lock(&posted_lock);
    posted++;
    pthread_cond_signal(&posted_more);
    pthread_mutex_unlock(&posted_lock);
}

static void wait_for_posts(unsigned count)
{
    pthread_mutex_lock(&posted_lock);
    while (posted < count) {
        pthread_cond_wait(&posted_more, &posted_lock);
    }
    pthread_mutex_unlock(&posted_lock);
}

static int set_up(void **state)
{
    fixture *made = calloc(1, sizeof *made);
    dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    dp_cache_config cache_config = {.host_bytes_max = 1u << 20};
    dp_render_config render_config = {.workers = 2};
    assert_int_equal(dp_pool_create(&pool_config, &made->pool), DP_OK);
    assert_int_equal(dp_cache_create(made->pool, &cache_config, &made->cache), DP_OK);
    assert_int_equal(dp_render_create(made->pool, &render_config, &made->render), DP_OK);
    media_config config = {.cache = made->cache, .render = made->render, .post = count_post};
    assert_int_equal(media_store_create(&config, &made->store), DP_OK);
    posted = 0;
    *state = made;
    return 0;
}

static int tear_down(void **state)
{
    fixture *made = *state;
    dp_render_destroy(made->render);
    media_store_destroy(made->store);
    dp_cache_destroy(made->cache);
    dp_stats stats;
    dp_stats_read(made->pool, &stats);
    assert_int_equal(stats.tiers[DP_TIER_HOST].used_bytes, 0);
    dp_pool_destroy(made->pool);
    free(made);
    return 0;
}

static dp_buf *source_of(fixture *made, const char *text)
{
    dp_request request = {
        .size_bytes = strlen(text), .kind = DP_KIND_ENCODED, .need = DP_NEED_HOST};
    dp_buf *source;
    assert_int_equal(dp_get(made->pool, &request, &source), DP_OK);
    assert_int_equal(dp_buf_write(source, 0, text, strlen(text)), DP_OK);
    return source;
}

static void the_same_upload_is_rendered_once(void **state)
{
    fixture *made = *state;
    if (!dp_media_can_decode(DP_MEDIA_SVG)) {
        skip();
    }
    dp_buf *source = source_of(made, sticker);
    media_upload uploads[UPLOADS];
    memset(uploads, 0, sizeof uploads);
    unsigned later = 0;
    for (unsigned i = 0; i < UPLOADS; i++) {
        later += media_submit(made->store, &uploads[i], source, 160, 160) ? 0u : 1u;
    }
    wait_for_posts(later);
    unsigned rendered = 0;
    for (unsigned i = 0; i < UPLOADS; i++) {
        assert_int_equal(uploads[i].result.error, PROTOCOL_OK);
        assert_string_equal(uploads[i].result.id, uploads[0].result.id);
        assert_int_equal(uploads[i].result.meta.width, 160);
        rendered += uploads[i].result.cached ? 0u : 1u;
    }
    assert_int_equal(rendered, 1);
    dp_render_stats stats;
    dp_render_stats_read(made->render, &stats);
    assert_int_equal(stats.submitted, 1);
    dp_put(source);
}

static void a_finished_picture_is_found_by_its_id_and_by_no_other(void **state)
{
    fixture *made = *state;
    if (!dp_media_can_decode(DP_MEDIA_SVG)) {
        skip();
    }
    dp_buf *source = source_of(made, sticker);
    media_upload upload = {.loop = NULL};
    assert_false(media_submit(made->store, &upload, source, 64, 64));
    wait_for_posts(1);
    dp_put(source);
    dp_buf *picture;
    media_meta meta;
    assert_int_equal(media_find(made->store, upload.result.id, MEDIA_ID_BYTES, &picture, &meta),
                     DP_OK);
    assert_int_equal(meta.width, 64);
    assert_int_equal(meta.source_format, DP_MEDIA_SVG);
    assert_int_equal(meta.frames, 1);
    dp_put(picture);
    upload.result.id[0] = upload.result.id[0] == '0' ? '1' : '0';
    assert_int_equal(media_find(made->store, upload.result.id, MEDIA_ID_BYTES, &picture, &meta),
                     DP_ERR_NOT_FOUND);
    assert_int_equal(media_find(made->store, "../../etc/passwd", 16, &picture, &meta),
                     DP_ERR_NOT_FOUND);
}

static void what_is_no_picture_is_refused_in_words(void **state)
{
    fixture *made = *state;
    dp_buf *source = source_of(made, "plain words");
    media_upload upload = {.loop = NULL};
    if (!media_submit(made->store, &upload, source, 160, 160)) {
        wait_for_posts(1);
    }
    assert_int_equal(upload.result.error, PROTOCOL_UNSUPPORTED_MEDIA);
    assert_true(strlen(upload.result.message) > 0);
    assert_int_equal(media_in_flight(made->store), 0);
    dp_put(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_upload_is_rendered_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_finished_picture_is_found_by_its_id_and_by_no_other,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_picture_is_refused_in_words, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
