/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: what a share asks of Linux beside sealed memory (memfd.h): who is alive, a barrier for
 * everybody, and descriptors over a socket.
 *
 * Liveness is a lock of the kernel's, so nobody can forget it: the owner locks a byte of the
 * control through the very file description that it then hands to the peer, and looks at it through
 * another one.  Such a lock (F_OFD_SETLK) lasts until the last descriptor and the last mapping of
 * that description are gone, in whichever process they were.
 */
#ifndef DP_POOL_SHARE_OS_H
#define DP_POOL_SHARE_OS_H

#include <stdbool.h>
#include <stddef.h>

#include <danpool/status.h>

/*
 * A new file description of the same memory, for reading or for both.  DP_ERR_UNSUPPORTED (no
 * /proc), DP_ERR_NOMEM (descriptors), DP_ERR_IO.
 */
dp_status share_fd_reopen(int fd, bool writable, int *out);

/* Takes the lock of one byte for the description; false when another one has it. */
bool share_lock_take(int fd, int byte);
/* True when another description has it. */
bool share_lock_is_held(int fd, int byte);

/*
 * When it returns, every core has passed a full barrier: what a peer stored before a load that
 * missed our last store can be seen here.  Peers then need no barrier of their own, which Python
 * could not give.  Milliseconds.
 */
void share_barrier_all(void);

/* Fills with bytes of the kernel's generator. */
void share_random(void *bytes, size_t size_bytes);

/* Two descriptors and SHARE_HELLO in one message.  See dp_share_send() and dp_share_recv(). */
#define SHARE_HELLO       "DPSHARE1"
#define SHARE_HELLO_BYTES 8u
dp_status share_fds_send(int socket_fd, const int fds[2]);
dp_status share_fds_recv(int socket_fd, int fds[2]);

#endif
