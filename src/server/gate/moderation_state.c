/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state file of moderation: lines of fields with tabs between, its end sealed by their number
 * and a checksum (FNV-1a over all bytes before the last line).
 *
 *     danpool moderation 1
 *     kind room target until_ms closed slow merge budget by reason
 *     end COUNT CHECKSUM
 *
 * It is written beside the old one, synced and renamed over it, so that a crash leaves one of the
 * two whole.  One that does not pass its checks is an error and is left alone: it may be all there
 * is of somebody's decisions.
 */
#define _GNU_SOURCE /* O_CLOEXEC everywhere */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pool/os.h"
#include "server/gate/moderation_internal.h"

#define HEAD            "danpool moderation 1\n"
#define FIELDS          10u
#define STATE_BYTES_MAX (256u << 20)
#define PATH_BYTES      4096u

static const char *const kind_names[RULE_KIND_COUNT] = {"",         "mute_user",   "mute_address",
                                                        "ban_user", "ban_address", "room"};

static uint64_t checksum(const char *bytes, size_t size_bytes)
{
    uint64_t sum = 0xCBF29CE484222325u;
    for (size_t i = 0; i < size_bytes; i++) {
        sum = (sum ^ (unsigned char)bytes[i]) * 0x100000001B3u;
    }
    return sum;
}

static dp_status corrupt(char *error, size_t error_bytes, size_t line, const char *why)
{
    snprintf(error, error_bytes, "line %zu: %s", line, why);
    return DP_ERR_CORRUPT;
}

/* A decimal number that is all of the text; false else. */
static bool read_number(const char *text, int64_t max, int64_t *out)
{
    char *end;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);
    *out = value;
    return errno == 0 && *end == '\0' && value <= max;
}

static bool read_fields(char *line, char *fields[FIELDS])
{
    for (size_t i = 0; i < FIELDS; i++) {
        char *stop = strchr(line, '\t');
        fields[i] = line;
        if ((stop == NULL) != (i == FIELDS - 1)) {
            return false;
        }
        if (stop != NULL) {
            *stop = '\0';
            line = stop + 1;
        }
    }
    return true;
}

static bool read_rule(char *line, moderation_rule *out)
{
    char *fields[FIELDS];
    int64_t numbers[5];
    if (!read_fields(line, fields)) {
        return false;
    }
    for (size_t i = 0; i < 5; i++) {
        if (!read_number(fields[3 + i], i == 0 ? INT64_MAX : UINT32_MAX, &numbers[i])) {
            return false;
        }
    }
    *out = (moderation_rule){.until_ms = numbers[0],
                             .settings = {.is_closed = numbers[1] != 0,
                                          .slow_s = (uint32_t)numbers[2],
                                          .merge = (uint32_t)numbers[3],
                                          .budget = (uint32_t)numbers[4]}};
    for (unsigned kind = 1; kind < RULE_KIND_COUNT; kind++) {
        if (strcmp(fields[0], kind_names[kind]) == 0) {
            out->kind = (rule_kind)kind;
        }
    }
    if (out->kind == RULE_FREE || !moderation_text_fits(fields[1], sizeof out->room) ||
        !moderation_text_fits(fields[2], sizeof out->target) ||
        !moderation_text_fits(fields[8], sizeof out->by) ||
        !moderation_text_fits(fields[9], sizeof out->reason)) {
        return false;
    }
    snprintf(out->room, sizeof out->room, "%s", fields[1]);
    snprintf(out->target, sizeof out->target, "%s", fields[2]);
    snprintf(out->by, sizeof out->by, "%s", fields[8]);
    snprintf(out->reason, sizeof out->reason, "%s", fields[9]);
    if (out->kind == RULE_MUTE_ADDRESS || out->kind == RULE_BAN_ADDRESS) {
        identity_address address;
        char canonical[IDENTITY_ADDRESS_TEXT_BYTES];
        if (!identity_address_parse(out->target, &address, &out->bits)) {
            return false;
        }
        identity_address_print(&address, out->bits, canonical);
        return strcmp(canonical, out->target) == 0;
    }
    return (out->target[0] == '\0') == (out->kind == RULE_ROOM);
}

/* The last line seals those before it. */
static dp_status check_seal(const char *bytes, size_t size_bytes, size_t *body_bytes, size_t *rules,
                            char *error, size_t error_bytes)
{
    size_t head_bytes = strlen(HEAD);
    if (size_bytes < head_bytes || memcmp(bytes, HEAD, head_bytes) != 0) {
        return corrupt(error, error_bytes, 1, "not a state file of this version");
    }
    if (bytes[size_bytes - 1] != '\n' || memchr(bytes, '\0', size_bytes) != NULL) {
        return corrupt(error, error_bytes, 0, "it is cut off or has been written over");
    }
    size_t last = size_bytes - 1;
    while (last > 0 && bytes[last - 1] != '\n') {
        last--;
    }
    char expected[80];
    size_t lines = 0;
    for (size_t i = head_bytes; i < last; i++) {
        lines += bytes[i] == '\n';
    }
    int length = snprintf(expected, sizeof expected, "end %zu %016" PRIx64 "\n", lines,
                          checksum(bytes, last));
    if (last < head_bytes || (size_t)length != size_bytes - last ||
        memcmp(bytes + last, expected, (size_t)length) != 0) {
        return corrupt(error, error_bytes, lines + 2,
                       "the number of lines or the checksum is wrong");
    }
    *body_bytes = last;
    *rules = lines;
    return DP_OK;
}

dp_status moderation_state_parse(moderation *table, const char *bytes, size_t size_bytes,
                                 char *error, size_t error_bytes)
{
    size_t body_bytes;
    size_t rules;
    dp_status status = check_seal(bytes, size_bytes, &body_bytes, &rules, error, error_bytes);
    size_t at = strlen(HEAD);
    for (size_t line = 2; status == DP_OK && at < body_bytes; line++) {
        const char *stop = memchr(bytes + at, '\n', body_bytes - at);
        char copy[1024];
        size_t length = (size_t)(stop - (bytes + at));
        moderation_rule rule;
        if (length >= sizeof copy) {
            return corrupt(error, error_bytes, line, "too long");
        }
        memcpy(copy, bytes + at, length);
        copy[length] = '\0';
        at += length + 1;
        if (!read_rule(copy, &rule)) {
            return corrupt(error, error_bytes, line, "not a rule");
        }
        if (moderation_find(table, rule.kind, rule.room, rule.target) != NULL) {
            return corrupt(error, error_bytes, line, "a rule that was there before");
        }
        if (moderation_add(table, &rule) == NULL) {
            snprintf(error, error_bytes, "line %zu: more rules than moderation.entries_max", line);
            status = DP_ERR_BUSY;
        }
    }
    return status;
}

static dp_status read_open(moderation *table, int fd, char *error, size_t error_bytes)
{
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) ||
        about.st_size > (off_t)STATE_BYTES_MAX) {
        snprintf(error, error_bytes, "not a file of at most 256 MiB");
        return DP_ERR_IO;
    }
    size_t size_bytes = (size_t)about.st_size;
    char *bytes = os_calloc(1, size_bytes + 1);
    if (bytes == NULL) {
        return DP_ERR_NOMEM;
    }
    size_t got = 0;
    ssize_t part = 1;
    while (got < size_bytes && part > 0) {
        part = read(fd, bytes + got, size_bytes - got);
        got += part > 0 ? (size_t)part : 0;
    }
    dp_status status = DP_ERR_IO;
    if (part >= 0) {
        status = moderation_state_parse(table, bytes, got, error, error_bytes);
    }
    os_free(bytes);
    return status;
}

dp_status moderation_state_load(moderation *table, char *error, size_t error_bytes)
{
    if (table->state_path[0] == '\0') {
        return DP_OK;
    }
    char why[200] = "";
    dp_status status = DP_OK;
    int fd = open(table->state_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT) {
        snprintf(why, sizeof why, "%s", strerror(errno));
        status = DP_ERR_IO;
    } else if (fd >= 0) {
        status = read_open(table, fd, why, sizeof why);
        (void)close(fd);
    }
    if (status != DP_OK) {
        snprintf(error, error_bytes, "moderation state %.120s: %.100s", table->state_path,
                 why[0] == '\0' ? dp_status_message(status) : why);
    }
    return status;
}

static void put_rule(moderation_text *to, const moderation_rule *rule)
{
    moderation_putf(to, "%s\t%s\t%s\t%" PRId64 "\t%d\t%u\t%u\t%u\t%s\t%s\n", kind_names[rule->kind],
                    rule->room, rule->target, rule->until_ms, rule->settings.is_closed ? 1 : 0,
                    (unsigned)rule->settings.slow_s, (unsigned)rule->settings.merge,
                    (unsigned)rule->settings.budget, rule->by, rule->reason);
}

static bool write_all(int fd, const char *bytes, size_t size_bytes)
{
    while (size_bytes > 0) {
        ssize_t part = write(fd, bytes, size_bytes);
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part <= 0) {
            return false;
        }
        bytes += part;
        size_bytes -= (size_t)part;
    }
    return true;
}

/* A rename is only kept by the directory's own sync. */
static bool sync_directory(const char *path)
{
    char copy[PATH_BYTES];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_synced;
}

static bool replace_file(const char *path, const moderation_text *text)
{
    char beside[PATH_BYTES + 8];
    snprintf(beside, sizeof beside, "%.4095s.new", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return false;
    }
    bool is_written = write_all(fd, text->bytes, text->size_bytes) && fsync(fd) == 0;
    is_written = close(fd) == 0 && is_written;
    if (!is_written || rename(beside, path) != 0) {
        (void)unlink(beside);
        return false;
    }
    return sync_directory(path);
}

dp_status moderation_state_save(moderation *table)
{
    if (table->state_path[0] == '\0') {
        table->is_dirty = false;
        return DP_OK;
    }
    moderation_text text = {.bytes = NULL};
    size_t rules = 0;
    moderation_put(&text, HEAD);
    for (uint32_t i = 0; i < table->fresh; i++) {
        if (table->rules[i].kind != RULE_FREE) {
            put_rule(&text, &table->rules[i]);
            rules++;
        }
    }
    if (!text.failed) {
        moderation_putf(&text, "end %zu %016" PRIx64 "\n", rules,
                        checksum(text.bytes, text.size_bytes));
    }
    dp_status status = text.failed                              ? DP_ERR_NOMEM
                       : replace_file(table->state_path, &text) ? DP_OK
                                                                : DP_ERR_IO;
    os_free(text.bytes);
    table->is_dirty = status != DP_OK;
    return status;
}
