/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comment text made harmless: no control or direction-override characters, trimmed, counted.
 *
 * What is removed: C0, DEL, C1, U+200E, U+200F, U+202A to U+202E, U+2028, U+2029, U+2066 to U+2069
 * and U+FEFF.  They are invisible and can reorder, break or hide what stands around them
 * (Unicode Technical Report 36, section 2.4).  U+200D and variation selectors stay, since emoji are
 * made of them.
 */
#ifndef DP_SERVER_TEXT_H
#define DP_SERVER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* True when the bytes are UTF-8 as RFC 3629 has it: no overlong forms, no surrogates. */
bool text_is_utf8(const void *bytes, size_t size_bytes);

/*
 * Cleans `size_bytes` of text into `to`, which holds at least as many bytes and may be `bytes`
 * itself.  Returns the bytes written, never more than came, and puts the number of code points into
 * *chars_out.  White space (Unicode's White_Space) at both ends is cut.  What is not UTF-8 (a lone
 * surrogate that a JSON escape made) becomes U+FFFD, or '?' where that would not fit: the result is
 * always UTF-8.  Thread safe; one pass.
 */
size_t text_clean(const char *bytes, size_t size_bytes, char *to, size_t *chars_out);

#endif
