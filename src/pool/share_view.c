/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: a peer's side of a share: attach, acquire, release.
 *
 * Whoever made the two files is a stranger.  Sizes come from the kernel, never from the header; the
 * header is copied once and checked in the copy; a grant's words are read once and checked before
 * they become an address.  What this peer holds it knows from private memory alone.
 *
 * The lock makes "look at the grant, claim it, look again" one step among this process's threads:
 * else a late one could overwrite the claim of the next life of the same entry.  Against the owner
 * the order does it; see share_slot.c.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pool/memfd.h"
#include "pool/os.h"
#include "pool/share_format.h"
#include "pool/share_os.h"

/* What this peer did with the entry last. */
typedef struct view_grant {
    uint64_t held;     /* serial, 0: none */
    uint64_t released; /* serial */
} view_grant;

struct dp_share_view {
    pthread_mutex_t lock;
    share_layout layout;
    int control_fd;
    char *control;
    const char *data;
    uint64_t held_count;
    view_grant grants[];
};

dp_status dp_share_recv(int socket_fd, int *control_fd, int *data_fd)
{
    int fds[2];
    dp_status status = share_fds_recv(socket_fd, fds);
    if (status != DP_OK)
        return status;
    *control_fd = fds[0];
    *data_fd = fds[1];
    return DP_OK;
}

/* ---- attaching ---- */

static const share_header *header_of(const dp_share_view *view)
{
    return (const share_header *)(const void *)view->control;
}

/* Both files mapped, the header checked; on failure nothing is mapped. */
static dp_status files_map(int control_fd, int data_fd, void **control, void **data,
                           share_layout *layout)
{
    size_t control_bytes = 0;
    size_t data_bytes = 0;
    dp_status status = memfd_attach(control_fd, MEMFD_WRITE, control, &control_bytes);
    if (status != DP_OK)
        return status;
    status = memfd_attach(data_fd, MEMFD_READ, data, &data_bytes);
    if (status == DP_OK) {
        share_header copy; /* a mapping has a page at least, more than this */
        memcpy(&copy, *control, sizeof copy);
        status = share_header_check(&copy, control_bytes, data_bytes, layout);
        if (status != DP_OK)
            memfd_unmap(*data, data_bytes);
    }
    if (status != DP_OK)
        memfd_unmap(*control, control_bytes);
    return status;
}

static dp_status view_make(const share_layout *layout, int control_fd, dp_share_view **out)
{
    dp_share_view *view =
        os_calloc(1, sizeof *view + (size_t)layout->grants * sizeof view->grants[0]);
    if (view == NULL)
        return DP_ERR_NOMEM;
    view->control_fd = fcntl(control_fd, F_DUPFD_CLOEXEC, 3);
    if (view->control_fd < 0) {
        os_free(view);
        return DP_ERR_NOMEM;
    }
    os_mutex_init(&view->lock);
    view->layout = *layout;
    *out = view;
    return DP_OK;
}

dp_status dp_share_attach(int control_fd, int data_fd, dp_share_view **out)
{
    DP_ASSERT(out != NULL);
    share_layout layout;
    void *control = NULL;
    void *data = NULL;
    dp_status status = files_map(control_fd, data_fd, &control, &data, &layout);
    if (status != DP_OK)
        return status;
    dp_share_view *view = NULL;
    /* Ours already when the descriptor was passed on; through another one we would count as dead.
     */
    if (!share_lock_take(control_fd, SHARE_LOCK_PEER))
        status = DP_ERR_BUSY;
    else
        status = view_make(&layout, control_fd, &view);
    if (status != DP_OK) {
        memfd_unmap(data, layout.data_bytes);
        memfd_unmap(control, layout.control_bytes);
        return status;
    }
    view->control = control;
    view->data = data;
    *out = view;
    return DP_OK;
}

void dp_share_detach(dp_share_view *view)
{
    if (view == NULL)
        return;
    DP_ASSERT(view->held_count == 0);
    /* The data first: as long as the control is mapped, we count as alive. */
    memfd_unmap((void *)(uintptr_t)view->data, view->layout.data_bytes);
    memfd_unmap(view->control, view->layout.control_bytes);
    (void)close(view->control_fd);
    os_mutex_destroy(&view->lock);
    os_free(view);
}

/* ---- claiming ---- */

static share_token token_read(const dp_share_token *token)
{
    share_token read;
    memcpy(&read, token->bytes, sizeof read);
    return read;
}

/* Under the lock; the token is possible. */
static dp_status claim(dp_share_view *view, const share_token *token, uint64_t *offset_bytes)
{
    char *control = view->control;
    share_grant_entry *entry =
        (share_grant_entry *)(void *)(control + view->layout.grants_offset) + token->grant;
    share_claim_entry *mine =
        (share_claim_entry *)(void *)(control + view->layout.claims_offset) + token->grant;
    view_grant *grant = &view->grants[token->grant];
    if (grant->held == token->serial)
        return DP_ERR_EXISTS;
    if (grant->held != 0 || grant->released == token->serial ||
        atomic_load_explicit(&entry->serial, memory_order_acquire) != token->serial)
        return DP_ERR_NOT_FOUND;
    uint64_t offset = atomic_load_explicit(&entry->offset_bytes, memory_order_acquire);
    uint64_t size = atomic_load_explicit(&entry->size_bytes, memory_order_acquire);
    dp_status status = share_grant_check(&view->layout, token, offset, size);
    if (status != DP_OK)
        return status;
    atomic_store_explicit(&mine->claimed, token->serial, memory_order_seq_cst);
    if (atomic_load_explicit(&entry->serial, memory_order_seq_cst) != token->serial) {
        /* Withdrawn meanwhile; the owner may have seen the claim and wait for this. */
        atomic_store_explicit(&mine->released, token->serial, memory_order_release);
        return DP_ERR_NOT_FOUND;
    }
    grant->held = token->serial;
    view->held_count++;
    *offset_bytes = offset;
    return DP_OK;
}

dp_status dp_share_acquire(dp_share_view *view, const dp_share_token *token, const void **data,
                           size_t *size_bytes)
{
    DP_ASSERT(view != NULL && token != NULL && data != NULL && size_bytes != NULL);
    share_token wanted = token_read(token);
    dp_status status = share_token_check(&view->layout, &wanted);
    if (status != DP_OK)
        return status;
    if (atomic_load_explicit(&header_of(view)->state, memory_order_acquire) != SHARE_OPEN)
        return DP_ERR_CLOSED;
    uint64_t offset_bytes = 0;
    os_lock(&view->lock);
    status = claim(view, &wanted, &offset_bytes);
    os_unlock(&view->lock);
    if (status != DP_OK)
        return status;
    *data = view->data + offset_bytes;
    *size_bytes = wanted.size_bytes; /* checked against the grant's */
    return DP_OK;
}

dp_status dp_share_release(dp_share_view *view, const dp_share_token *token)
{
    DP_ASSERT(view != NULL && token != NULL);
    share_token given = token_read(token);
    dp_status status = share_token_check(&view->layout, &given);
    if (status != DP_OK)
        return status;
    share_claim_entry *mine =
        (share_claim_entry *)(void *)(view->control + view->layout.claims_offset) + given.grant;
    view_grant *grant = &view->grants[given.grant];
    os_lock(&view->lock);
    bool held = grant->held == given.serial;
    if (held) {
        grant->held = 0;
        grant->released = given.serial;
        view->held_count--;
        /* Release: every read of the bytes comes before the block's next life. */
        atomic_store_explicit(&mine->released, given.serial, memory_order_release);
    }
    os_unlock(&view->lock);
    return held ? DP_OK : DP_ERR_NOT_FOUND;
}

/* ---- facts ---- */

const char *dp_share_view_name(const dp_share_view *view)
{
    return view->layout.name;
}

uint32_t dp_share_view_peer(const dp_share_view *view)
{
    return view->layout.peer;
}

bool dp_share_view_is_open(const dp_share_view *view)
{
    return atomic_load_explicit(&header_of(view)->state, memory_order_acquire) == SHARE_OPEN &&
           share_lock_is_held(view->control_fd, SHARE_LOCK_OWNER);
}
