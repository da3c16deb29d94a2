/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parked connections (tarpit.h): an unordered array that is looked through, since it is looked at a
 * few times a second and holds 64 KiB at most.
 */
#include "server/conn/tarpit.h"

#include <unistd.h>

#include "pool/os.h"

bool tarpit_park(tarpit *in, int fd, uint64_t at_ns)
{
    if (in->places == NULL) {
        in->places = os_calloc(TARPIT_PLACES, sizeof *in->places);
    }
    if (in->places == NULL || in->count == TARPIT_PLACES) {
        return false;
    }
    in->places[in->count++] = (tarpit_place){.at_ns = at_ns, .fd = fd};
    return true;
}

int tarpit_take(tarpit *from, uint64_t now_ns)
{
    for (size_t i = 0; i < from->count; i++) {
        if (from->places[i].at_ns <= now_ns) {
            int fd = from->places[i].fd;
            from->places[i] = from->places[--from->count];
            return fd;
        }
    }
    return -1;
}

void tarpit_close(tarpit *all)
{
    while (all->count > 0) {
        close(all->places[--all->count].fd);
    }
    os_free(all->places);
    all->places = NULL;
}
