/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rich media: an upload's way from its bytes to a finished, cached picture.
 *
 *     media_submit -> hash -> cache hit? -> done at once
 *                          -> being rendered? -> wait with the others
 *                          -> render queue -> worker -> cache (and pmem) -> every waiter's loop
 *
 * The id is SHA-256 over the bytes and the wanted shape, so the same upload is rendered once, also
 * across restarts when there is a pmem tier.  An accepted upload is published even if its sender
 * has left.  A picture that moves stays one that moves.
 */
#ifndef DP_SERVER_MEDIA_H
#define DP_SERVER_MEDIA_H

#include <stdbool.h>

#include <danpool/cache.h>

#include "render/render.h"
#include "server/gate/identity.h"
#include "server/room/room.h"
#include "server/wire/protocol.h"

#define MEDIA_ID_BYTES (2u * DP_CACHE_KEY_BYTES)

typedef struct media_store media_store;
typedef struct media_upload media_upload;

/* Kept with the picture, in pmem too: a change of layout needs another version. */
#define MEDIA_META_VERSION 2u
typedef struct media_meta {
    uint32_t version;
    uint32_t width, height;
    uint32_t frames; /* more than 1: it moves */
    dp_media_format format, source_format;
    char engine[24];
} media_meta;

typedef struct media_result {
    protocol_error error; /* PROTOCOL_OK, or why not */
    char message[160];
    char id[MEDIA_ID_BYTES + 1];
    media_meta meta;
    dp_tier_id tier;
    bool cached;
} media_result;

/* One accepted upload; made by media_submit, freed by media_upload_free on its loop. */
struct media_upload {
    void *loop;    /* where the answer goes */
    void *wsi;     /* of the sender, NULL once he has left; the loop's alone */
    dp_room *room; /* one reference; its share of the renderers is used */
    identity who;  /* the sender, who may have left */
    protocol_mode mode;
    media_result result;
    media_upload *next; /* in a waiting list, then in the loop's inbox */
};

/* `post` hands a finished upload to its loop; called on a worker thread. */
typedef void media_post(media_upload *upload);

typedef struct media_config {
    dp_cache *cache;
    dp_render *render;
    media_post *post;
    bool own_engine_only; /* as the render pipeline was made */
} media_config;

dp_status media_store_create(const media_config *config, media_store **out);
/* After the render pipeline is gone, so that no upload is in flight. */
void media_store_destroy(media_store *store);

/*
 * Takes an upload in.  True: upload->result is there already (cached or refused).  False: `post`
 * will be called once.  `source` stays the caller's reference.
 */
bool media_submit(media_store *store, media_upload *upload, dp_buf *source, uint32_t width_max,
                  uint32_t height_max);

/* A finished picture by its id; DP_ERR_NOT_FOUND (also for what is no id).  One reference in *out.
 */
dp_status media_find(media_store *store, const char *id, size_t id_bytes, dp_buf **out,
                     media_meta *meta);

/* Uploads between media_submit and post. */
unsigned media_in_flight(media_store *store);

#endif
