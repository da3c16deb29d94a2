/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Death tests: runs a function in a child process and says whether an assertion stopped it.
 *
 * Call from the main thread while it is the only one.  What the child wrote to stderr is kept, so
 * that a test can name the assertion it expects and no other death passes for it.
 */
#ifndef DP_TESTS_DIES_H
#define DP_TESTS_DIES_H

#include "cm.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static inline size_t dies_read_all(int from, char *text, size_t text_bytes)
{
    size_t length = 0;
    ssize_t got;
    while (length + 1 < text_bytes &&
           (got = read(from, text + length, text_bytes - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    return length;
}

/* Runs `act` in a child; its wait status, and what it wrote to stderr. */
static inline int dies_run(void (*act)(void *user), void *user, char *text, size_t text_bytes)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        act(user);
        _exit(0);
    }
    (void)close(ends[1]);
    (void)dies_read_all(ends[0], text, text_bytes);
    (void)close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* True when `act` ends in abort() and the message on stderr contains `words`. */
static inline bool dies_of(void (*act)(void *user), void *user, const char *words)
{
    char text[4096];
    int status = dies_run(act, user, text, sizeof text);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(text, words) != NULL;
}

/* True when `act` ends otherwise than well, as sanitizers do, after such words on stderr. */
static inline bool ends_with_words(void (*act)(void *user), void *user, const char *words)
{
    char text[4096];
    int status = dies_run(act, user, text, sizeof text);
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return !well && strstr(text, words) != NULL;
}

#endif
