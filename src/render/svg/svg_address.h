/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What leads out of a document: addresses and style sheets, with the words that refuse them.  The
 * front end and the guard in front of librsvg decide alike because they ask here.
 */
#ifndef DP_RENDER_SVG_ADDRESS_H
#define DP_RENDER_SVG_ADDRESS_H

#include <stddef.h>

/* Words for an address that leads out of the document.  Static. */
const char *svg_address_outside(const char *address);

/* The first `word` in `text`, small and capital letters alike; NULL when there is none. */
const char *svg_find_word(const char *text, const char *word);

/* Words against a CSS value or sheet: escapes, imports, any url() but "#id".  NULL: it is taken. */
const char *svg_css_refusal(const char *css);

/* The id of the next url(#id) from `css` on, and its length; NULL when there is no more. */
const char *svg_css_next_id(const char *css, size_t *length);

#endif
