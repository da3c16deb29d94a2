/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the figures were measured on: the first line of every bench.
 *
 * The host name is left out on purpose: results are kept in the repository.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <dp_features.h>

#include "harness.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

#define GPU_DIRECTORY "/proc/driver/nvidia/gpus"

bool bench_is_sanitized(void)
{
    return SANITIZED;
}

/* Copies what follows "key<spaces>:<spaces>" on the first such line; false when there is none. */
static bool file_value(const char *path, const char *key, char *out, size_t out_size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    char line[512];
    bool found = false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) != 0) {
            continue;
        }
        char *value = strchr(line, ':');
        if (value == NULL) {
            continue;
        }
        value += 1 + strspn(value + 1, " \t");
        value[strcspn(value, "\n")] = '\0';
        (void)snprintf(out, out_size, "%s", value);
        found = true;
    }
    (void)fclose(file);
    return found;
}

/* The kernel module lists its devices in /proc, so no driver call and no library are needed. */
static void gpu_read(char *out, size_t out_size)
{
    (void)snprintf(out, out_size, "none");
    DIR *directory = opendir(GPU_DIRECTORY);
    if (directory == NULL) {
        return;
    }
    const struct dirent *entry = NULL;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char path[512];
        (void)snprintf(path, sizeof path, GPU_DIRECTORY "/%s/information", entry->d_name);
        if (file_value(path, "Model", out, out_size)) {
            break;
        }
    }
    (void)closedir(directory);
}

void bench_machine_read(bench_machine *out)
{
    memset(out, 0, sizeof *out);
    if (!file_value("/proc/cpuinfo", "model name", out->cpu, sizeof out->cpu)) {
        (void)snprintf(out->cpu, sizeof out->cpu, "unknown");
    }
    out->cores = bench_cores();
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page_bytes > 0) {
        out->memory_bytes = (uint64_t)pages * (uint64_t)page_bytes;
    }
    struct utsname name;
    if (uname(&name) == 0) {
        (void)snprintf(out->kernel, sizeof out->kernel, "%.20s %.60s %.20s", name.sysname,
                       name.release, name.machine);
    }
    gpu_read(out->gpu, sizeof out->gpu);
#if defined(__clang__)
    (void)snprintf(out->compiler, sizeof out->compiler, "clang %s", __clang_version__);
#else
    (void)snprintf(out->compiler, sizeof out->compiler, "gcc %s", __VERSION__);
#endif
    (void)snprintf(out->build_type, sizeof out->build_type, "%s%s", DP_BUILD_TYPE,
                   SANITIZED ? " with sanitizers" : "");
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL) {
        (void)strftime(out->date, sizeof out->date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
}
