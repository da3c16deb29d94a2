/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration: CONFIG_LIST of config.h turned into a table, and four ways to fill the struct.
 *
 * Every source ends in set_number() or set_text(), so that ranges are checked in one place and an
 * error starts with where the value came from: "danpoold.conf:12", "DANPOOL_LISTEN_PORT", "--set".
 * A source is applied to a copy that replaces the caller's struct only when all of it was right.
 * No state; libconfig's tree lives inside config_load_file().
 */
#include "server/config/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <danpool/pool.h>
#include <libconfig.h>
#include <sys/stat.h>

#include "server/config/config_internal.h"
#include "server/config/config_scan.h"
#include "server/conn/origin.h"
#include "server/ops/log.h"

#define ENVIRONMENT_PREFIX "DANPOOL_"
#define LIST_MESSAGE       "%s: pool.routes is a list, which only a file can hold"

typedef struct setting {
    const char *group;
    const char *key;
    const char *meaning;
    size_t offset;
    const char *initial_text; /* NULL when the setting is a number */
    int64_t initial;
    int64_t min;
    int64_t max;
} setting;

static const setting settings[] = {
#define SETTING_N(group, key, initial, min, max, meaning)                                          \
    {#group, #key, meaning, offsetof(config, group##_##key), NULL, initial, min, max},
#define SETTING_S(group, key, initial, meaning)                                                    \
    {#group, #key, meaning, offsetof(config, group##_##key), initial, 0, 0, 0},
    CONFIG_LIST(SETTING_N, SETTING_S)
#undef SETTING_N
#undef SETTING_S
};
#define SETTING_COUNT (sizeof settings / sizeof settings[0])

dp_status config_fail(config_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return DP_ERR_INVALID;
}

static int64_t *number_of(config *in, const setting *row)
{
    return (int64_t *)(void *)((char *)in + row->offset);
}

static char *text_of(config *in, const setting *row)
{
    return (char *)in + row->offset;
}

static const setting *find(const char *group, const char *key)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i].group, group) == 0 && strcmp(settings[i].key, key) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

static bool group_exists(const char *group)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i].group, group) == 0) {
            return true;
        }
    }
    return false;
}

void config_defaults(config *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (settings[i].initial_text != NULL) {
            snprintf(text_of(out, &settings[i]), CONFIG_TEXT_BYTES, "%s", settings[i].initial_text);
        } else {
            *number_of(out, &settings[i]) = settings[i].initial;
        }
    }
}

static dp_status set_number(config *out, const setting *row, int64_t value, const char *where,
                            config_error *error)
{
    if (value < row->min || value > row->max) {
        return config_fail(error, "%s: %s.%s must be from %" PRId64 " to %" PRId64 ", not %" PRId64,
                           where, row->group, row->key, row->min, row->max, value);
    }
    *number_of(out, row) = value;
    return DP_OK;
}

static dp_status set_text(config *out, const setting *row, const char *value, const char *where,
                          config_error *error)
{
    size_t length = strlen(value);
    if (length >= CONFIG_TEXT_BYTES) {
        return config_fail(error, "%s: %s.%s is longer than %u bytes", where, row->group, row->key,
                           CONFIG_TEXT_BYTES - 1);
    }
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7F) {
            return config_fail(error, "%s: %s.%s holds a control character", where, row->group,
                               row->key);
        }
    }
    memset(text_of(out, row), 0, CONFIG_TEXT_BYTES);
    memcpy(text_of(out, row), value, length);
    return DP_OK;
}

/* From an environment variable or a flag, where everything is text. */
static dp_status set_spelled(config *out, const setting *row, const char *value, const char *where,
                             config_error *error)
{
    if (row->initial_text != NULL) {
        return set_text(out, row, value, where, error);
    }
    char *end = NULL;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    /* strtoll() would take leading white space and a plus sign; a setting is digits. */
    bool spelled = value[0] == '-' || (value[0] >= '0' && value[0] <= '9');
    if (!spelled || end == value || *end != '\0') {
        return config_fail(error, "%s: %s.%s must be a whole number, not \"%.32s\"", where,
                           row->group, row->key, value);
    }
    if (errno == ERANGE) {
        return config_fail(error, "%s: %s.%s must be from %" PRId64 " to %" PRId64 ", not %.32s",
                           where, row->group, row->key, row->min, row->max, value);
    }
    return set_number(out, row, number, where, error);
}

const char *config_type_name(int type)
{
    switch (type) {
    case CONFIG_TYPE_GROUP:
        return "a group";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "a whole number";
    case CONFIG_TYPE_FLOAT:
        return "a number with a point";
    case CONFIG_TYPE_STRING:
        return "a text";
    case CONFIG_TYPE_BOOL:
        return "true or false";
    default:
        return "a list";
    }
}

void config_where(const config_setting_t *node, const char *path, char where[CONFIG_WHERE_BYTES])
{
    const char *file = config_setting_source_file(node);
    snprintf(where, CONFIG_WHERE_BYTES, "%.300s:%u", file != NULL ? file : path,
             (unsigned)config_setting_source_line(node));
}

dp_status config_check_wrapped(const config_setting_t *node, config_error *error)
{
    const char *file = config_setting_source_file(node);
    if (config_setting_type(node) != CONFIG_TYPE_INT || file == NULL) {
        return DP_OK;
    }
    unsigned line = config_scan_wrapped_file(file);
    return line > 0 ? config_fail(error, "%.300s:%u: number too large", file, line) : DP_OK;
}

static dp_status apply_value(config *out, const setting *row, const config_setting_t *node,
                             const char *where, config_error *error)
{
    int type = config_setting_type(node);
    if (row->initial_text != NULL) {
        if (type == CONFIG_TYPE_STRING) {
            return set_text(out, row, config_setting_get_string(node), where, error);
        }
        return config_fail(error, "%s: %s.%s must be a text in quotes, not %s", where, row->group,
                           row->key, config_type_name(type));
    }
    if (config_check_wrapped(node, error) != DP_OK) {
        return DP_ERR_INVALID;
    }
    if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) {
        return set_number(out, row, config_setting_get_int64(node), where, error);
    }
    /* A yes-or-no setting may be spelled as one. */
    if (type == CONFIG_TYPE_BOOL && row->min == 0 && row->max == 1) {
        return set_number(out, row, config_setting_get_bool(node), where, error);
    }
    return config_fail(error, "%s: %s.%s must be a whole number, not %s", where, row->group,
                       row->key, config_type_name(type));
}

static dp_status apply_group(config *out, const config_setting_t *group, const char *path,
                             config_error *error)
{
    char where[CONFIG_WHERE_BYTES];
    const char *name = config_setting_name(group);
    config_where(group, path, where);
    if (!group_exists(name)) {
        return config_fail(error, "%s: unknown setting %.64s", where, name);
    }
    if (!config_setting_is_group(group)) {
        return config_fail(error, "%s: %s must be a group, %s = { ... }, not %s", where, name, name,
                           config_type_name(config_setting_type(group)));
    }
    int count = config_setting_length(group);
    for (int i = 0; i < count; i++) {
        const config_setting_t *node = config_setting_get_elem(group, (unsigned)i);
        const char *key = config_setting_name(node);
        config_where(node, path, where);
        const setting *row = find(name, key);
        dp_status status;
        if (row != NULL) {
            status = apply_value(out, row, node, where, error);
        } else if (strcmp(name, "pool") == 0 && strcmp(key, "routes") == 0) {
            status = config_routes_read(out, node, path, error);
        } else {
            status = config_fail(error, "%s: unknown setting %s.%.64s", where, name, key);
        }
        if (status != DP_OK) {
            return status;
        }
    }
    return DP_OK;
}

/* libconfig's scanner ends the process when it reads a directory, so what it opens is looked at. */
static dp_status check_readable(const char *path, config_error *error)
{
    struct stat facts;
    int problem = 0;
    if (stat(path, &facts) != 0) {
        problem = errno;
    } else if (S_ISDIR(facts.st_mode)) {
        problem = EISDIR;
    }
    if (problem != 0) {
        config_fail(error, "%.300s: %s", path, strerror(problem));
        return problem == ENOENT ? DP_ERR_NOT_FOUND : DP_ERR_IO;
    }
    return DP_OK;
}

dp_status config_load_file(config *out, const char *path, config_error *error)
{
    dp_status status = check_readable(path, error);
    if (status != DP_OK) {
        return status;
    }
    config result = *out;
    config_t tree;
    config_init(&tree);
    if (!config_read_file(&tree, path)) {
        if (config_error_type(&tree) == CONFIG_ERR_PARSE) {
            const char *file = config_error_file(&tree);
            status = config_fail(error, "%.300s:%d: %s", file != NULL ? file : path,
                                 config_error_line(&tree), config_error_text(&tree));
        } else {
            config_fail(error, "%.300s: cannot be read: %s", path, strerror(errno));
            status = DP_ERR_IO;
        }
        goto destroy_tree;
    }
    const config_setting_t *root = config_root_setting(&tree);
    int count = config_setting_length(root);
    for (int i = 0; i < count && status == DP_OK; i++) {
        status = apply_group(&result, config_setting_get_elem(root, (unsigned)i), path, error);
    }
    if (status == DP_OK) {
        *out = result;
    }
destroy_tree:
    config_destroy(&tree);
    return status;
}

/* "DANPOOL_LISTEN_PORT" for listen.port. */
static void environment_name(const setting *row, char *to, size_t to_bytes)
{
    snprintf(to, to_bytes, ENVIRONMENT_PREFIX "%s_%s", row->group, row->key);
    for (char *at = to; *at != '\0'; at++) {
        if (*at >= 'a' && *at <= 'z') {
            *at = (char)(*at - 'a' + 'A');
        }
    }
}

/* The setting that an environment variable of this name means; NULL when none does. */
static const setting *find_by_variable(const char *name)
{
    char candidate[128];
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        environment_name(&settings[i], candidate, sizeof candidate);
        if (strcmp(candidate, name) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

/* Whether the name starts like those of a group we know: then it is a misspelling, not somebody
 * else's. */
static bool names_known_group(const char *name)
{
    char candidate[128];
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        environment_name(&settings[i], candidate, sizeof candidate);
        size_t prefix = sizeof ENVIRONMENT_PREFIX - 1 + strlen(settings[i].group) + 1;
        if (strncmp(candidate, name, prefix) == 0) {
            return true;
        }
    }
    return false;
}

dp_status config_read_environment(config *out, char *const *environment, config_error *error)
{
    config result = *out;
    for (; *environment != NULL; environment++) {
        const char *variable = *environment;
        const char *equals = strchr(variable, '=');
        if (strncmp(variable, ENVIRONMENT_PREFIX, sizeof ENVIRONMENT_PREFIX - 1) != 0 ||
            equals == NULL) {
            continue;
        }
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)(equals - variable), variable);
        const setting *row = find_by_variable(name);
        if (row == NULL) {
            if (strcmp(name, ENVIRONMENT_PREFIX "POOL_ROUTES") == 0) {
                return config_fail(error, LIST_MESSAGE, name);
            }
            if (names_known_group(name)) {
                return config_fail(error, "%s: unknown setting", name);
            }
            continue;
        }
        dp_status status = set_spelled(&result, row, equals + 1, name, error);
        if (status != DP_OK) {
            return status;
        }
    }
    *out = result;
    return DP_OK;
}

dp_status config_set(config *out, const char *assignment, const char *source, config_error *error)
{
    const char *equals = strchr(assignment, '=');
    if (equals == NULL) {
        return config_fail(error, "%s: \"%.64s\" is not group.key=value", source, assignment);
    }
    size_t name_bytes = (size_t)(equals - assignment);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char name[128];
        int length = snprintf(name, sizeof name, "%s.%s", settings[i].group, settings[i].key);
        if ((size_t)length == name_bytes && memcmp(name, assignment, name_bytes) == 0) {
            return set_spelled(out, &settings[i], equals + 1, source, error);
        }
    }
    if (strncmp(assignment, "pool.routes=", name_bytes + 1) == 0) {
        return config_fail(error, LIST_MESSAGE, source);
    }
    return config_fail(error, "%s: unknown setting %.*s", source,
                       name_bytes > 64 ? 64 : (int)name_bytes, assignment);
}

/* The file itself may be absent (it is created), its directory may not. */
static dp_status check_pmem_path(const char *path, config_error *error)
{
    if (path[0] == '\0') {
        return DP_OK;
    }
    struct stat facts;
    if (stat(path, &facts) == 0) {
        if (S_ISDIR(facts.st_mode)) {
            return config_fail(error, "pool.pmem_path: %s is a directory, not a file", path);
        }
        return DP_OK;
    }
    char directory[CONFIG_TEXT_BYTES];
    snprintf(directory, sizeof directory, "%s", path);
    char *slash = strrchr(directory, '/');
    if (slash == NULL) {
        return DP_OK;
    }
    slash[slash == directory ? 1 : 0] = '\0';
    if (stat(directory, &facts) != 0 || !S_ISDIR(facts.st_mode)) {
        return config_fail(error, "pool.pmem_path: there is no directory %s", directory);
    }
    return DP_OK;
}

dp_status config_tiers(const config *in, uint32_t *tiers, config_error *error)
{
    static const char separators[] = ", ";
    uint32_t found = 0;
    if (strcmp(in->pool_tiers, "all") == 0) {
        *tiers = DP_TIER_BITS_ALL;
        return DP_OK;
    }
    for (const char *at = in->pool_tiers; *at != '\0';) {
        char name[CONFIG_TEXT_BYTES];
        size_t length = strcspn(at, separators);
        memcpy(name, at, length);
        name[length] = '\0';
        dp_tier_id id = dp_tier_by_name(name);
        if (length > 0 && id == DP_TIER_NONE) {
            return config_fail(error, "pool.tiers: there is no tier \"%.64s\"", name);
        }
        found |= length > 0 ? DP_TIER_BIT(id) : 0;
        at += length + (at[length] != '\0');
    }
    /* Pages, batches and what no rule names lie there. */
    if ((found & DP_TIER_BIT(DP_TIER_HOST)) == 0) {
        return config_fail(error, "pool.tiers must name host, not only \"%.64s\"", in->pool_tiers);
    }
    *tiers = found;
    return DP_OK;
}

dp_status config_check(const config *in, config_error *error)
{
    struct in_addr address;
    uint32_t tiers;
    if (inet_pton(AF_INET, in->listen_address, &address) != 1) {
        return config_fail(error, "listen.address must be an IPv4 address, not \"%s\"",
                           in->listen_address);
    }
    int64_t batches = in->fanout_ring_batches;
    if ((batches & (batches - 1)) != 0) {
        return config_fail(error, "fanout.ring_batches must be a power of two, not %" PRId64,
                           batches);
    }
    const char *backend = in->render_backend;
    if (strcmp(backend, "auto") != 0 && strcmp(backend, "cpu") != 0 &&
        strcmp(backend, "cuda") != 0) {
        return config_fail(error, "render.backend must be auto, cpu or cuda, not \"%s\"", backend);
    }
    if (strcmp(in->render_svg, "auto") != 0 && strcmp(in->render_svg, "own") != 0) {
        return config_fail(error, "render.svg must be auto or own, not \"%s\"", in->render_svg);
    }
    const char *isolation = in->render_isolation;
    if (strcmp(isolation, "auto") != 0 && strcmp(isolation, "process") != 0 &&
        strcmp(isolation, "thread") != 0) {
        return config_fail(error, "render.isolation must be process, auto or thread, not \"%s\"",
                           isolation);
    }
    if (in->limits_repeat_times == 1) {
        return config_fail(error,
                           "limits.repeat_times must be 0 or at least 2: the first is no "
                           "repeat");
    }
    if (log_level_by_name(in->log_level) < 0) {
        return config_fail(error, "log.level must be error, warn, info or debug, not \"%s\"",
                           in->log_level);
    }
    const char *origin = origin_list_wrong(in->listen_origins);
    if (origin != NULL) {
        return config_fail(error, "listen.origins: \"%.*s\" is not like https://live.example.org",
                           (int)strcspn(origin, ", \t"), origin);
    }
    if ((in->tls_cert_file[0] == '\0') != (in->tls_key_file[0] == '\0')) {
        return config_fail(error, "tls.cert_file and tls.key_file must be set both or neither");
    }
    if (log_format_by_name(in->log_format) < 0) {
        return config_fail(error, "log.format must be logfmt or json, not \"%s\"", in->log_format);
    }
    dp_status status = config_tiers(in, &tiers, error);
    if (status != DP_OK) {
        return status;
    }
    if (in->pool_pmem_path[0] != '\0' && (tiers & DP_TIER_BIT(DP_TIER_PMEM)) == 0) {
        return config_fail(error, "pool.pmem_path is set, but pool.tiers does not name pmem");
    }
    return check_pmem_path(in->pool_pmem_path, error);
}

static bool is_equal(const config *left, const config *right, const setting *row)
{
    size_t bytes = row->initial_text == NULL ? sizeof(int64_t) : CONFIG_TEXT_BYTES;
    return memcmp((const char *)left + row->offset, (const char *)right + row->offset, bytes) == 0;
}

/* What a running danpoold takes: these, with the filter's lists and the files of keys. */
static const char *const live_settings[] = {"log.level",
                                            "log.format",
                                            "limits.user_messages_per_s",
                                            "limits.address_messages_per_s",
                                            "limits.room_messages_per_s",
                                            "limits.address_connects_per_s",
                                            "limits.address_connections_max",
                                            "limits.tarpit_ms_max",
                                            "limits.repeat_times",
                                            "limits.repeat_window_s",
                                            "limits.repeat_alike_percent",
                                            "limits.repeat_mute_s"};

static bool is_live(const setting *row)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", row->group, row->key);
    for (size_t i = 0; i < sizeof live_settings / sizeof live_settings[0]; i++) {
        if (strcmp(live_settings[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_name(char *names, size_t names_bytes, const char *group, const char *key)
{
    size_t used = strlen(names);
    if (used + strlen(group) + strlen(key) + 3 <= names_bytes) {
        snprintf(names + used, names_bytes - used, "%s%s.%s", used > 0 ? "," : "", group, key);
    }
}

size_t config_differences(const config *running, const config *fresh, char *names,
                          size_t names_bytes)
{
    size_t count = 0;
    names[0] = '\0';
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (!is_live(&settings[i]) && !is_equal(running, fresh, &settings[i])) {
            add_name(names, names_bytes, settings[i].group, settings[i].key);
            count++;
        }
    }
    bool same_routes = running->pool_route_count == fresh->pool_route_count;
    for (size_t i = 0; same_routes && i < fresh->pool_route_count; i++) {
        same_routes = memcmp(&running->pool_routes[i].rule, &fresh->pool_routes[i].rule,
                             sizeof(dp_route_rule)) == 0;
    }
    if (!same_routes) {
        add_name(names, names_bytes, "pool", "routes");
        count++;
    }
    return count;
}

static void print_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', to);
        }
        fputc(*text, to);
    }
    fputc('"', to);
}

static void print_setting(FILE *to, const config *in, const setting *row)
{
    const char *at = (const char *)in + row->offset;
    fprintf(to, "    # %s", row->meaning);
    if (row->initial_text == NULL) {
        int64_t value;
        memcpy(&value, at, sizeof value);
        fprintf(to, " (%" PRId64 " to %" PRId64 ")\n    %s = %" PRId64 ";\n", row->min, row->max,
                row->key, value);
        return;
    }
    fprintf(to, "\n    %s = ", row->key);
    print_text(to, at);
    fputs(";\n", to);
}

char *config_print(const config *in)
{
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *to = open_memstream(&text, &size_bytes);
    if (to == NULL) {
        return NULL;
    }
    fputs("# danpoold configuration: later sources win, file < " ENVIRONMENT_PREFIX
          "<GROUP>_<KEY> < --set group.key=value.\n",
          to);
    const char *group = "";
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(group, settings[i].group) != 0) {
            if (strcmp(group, "pool") == 0) {
                config_routes_print(to, in);
            }
            fputs(i == 0 ? "" : "};\n", to);
            group = settings[i].group;
            fprintf(to, "\n%s = {\n", group);
        }
        print_setting(to, in, &settings[i]);
    }
    fputs("};\n", to);
    /* fclose() fails when memory ran out on the way: half a file is worse than none. */
    if (fclose(to) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
