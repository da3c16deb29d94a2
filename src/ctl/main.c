/* SPDX-License-Identifier: Apache-2.0 */
/*
 * danpoolctl: looks at one machine's tiers and routing, reads recordings, and renders files
 * through the pipeline that danpoold uses.  This file finds the command; each command is in its
 * own.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dp_features.h"

#include "ctl/ctl.h"

static const struct {
    const char *name;
    ctl_command *run;
    const char *usage;
} commands[] = {
    {"decoders", ctl_decoders, "decoders [PATH]"},
    {"render", ctl_render,
     "render FILE... -o OUT --width N --height N [--format webp|jpeg|png] [--first-frame]\n"
     "                   [--backend auto|cpu|cuda] [--jobs N] [--sheet FILE [--labels]] [--json]\n"
     "  danpoolctl render IN OUT --width N --height N [...]"},
    {"reuse", ctl_reuse, "reuse [--raw] FILE"},
    {"route", ctl_route,
     "route --kind KIND --size BYTES [--batch N] [--priority low|normal|high] [--tenant N]\n"
     "                   [--need host|device] [-c FILE]"},
    {"thumb", ctl_thumb,
     "thumb FILE... -o OUT --sizes WxH[,WxH...] [--fit contain|cover|exact]\n"
     "                   [--format webp|jpeg|png] [--first-frame] [--backend auto|cpu|cuda]\n"
     "                   [--jobs N] [--sheet FILE [--labels]] [--json]"},
    {"tiers", ctl_tiers, "tiers"},
    {"trace", ctl_trace, "trace FILE"},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

void ctl_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("danpoolctl: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

int ctl_number(const char *option, const char *text, unsigned long long min, unsigned long long max,
               unsigned long long *out)
{
    char *end = NULL;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < min ||
        value > max) {
        ctl_error("%s: \"%s\" is not a number from %llu to %llu", option, text, min, max);
        return 0;
    }
    *out = value;
    return 1;
}

static void print_usage(FILE *to)
{
    fputs("usage: danpoolctl COMMAND [OPTIONS]\n\n", to);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(to, "  danpoolctl %s\n", commands[i].usage);
    }
    fputs("  danpoolctl --version\n  danpoolctl --help\n\nMore in danpoolctl(1).\n", to);
}

static void print_version(void)
{
    printf("danpoolctl %s (%s)\n", DP_VERSION_STRING, DP_BUILD_TYPE);
#define PRINT_FEATURE(name, word, detail) printf("  %-14s %-7s %s\n", name, word, detail);
    DP_FEATURE_LIST(PRINT_FEATURE)
#undef PRINT_FEATURE
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return CTL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return CTL_OK;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        print_version();
        return CTL_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            const int status = commands[i].run(argc - 1, argv + 1);
            if (status == CTL_USAGE) {
                fprintf(stderr, "usage: danpoolctl %s\n", commands[i].usage);
            }
            return fflush(stdout) == 0 ? status : CTL_FAILED;
        }
    }
    ctl_error("there is no command \"%s\"", argv[1]);
    print_usage(stderr);
    return CTL_USAGE;
}
