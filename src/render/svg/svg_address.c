/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses: no reference of a stranger's document is followed out of it.
 */
#include "render/svg/svg_address.h"

#include <string.h>
#include <strings.h>

static int begins(const char *text, const char *word)
{
    return strncasecmp(text, word, strlen(word)) == 0;
}

const char *svg_find_word(const char *text, const char *word)
{
    for (; *text != '\0'; text++) {
        if (begins(text, word)) {
            return text;
        }
    }
    return NULL;
}

const char *svg_address_outside(const char *address)
{
    if (begins(address, "data:")) {
        return "svg embeds something that is not a png, jpeg, webp or gif picture in base64";
    }
    if (begins(address, "http:") || begins(address, "https:") || begins(address, "//") ||
        begins(address, "ftp:")) {
        return "svg refers to another site";
    }
    return "svg refers to a local file";
}

/* Behind "url(", an opening quote, and spaces around it. */
static const char *address_of(const char *css)
{
    css += 4;
    css += strspn(css, " \t\r\n\f");
    if (*css == '"' || *css == '\'') {
        css++;
        css += strspn(css, " \t\r\n\f");
    }
    return css;
}

const char *svg_css_refusal(const char *css)
{
    if (strchr(css, '\\') != NULL) {
        return "svg has escapes in its styles";
    }
    /* Most values are short words and numbers. */
    if (strchr(css, '@') != NULL && svg_find_word(css, "@import") != NULL) {
        return "svg imports a style sheet";
    }
    if (strchr(css, '(') == NULL) {
        return NULL;
    }
    for (css = svg_find_word(css, "url("); css != NULL; css = svg_find_word(css, "url(")) {
        css = address_of(css);
        if (*css != '#') {
            return svg_address_outside(css);
        }
    }
    return NULL;
}

const char *svg_css_next_id(const char *css, size_t *length)
{
    css = svg_find_word(css, "url(");
    if (css == NULL) {
        return NULL;
    }
    css = address_of(css);
    css += *css == '#';
    *length = strcspn(css, " \t\r\n\f\"')");
    return css;
}
