/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See batch_options.h.  Nothing is made here but the directory that results are to go to.
 */
#define _DEFAULT_SOURCE /* getopt_long */

#include "ctl/batch_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/ctl.h"

#define SIDE_MAX 4096u

enum {
    OPTION_WIDTH = 256,
    OPTION_HEIGHT,
    OPTION_SIZES,
    OPTION_FIT,
    OPTION_FORMAT,
    OPTION_FIRST_FRAME,
    OPTION_BACKEND,
    OPTION_JOBS,
    OPTION_SHEET,
    OPTION_LABELS,
    OPTION_JSON
};

#define COMMON_OPTIONS                                                                             \
    {"format", required_argument, NULL, OPTION_FORMAT},                                            \
        {"backend", required_argument, NULL, OPTION_BACKEND},                                      \
        {"first-frame", no_argument, NULL, OPTION_FIRST_FRAME},                                    \
        {"jobs", required_argument, NULL, OPTION_JOBS}, {"json", no_argument, NULL, OPTION_JSON},  \
        {"labels", no_argument, NULL, OPTION_LABELS}, {"output", required_argument, NULL, 'o'},    \
        {"sheet", required_argument, NULL, OPTION_SHEET},                                          \
    {                                                                                              \
        NULL, 0, NULL, 0                                                                           \
    }

static const struct option render_options[] = {{"width", required_argument, NULL, OPTION_WIDTH},
                                               {"height", required_argument, NULL, OPTION_HEIGHT},
                                               COMMON_OPTIONS};
static const struct option thumb_options[] = {{"sizes", required_argument, NULL, OPTION_SIZES},
                                              {"fit", required_argument, NULL, OPTION_FIT},
                                              COMMON_OPTIONS};

static bool read_side(const char *option, const char *text, uint32_t *out)
{
    unsigned long long value;
    if (!ctl_number(option, text, 1, SIDE_MAX, &value)) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

/* The words of `names`; false, with words said, for anything else. */
static bool read_word(const char *option, const char *text, const char *const names[],
                      unsigned count, unsigned *out)
{
    char all[128] = "";
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return true;
        }
        const size_t at = strlen(all);
        snprintf(all + at, sizeof all - at, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    ctl_error("%s: \"%s\" is none of %s", option, text, all);
    return false;
}

static bool read_backend(const char *text, dp_backend_choice *out)
{
    static const char *const names[] = {"auto", "cpu", "cuda"};
    unsigned found;
    if (!read_word("--backend", text, names, 3, &found)) {
        return false;
    }
    *out = (dp_backend_choice)found;
    return true;
}

static bool read_format(const char *text, dp_media_format *out)
{
    static const char *const names[] = {"webp", "jpeg", "png"};
    static const dp_media_format formats[] = {DP_MEDIA_WEBP, DP_MEDIA_JPEG, DP_MEDIA_PNG};
    unsigned found;
    if (!read_word("--format", text, names, 3, &found)) {
        return false;
    }
    *out = formats[found];
    return true;
}

static bool read_fit(const char *text, dp_render_fit *out)
{
    static const char *const names[] = {"contain", "cover", "exact"};
    unsigned found;
    if (!read_word("--fit", text, names, 3, &found)) {
        return false;
    }
    *out = (dp_render_fit)found;
    return true;
}

/* "160x90,320x180". */
static bool read_sizes(const char *text, batch_options *o)
{
    const char *at = text;
    o->size_count = 0;
    for (;;) {
        char *end;
        const unsigned long width = strtoul(at, &end, 10);
        const char *x = end;
        const unsigned long height = *x == 'x' ? strtoul(x + 1, &end, 10) : 0;
        const bool digits = *at >= '0' && *at <= '9' && *x == 'x' && x[1] >= '0' && x[1] <= '9';
        if (!digits || width < 1 || width > SIDE_MAX || height < 1 || height > SIDE_MAX ||
            (*end != ',' && *end != '\0')) {
            ctl_error("--sizes: \"%s\" is no list like 160x90,320x180 of sides from 1 to %u", text,
                      SIDE_MAX);
            return false;
        }
        if (o->size_count == BATCH_SIZES_MAX) {
            ctl_error("--sizes: more than %u sizes", BATCH_SIZES_MAX);
            return false;
        }
        o->sizes[o->size_count++] = (batch_size){(uint32_t)width, (uint32_t)height};
        if (*end == '\0') {
            return true;
        }
        at = end + 1;
    }
}

static bool read_jobs(const char *text, unsigned *out)
{
    unsigned long long value;
    if (!ctl_number("--jobs", text, 1, 64, &value)) {
        return false;
    }
    *out = (unsigned)value;
    return true;
}

static bool read_option(int option, batch_options *o)
{
    switch (option) {
    case OPTION_WIDTH:
        return read_side("--width", optarg, &o->sizes[0].width);
    case OPTION_HEIGHT:
        return read_side("--height", optarg, &o->sizes[0].height);
    case OPTION_SIZES:
        return read_sizes(optarg, o);
    case OPTION_FIT:
        return read_fit(optarg, &o->fit);
    case OPTION_FORMAT:
        return read_format(optarg, &o->format);
    case OPTION_FIRST_FRAME:
        o->animation = DP_RENDER_FIRST_FRAME;
        return true;
    case OPTION_BACKEND:
        return read_backend(optarg, &o->backend);
    case OPTION_JOBS:
        return read_jobs(optarg, &o->workers);
    case OPTION_SHEET:
        o->sheet = optarg;
        return true;
    case OPTION_LABELS:
        o->labels = true;
        return true;
    case OPTION_JSON:
        o->json = true;
        return true;
    case 'o':
        o->output = optarg;
        return true;
    default:
        return false; /* getopt_long has said it */
    }
}

/* A directory is one that is there, or one whose name ends in a slash. */
static bool check_output(batch_options *o)
{
    struct stat facts;
    if (o->output == NULL) {
        return true;
    }
    const size_t length = strlen(o->output);
    const bool named_so = length > 0 && o->output[length - 1] == '/';
    o->output_is_directory = named_so || (stat(o->output, &facts) == 0 && S_ISDIR(facts.st_mode));
    if (length == 0 || length >= BATCH_PATH_BYTES) {
        ctl_error("the output's name is %s", length == 0 ? "empty" : "too long");
        return false;
    }
    if (!o->output_is_directory && (o->file_count > 1 || o->size_count > 1)) {
        ctl_error(
            "%s: several pictures need a directory: one that is there, or a name that ends "
            "in /",
            o->output);
        return false;
    }
    if (named_so && mkdir(o->output, 0777) != 0 && errno != EEXIST) {
        ctl_error("%s: %s", o->output, strerror(errno));
        return false;
    }
    return true;
}

bool batch_read_options(int argc, char **argv, batch_options *o)
{
    const bool thumb = strcmp(o->command, "thumb") == 0;
    bool good = true;
    int option;

    while (good && (option = getopt_long(argc, argv, "o:", thumb ? thumb_options : render_options,
                                         NULL)) != -1) {
        good = read_option(option, o);
    }
    if (!good) {
        return false;
    }
    o->files = argv + optind;
    o->file_count = argc - optind;
    if (!thumb && o->output == NULL && o->sheet == NULL && o->file_count == 2) {
        o->output = o->files[1];
        o->file_count = 1;
    }
    if (!thumb) {
        o->size_count = o->sizes[0].width != 0 && o->sizes[0].height != 0 ? 1 : 0;
    }
    if (o->file_count == 0 || o->size_count == 0 || (o->output == NULL && o->sheet == NULL)) {
        ctl_error("%s needs files, %s, and --output or --sheet%s", o->command,
                  thumb ? "--sizes" : "--width and --height", thumb ? "" : " (or two file names)");
        return false;
    }
    return check_output(o);
}
