/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warming up; see warm.h.
 *
 * Fonts are the one thing that a drawing may still ask for by name when no file can be opened any
 * more.  So a few files are chosen, by asking fontconfig for what every drawing falls back to, and
 * every other font is struck from its list: whatever family a text names, fontconfig's own rules
 * then end at one of these, which a drawing made here has opened.  Cairo keeps ten faces open at a
 * time, hence FONT_FILES_MAX, and Pango's font map stays for the life of the process.
 */
#include "decoder/warm.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "dp_features.h"
#include "pool/os.h"
#include "render/codec.h"

#if DP_HAVE_LIBRSVG
#include <glib.h>
#endif

#if DP_HAVE_FONTCONFIG && DP_HAVE_PANGOCAIRO && DP_HAVE_LIBRSVG

#include <fontconfig/fontconfig.h>

#define FONT_FILES_MAX 9u

/* In order: where the limit is reached, what comes last goes. */
static const char *const wanted_fonts[] = {"sans-serif",
                                           "sans-serif:bold",
                                           "serif",
                                           "monospace",
                                           "sans-serif:lang=zh-cn",
                                           "emoji",
                                           "sans-serif:italic",
                                           "serif:bold",
                                           "sans-serif:bold:lang=zh-cn"};

/* The file that fontconfig would take; the caller frees the pattern that it lies in. */
static FcPattern *match(FcConfig *fonts, const char *name, FcChar8 **file)
{
    FcResult result;
    FcPattern *asked = FcNameParse((const FcChar8 *)name);
    if (asked == NULL) {
        return NULL;
    }
    FcConfigSubstitute(fonts, asked, FcMatchPattern);
    FcDefaultSubstitute(asked);
    FcPattern *found = FcFontMatch(fonts, asked, &result);
    FcPatternDestroy(asked);
    if (found != NULL && FcPatternGetString(found, FC_FILE, 0, file) != FcResultMatch) {
        FcPatternDestroy(found);
        return NULL;
    }
    return found;
}

static bool is_chosen(FcPattern *const *chosen, size_t count, const FcPattern *font)
{
    FcChar8 *file = NULL, *other = NULL;
    if (FcPatternGetString(font, FC_FILE, 0, &file) != FcResultMatch) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (FcPatternGetString(chosen[i], FC_FILE, 0, &other) == FcResultMatch &&
            strcmp((const char *)file, (const char *)other) == 0) {
            return true;
        }
    }
    return false;
}

static size_t choose(FcConfig *fonts, FcPattern *chosen[FONT_FILES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof wanted_fonts / sizeof wanted_fonts[0]; i++) {
        FcChar8 *file = NULL;
        FcPattern *found = match(fonts, wanted_fonts[i], &file);
        if (found == NULL) {
            continue;
        }
        if (count < FONT_FILES_MAX && !is_chosen(chosen, count, found)) {
            chosen[count++] = found;
        } else {
            FcPatternDestroy(found);
        }
    }
    return count;
}

/* Leaves fontconfig's rules as they are and of its fonts only those in the chosen files. */
static void strike_other_fonts(FcConfig *fonts, FcPattern *const *chosen, size_t count)
{
    static const FcSetName names[] = {FcSetSystem, FcSetApplication};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        FcFontSet *set = FcConfigGetFonts(fonts, names[n]);
        int kept = 0;
        for (int i = 0; set != NULL && i < set->nfont; i++) {
            if (is_chosen(chosen, count, set->fonts[i])) {
                set->fonts[kept++] = set->fonts[i];
            }
        }
        if (set != NULL) {
            set->nfont = kept; /* the others' memory is the caches' */
        }
    }
}

static void warm_fonts(void)
{
    FcPattern *chosen[FONT_FILES_MAX];
    FcConfig *fonts = FcInit() ? FcConfigGetCurrent() : NULL;
    if (fonts == NULL) {
        return;
    }
    const size_t count = choose(fonts, chosen);
    strike_other_fonts(fonts, chosen, count);
    for (size_t i = 0; i < count; i++) {
        FcPatternDestroy(chosen[i]);
    }
    /* It would look for changed files now and then. */
    (void)FcConfigSetRescanInterval(fonts, 0);
    codec_svg_keep_fonts();
}

#else

static void warm_fonts(void)
{
}

#endif

#if DP_HAVE_LIBRSVG

/* Every chosen font once, embedded pictures of each format that GdkPixbuf brings, and a filter,
 * whose threads must be there before the filter of system calls is. */
static const char warm_svg[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:x=\"http://www.w3.org/1999/xlink\" "
    "width=\"64\" height=\"64\"><defs><filter id=\"f\"><feTurbulence baseFrequency=\"0.1\"/>"
    "<feGaussianBlur stdDeviation=\"1\"/><feMorphology radius=\"1\"/><feColorMatrix "
    "type=\"saturate\" values=\"0.5\"/></filter></defs>"
    "<rect width=\"60\" height=\"60\" filter=\"url(#f)\"/>"
    "<image width=\"9\" height=\"9\" x:href=\"data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
    "\"/>"
    "<image width=\"9\" height=\"9\" x:href=\"data:image/gif;base64,"
    "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7\"/>"
    "<g font-size=\"9\"><text y=\"9\" font-family=\"sans-serif\">Aa1 "
    "\xe6\xbc\xa2\xed\x95\x9c\xe3\x81\x82 \xf0\x9f\x98\x80<tspan font-weight=\"bold\">Bb "
    "\xe6\xbc\xa2</tspan><tspan font-style=\"italic\">Cc</tspan></text>"
    "<text y=\"20\" font-family=\"serif\">Dd<tspan font-weight=\"bold\">Ee</tspan></text>"
    "<text y=\"30\" font-family=\"monospace\">Ff</text>"
    "<text y=\"40\" font-family=\"emoji\">\xf0\x9f\x98\x80</text></g></svg>";

static GLogWriterOutput say_nothing(GLogLevelFlags level, const GLogField *fields, gsize count,
                                    gpointer user)
{
    (void)level;
    (void)fields;
    (void)count;
    (void)user;
    return G_LOG_WRITER_HANDLED;
}

static void warm_drawings(dp_pool *pool)
{
    render_task task = {.pool = pool, .input_pixels_max = 1000000};
    const media_bytes bytes = {.data = (const uint8_t *)warm_svg,
                               .size_bytes = sizeof warm_svg - 1};
    const decode_hints hints = {.width = 64, .height = 64};
    picture made;
    decoder *d;

    /* Words about a stranger's picture are for the stranger, not for our log. */
    g_log_set_writer_func(say_nothing, NULL, NULL);
    if (codec_open(&task, bytes, &d) != DP_OK) {
        return;
    }
    if (codec_decode(d, &hints, &made) == DP_OK) {
        picture_drop(&made);
    }
    codec_close(d);
}

#else

static void warm_drawings(dp_pool *pool)
{
    (void)pool;
}

#endif

void warm_up(dp_pool *pool)
{
    warm_fonts();
    warm_drawings(pool);
}
