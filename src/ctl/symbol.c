/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One addr2line for a file and its addresses.  With -p and -i it answers a line for each in order,
 * and behind it a line for every function that the first one was inlined into.  dp_get() is inline
 * in its caller, and it is the caller that is asked for.  Main thread only; the child is waited
 * for.
 */
#define _GNU_SOURCE /* pipe2, environ */
#include "ctl/symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool/os.h"

void symbol_clean(char *text)
{
    for (char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < 0x20 || byte > 0x7e)
            *at = '?';
    }
}

#define LINE_BYTES 4096

/* A line of addr2line's; what it does not know it writes as "??". */
static void name_from_line(char *line, char name[SYMBOL_BYTES_MAX])
{
    line[strcspn(line, "\n")] = '\0';
    name[0] = '\0';
    if (strncmp(line, "??", 2) == 0)
        return;
    char *unknown = strstr(line, " at ??:");
    if (unknown != NULL)
        *unknown = '\0';
    symbol_clean(line);
    size_t length = strnlen(line, SYMBOL_BYTES_MAX - 1);
    memcpy(name, line, length);
    name[length] = '\0';
}

static bool read_line(FILE *from, char line[LINE_BYTES])
{
    if (fgets(line, LINE_BYTES, from) == NULL)
        return false;
    /* A longer line is cut; its rest must not pass for the next one's. */
    bool is_whole = strchr(line, '\n') != NULL;
    for (int byte = 0; !is_whole && (byte = fgetc(from)) != '\n' && byte != EOF;)
        continue;
    return true;
}

static void read_names(FILE *from, size_t count, char (*names)[SYMBOL_BYTES_MAX])
{
    static const char inlined_by[] = " (inlined by) ";
    const size_t prefix = sizeof inlined_by - 1;
    char line[LINE_BYTES];
    size_t begun = 0; /* addresses whose first line has been read */
    while (read_line(from, line)) {
        bool is_outer = strncmp(line, inlined_by, prefix) == 0;
        if (!is_outer && begun == count)
            return;
        if (!is_outer)
            name_from_line(line, names[begun++]);
        else if (begun > 0 && strncmp(names[begun - 1], "dp_get at ", 10) == 0)
            name_from_line(line + prefix, names[begun - 1]);
    }
}

/* Starts addr2line with its answer into *from; 0 when there is none. */
static pid_t addr2line_start(char *path, char **numbers, size_t count, FILE **from)
{
    static char program[] = "addr2line";
    static char options[] = "-Cfpie";
    char *arguments[SYMBOL_COUNT_MAX + 4] = {program, options, path};
    memcpy(&arguments[3], numbers, count * sizeof *numbers);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return 0;
    posix_spawn_file_actions_t actions;
    pid_t child = 0;
    if (posix_spawn_file_actions_init(&actions) == 0) {
        bool wired = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) == 0 &&
                     posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
                                                      O_WRONLY, 0) == 0;
        if (!wired || posix_spawnp(&child, program, &actions, NULL, arguments, environ) != 0)
            child = 0;
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)close(ends[1]);
    *from = child == 0 ? NULL : fdopen(ends[0], "r");
    if (*from == NULL)
        (void)close(ends[0]);
    return child;
}

void symbol_find(const char *path, const uint64_t *addresses, size_t count,
                 char (*names)[SYMBOL_BYTES_MAX])
{
    DP_ASSERT(count <= SYMBOL_COUNT_MAX);
    static char texts[SYMBOL_COUNT_MAX][24];
    char *numbers[SYMBOL_COUNT_MAX];
    char file[4096];
    struct stat facts;
    for (size_t i = 0; i < count; i++) {
        names[i][0] = '\0';
        (void)snprintf(texts[i], sizeof texts[i], "0x%" PRIx64, addresses[i]);
        numbers[i] = texts[i];
    }
    if (stat(path, &facts) != 0 || !S_ISREG(facts.st_mode) || strlen(path) >= sizeof file)
        return;
    (void)snprintf(file, sizeof file, "%s", path);
    FILE *from = NULL;
    pid_t child = addr2line_start(file, numbers, count, &from);
    if (from != NULL) {
        read_names(from, count, names);
        (void)fclose(from);
    }
    while (child != 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
}
