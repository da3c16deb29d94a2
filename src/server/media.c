/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks in flight stand in one short list under the store's lock; each has the uploads that wait
 * for it. The lock is never held over hashing, rendering or a pmem commit.  A task is unlinked
 * after the picture is in the cache: whoever comes later finds it there, whoever came earlier is on
 * the list.
 */
#include "server/media.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "pool/os.h"
#include "server/ops/log.h"
#include "server/ops/metrics.h"

/* A scene is of the document alone; another layout of scenes is another purpose. */
#define SCENE_PURPOSE "danpool scene 1"

typedef struct media_task {
    struct media_task *next;
    media_store *store;
    dp_cache_key key;
    dp_cache_key scene_key; /* of a drawing */
    media_upload *waiting;
    uint64_t tenant; /* the room of the first of them, which stays while the task does */
    uint64_t begun_ns;
} media_task;

struct media_store {
    media_config config;
    pthread_mutex_t lock;
    media_task *tasks;
    unsigned in_flight;
};

dp_status media_store_create(const media_config *config, media_store **out)
{
    media_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return DP_ERR_NOMEM;
    }
    store->config = *config;
    pthread_mutex_init(&store->lock, NULL);
    *out = store;
    return DP_OK;
}

void media_store_destroy(media_store *store)
{
    if (store == NULL) {
        return;
    }
    DP_ASSERT(store->tasks == NULL);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

unsigned media_in_flight(media_store *store)
{
    pthread_mutex_lock(&store->lock);
    unsigned count = store->in_flight;
    pthread_mutex_unlock(&store->lock);
    return count;
}

/* The bytes and what is to become of them. */
static dp_status hash_source(const dp_buf *source, const char *purpose, dp_cache_key *out)
{
    unsigned size_bytes = DP_CACHE_KEY_BYTES;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, purpose, strlen(purpose) + 1) == 1 &&
                EVP_DigestUpdate(context, dp_buf_data(source), dp_buf_size(source)) == 1 &&
                EVP_DigestFinal_ex(context, out->bytes, &size_bytes) == 1;
    EVP_MD_CTX_free(context);
    return good ? DP_OK : DP_ERR_NOMEM;
}

/* Where two engines could draw the same document, what each made is cached apart. */
static dp_status hash_picture(const media_store *store, const dp_buf *source, uint32_t width_max,
                              uint32_t height_max, dp_cache_key *out)
{
    char purpose[64];
    (void)snprintf(purpose, sizeof purpose, "danpool media 3 %ux%u webp%s", (unsigned)width_max,
                   (unsigned)height_max, store->config.own_engine_only ? " own" : "");
    return hash_source(source, purpose, out);
}

static void id_write(const dp_cache_key *key, char *to)
{
    for (size_t i = 0; i < DP_CACHE_KEY_BYTES; i++) {
        snprintf(to + 2 * i, 3, "%02x", key->bytes[i]);
    }
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool id_read(const char *id, size_t id_bytes, dp_cache_key *out)
{
    if (id_bytes != MEDIA_ID_BYTES) {
        return false;
    }
    for (size_t i = 0; i < DP_CACHE_KEY_BYTES; i++) {
        int high = hex_value(id[2 * i]);
        int low = hex_value(id[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out->bytes[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static dp_status find_key(media_store *store, const dp_cache_key *key, dp_buf **out,
                          media_meta *meta)
{
    dp_cache_entry entry;
    dp_status status = dp_cache_lookup(store->config.cache, key, &entry);
    if (status != DP_OK) {
        return status;
    }
    if (entry.meta_bytes == sizeof *meta) {
        memcpy(meta, entry.meta, sizeof *meta);
    }
    if (entry.meta_bytes != sizeof *meta || meta->version != MEDIA_META_VERSION) {
        /* Written by another version into the same pmem file: as good as not there. */
        dp_put(entry.buf);
        return DP_ERR_NOT_FOUND;
    }
    meta->engine[sizeof meta->engine - 1] = '\0';
    *out = entry.buf;
    return DP_OK;
}

dp_status media_find(media_store *store, const char *id, size_t id_bytes, dp_buf **out,
                     media_meta *meta)
{
    dp_cache_key key;
    if (!id_read(id, id_bytes, &key)) {
        return DP_ERR_NOT_FOUND;
    }
    return find_key(store, &key, out, meta);
}

static void refuse(media_result *result, dp_status status, const char *why)
{
    switch (status) {
    case DP_ERR_TOO_LARGE:
        result->error = PROTOCOL_TOO_LARGE;
        break;
    case DP_ERR_UNSUPPORTED:
        result->error = PROTOCOL_UNSUPPORTED_MEDIA;
        break;
    case DP_ERR_BUSY:
    case DP_ERR_NOMEM:
    case DP_ERR_QUOTA:
        result->error = PROTOCOL_BUSY;
        break;
    case DP_ERR_CLOSED:
        result->error = PROTOCOL_SHUTTING_DOWN;
        break;
    case DP_ERR_FORMAT:
    case DP_ERR_TIMEOUT:
    case DP_ERR_INVALID:
    case DP_ERR_CORRUPT:
        result->error = PROTOCOL_BAD_MEDIA;
        break;
    default:
        result->error = PROTOCOL_INTERNAL;
        break;
    }
    snprintf(result->message, sizeof result->message, "%s", why);
}

static void keep_picture(media_task *task, const dp_render_result *rendered, media_result *result)
{
    const dp_render_picture *picture = &rendered->pictures[0];
    result->meta = (media_meta){.version = MEDIA_META_VERSION,
                                .width = picture->width,
                                .height = picture->height,
                                .frames = picture->frame_count,
                                .format = picture->format,
                                .source_format = rendered->source_format};
    snprintf(result->meta.engine, sizeof result->meta.engine, "%s", rendered->engine);
    result->tier = dp_buf_tier(picture->bytes);
    dp_cache_entry entry = {.buf = picture->bytes,
                            .priority = DP_PRIORITY_NORMAL,
                            .persistent = true,
                            .meta_bytes = sizeof result->meta};
    memcpy(entry.meta, &result->meta, sizeof result->meta);
    bool durable = false;
    dp_status status = dp_cache_insert(task->store->config.cache, &task->key, &entry, &durable);
    dp_put(picture->bytes);
    if (status != DP_OK && status != DP_ERR_EXISTS) {
        refuse(result, status, "the finished picture could not be kept");
        log_warn("media not kept", "id=%s status=%s", result->id, dp_status_name(status));
    }
}

/* On a worker thread: keeps the picture, then answers everybody who waited for it. */
static void task_done(void *user, dp_status status, const char *why,
                      const dp_render_result *rendered)
{
    media_task *task = user;
    media_store *store = task->store;
    media_result result = {.error = PROTOCOL_OK};
    id_write(&task->key, result.id);
    if (status == DP_OK) {
        keep_picture(task, rendered, &result);
        metrics_observe(HISTOGRAM_RENDER, os_clock_ns() - task->begun_ns, 1);
    } else {
        refuse(&result, status, why);
    }
    pthread_mutex_lock(&store->lock);
    media_task **link = &store->tasks;
    while (*link != task) {
        link = &(*link)->next;
    }
    *link = task->next;
    media_upload *waiting = task->waiting;
    pthread_mutex_unlock(&store->lock);
    unsigned answered = 0;
    for (bool first = true; waiting != NULL; first = false) {
        media_upload *upload = waiting;
        waiting = upload->next;
        upload->result = result;
        upload->result.cached = !first;
        store->config.post(upload);
        answered++;
    }
    pthread_mutex_lock(&store->lock);
    store->in_flight -= answered;
    pthread_mutex_unlock(&store->lock);
    free(task);
}

static bool find_finished(media_store *store, const dp_cache_key *key, media_result *result)
{
    dp_buf *picture;
    if (find_key(store, key, &picture, &result->meta) != DP_OK) {
        return false;
    }
    result->tier = dp_buf_tier(picture);
    result->cached = true;
    dp_put(picture);
    return true;
}

typedef enum task_place { TASK_FINISHED, TASK_JOINED, TASK_NEW } task_place;

/*
 * Finds the upload's place: behind a task of the same key, or as the first of a new one.  A task is
 * unlinked after its picture is in the cache, so where no task is found the cache is asked once
 * more.
 */
static task_place find_place(media_store *store, media_task *task, media_upload *upload)
{
    pthread_mutex_lock(&store->lock);
    media_task *same = store->tasks;
    while (same != NULL && memcmp(&same->key, &task->key, sizeof task->key) != 0) {
        same = same->next;
    }
    task_place place = TASK_JOINED;
    if (same == NULL) {
        place = find_finished(store, &task->key, &upload->result) ? TASK_FINISHED : TASK_NEW;
    }
    upload->next = NULL;
    if (place == TASK_NEW) {
        task->waiting = upload;
        task->next = store->tasks;
        store->tasks = task;
    } else if (place == TASK_JOINED) {
        /* Behind the first, whose upload it was that is rendered. */
        upload->next = same->waiting->next;
        same->waiting->next = upload;
    }
    store->in_flight += place == TASK_FINISHED ? 0u : 1u;
    pthread_mutex_unlock(&store->lock);
    return place;
}

static const char *submit_message(dp_status status)
{
    switch (status) {
    case DP_ERR_BUSY:
        return "too many pictures are waiting, try again soon";
    case DP_ERR_FORMAT:
        return "not a JPEG, PNG, WebP, GIF or SVG file";
    default:
        return dp_status_message(status);
    }
}

/* Starts the rendering; refused at the door, it is answered like a failed one. */
static void task_start(media_task *task, dp_buf *source, const dp_render_output *wanted)
{
    dp_render_job job = {.source = source,
                         .outputs = {*wanted},
                         .output_count = 1,
                         .animation = DP_RENDER_KEEP_ANIMATION,
                         .tenant = task->tenant,
                         .priority = DP_PRIORITY_NORMAL,
                         .done = task_done,
                         .user = task};
    if (dp_media_sniff(dp_buf_data(source), dp_buf_size(source)) == DP_MEDIA_SVG &&
        hash_source(source, SCENE_PURPOSE, &task->scene_key) == DP_OK) {
        job.scene_key = &task->scene_key;
    }
    if (!dp_media_can_encode(DP_MEDIA_WEBP)) {
        job.outputs[0].format = dp_media_can_encode(DP_MEDIA_PNG) ? DP_MEDIA_PNG : DP_MEDIA_JPEG;
    }
    dp_status status = dp_render_submit(task->store->config.render, &job);
    if (status == DP_ERR_FORMAT) {
        task_done(task, DP_ERR_UNSUPPORTED, submit_message(status), NULL);
    } else if (status != DP_OK) {
        task_done(task, status, submit_message(status), NULL);
    }
}

bool media_submit(media_store *store, media_upload *upload, dp_buf *source, uint32_t width_max,
                  uint32_t height_max)
{
    media_task *task = calloc(1, sizeof *task);
    upload->result = (media_result){.error = PROTOCOL_OK};
    if (task == NULL || hash_picture(store, source, width_max, height_max, &task->key) != DP_OK) {
        free(task);
        refuse(&upload->result, DP_ERR_NOMEM, "no memory just now, try again");
        return true;
    }
    id_write(&task->key, upload->result.id);
    task->store = store;
    task->begun_ns = os_clock_ns();
    task->tenant = (uint64_t)(uintptr_t)upload->room;
    /* The usual repeat is found without the lock that uploads in flight share. */
    task_place place = find_finished(store, &task->key, &upload->result)
                           ? TASK_FINISHED
                           : find_place(store, task, upload);
    if (place == TASK_NEW) {
        const dp_render_output wanted = {
            .width = width_max, .height = height_max, .format = DP_MEDIA_WEBP};
        task_start(task, source, &wanted);
    } else {
        free(task);
    }
    return place == TASK_FINISHED;
}
