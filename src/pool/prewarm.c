/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: warm-up.  Takes blocks as a get would, touches their pages and puts them back, so that
 * afterwards they rest where a get finds them: in the calling thread's magazines and, behind
 * those, in the depot.  More than rest there is not taken, since a put would give it back at once.
 */
#include "pool/pool_state.h"

/*
 * A byte of each page; what a block holds is undefined anyhow.  Memory that a device sees is there
 * already, and managed pages would be drawn to this side.
 */
static void touch(const dp_pool *pool, const dp_buf *buf)
{
    const dp_tier_info *info = &pool->infos[buf->tier];
    if (!info->host_visible || info->device_visible)
        return;
    size_t page_bytes = os_page_bytes();
    volatile char *bytes = buf->host;
    OS_UNPOISON(buf->host, buf->capacity_bytes);
    for (size_t at = 0; at < buf->capacity_bytes; at += page_bytes)
        bytes[at] = 0;
    bytes[buf->capacity_bytes - 1] = 0;
}

dp_status dp_prewarm(dp_pool *pool, const dp_request *request, size_t count, size_t *ready)
{
    dp_status status = buf_request_check(request);
    if (status != DP_OK)
        return status;
    router_route route = router_find(&pool->router, request);
    if (route.count == 0)
        return DP_ERR_UNSUPPORTED;
    magazine_layer *layer = &pool->magazines;
    const magazine_want want = {
        .tier = (dp_tier_id)route.tiers[0],
        .size_class = pool_class_of(pool, route.tiers[0], request->size_bytes),
    };
    size_t most = magazine_rest_max(layer, want.tier, want.size_class);
    if (count > most)
        count = most;
    dp_buf **blocks = os_calloc(count == 0 ? 1 : count, sizeof(dp_buf *));
    if (blocks == NULL)
        return DP_ERR_NOMEM;
    size_t got = 0;
    while (got < count && (status = magazine_get(layer, &want, &blocks[got])) == DP_OK)
        touch(pool, blocks[got++]);
    for (size_t i = 0; i < got; i++) {
        OS_POISON(blocks[i]->host, blocks[i]->host == NULL ? 0 : blocks[i]->capacity_bytes);
        magazine_put(layer, blocks[i]);
    }
    os_free(blocks);
    if (got == 0 && status != DP_OK)
        return status;
    *ready = got;
    return DP_OK;
}
