/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Origins are compared as they are written but for the case of letters: a browser writes scheme and
 * host in small letters and leaves out the scheme's own port.
 */
#define _DEFAULT_SOURCE /* strncasecmp */

#include "server/conn/origin.h"

#include <string.h>
#include <strings.h>

#define SEPARATORS ", \t"

static bool entry_allows(const char *entry, size_t entry_bytes, const char *origin)
{
    size_t origin_bytes = strlen(origin);
    const char *star = memchr(entry, '*', entry_bytes);
    if (star == NULL) {
        return entry_bytes == origin_bytes && strncasecmp(entry, origin, entry_bytes) == 0;
    }
    /* "https://" and ".example.org", with at least one label between them, and nothing that could
     * end the host early. */
    size_t head = (size_t)(star - entry);
    size_t tail = entry_bytes - head - 1;
    if (origin_bytes <= head + tail) {
        return false;
    }
    size_t middle = origin_bytes - head - tail;
    for (size_t i = head; i < head + middle; i++) {
        if (strchr("/:@?#\\", origin[i]) != NULL) {
            return false;
        }
    }
    return strncasecmp(entry, origin, head) == 0 &&
           strncasecmp(star + 1, origin + head + middle, tail) == 0;
}

bool origin_is_allowed(const char *list, const char *origin)
{
    if (list[0] == '\0' || origin[0] == '\0') {
        return true;
    }
    for (const char *at = list + strspn(list, SEPARATORS); *at != '\0';) {
        size_t length = strcspn(at, SEPARATORS);
        if (entry_allows(at, length, origin)) {
            return true;
        }
        at += length;
        at += strspn(at, SEPARATORS);
    }
    return false;
}

static bool entry_is_good(const char *entry, size_t entry_bytes)
{
    static const char https[] = "https://";
    static const char http[] = "http://";
    size_t scheme = strncasecmp(entry, https, sizeof https - 1) == 0 ? sizeof https - 1
                    : strncasecmp(entry, http, sizeof http - 1) == 0 ? sizeof http - 1
                                                                     : 0;
    if (scheme == 0 || scheme >= entry_bytes || memchr(entry + scheme, '/', entry_bytes - scheme)) {
        return false;
    }
    const char *star = memchr(entry, '*', entry_bytes);
    /* A star stands for whole labels at the beginning of the host, once. */
    return star == NULL ||
           (star == entry + scheme && star + 1 < entry + entry_bytes && star[1] == '.' &&
            memchr(star + 1, '*', entry_bytes - scheme - 1) == NULL);
}

const char *origin_list_wrong(const char *list)
{
    for (const char *at = list + strspn(list, SEPARATORS); *at != '\0';) {
        size_t length = strcspn(at, SEPARATORS);
        if (!entry_is_good(at, length)) {
            return at;
        }
        at += length;
        at += strspn(at, SEPARATORS);
    }
    return NULL;
}
