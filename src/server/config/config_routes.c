/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.routes: a list of groups, each one rule of the pool's routing table.
 *
 *     routes = ( { kind = "text"; size_max = 4096; tiers = ["pinned", "host"]; }, ... );
 *
 * A key that is left out matches everything, but for tiers, which a rule is for.  Every field of a
 * rule is written, padding too, so that configurations can be compared as bytes.  No state.
 */
#include "server/config/config_internal.h"

#include <string.h>

#include "server/config/route_text.h"

/* One rule while it is read. */
typedef struct reader {
    config_route *route;
    const char *path;
    config_error *error;
    char where[CONFIG_WHERE_BYTES]; /* of the key at hand */
} reader;

typedef dp_status reader_function(reader *self, const config_setting_t *node);

static dp_status wrong_type(reader *self, const config_setting_t *node, const char *want)
{
    return config_fail(self->error, "%s: pool.routes: %.64s must be %s, not %s", self->where,
                       config_setting_name(node), want,
                       config_type_name(config_setting_type(node)));
}

/* A number from 0 to max. */
static dp_status read_number(reader *self, const config_setting_t *node, uint64_t max,
                             uint64_t *out)
{
    int type = config_setting_type(node);
    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) {
        return wrong_type(self, node, "a whole number");
    }
    if (config_check_wrapped(node, self->error) != DP_OK) {
        return DP_ERR_INVALID;
    }
    long long value = config_setting_get_int64(node);
    if (value < 0 || (uint64_t)value > max) {
        return config_fail(self->error, "%s: pool.routes: %s must be from 0 to %llu, not %lld",
                           self->where, config_setting_name(node), (unsigned long long)max, value);
    }
    *out = (uint64_t)value;
    return DP_OK;
}

static dp_status read_kind(reader *self, const config_setting_t *node)
{
    if (config_setting_type(node) != CONFIG_TYPE_STRING) {
        return wrong_type(self, node, "a text in quotes");
    }
    const char *name = config_setting_get_string(node);
    dp_kind kind = dp_kind_by_name(name);
    if (kind == DP_KIND_COUNT) {
        return config_fail(self->error,
                           "%s: pool.routes: kind must be other, text, surface or encoded, not "
                           "\"%.64s\"",
                           self->where, name);
    }
    self->route->rule.kind = kind;
    return DP_OK;
}

static dp_status read_priority(reader *self, const config_setting_t *node)
{
    if (config_setting_type(node) != CONFIG_TYPE_STRING) {
        return wrong_type(self, node, "a text in quotes");
    }
    const char *name = config_setting_get_string(node);
    dp_priority priority = dp_priority_by_name(name);
    if (priority == DP_PRIORITY_COUNT) {
        return config_fail(self->error,
                           "%s: pool.routes: priority must be low, normal or high, not \"%.64s\"",
                           self->where, name);
    }
    self->route->rule.priority_min = priority;
    return DP_OK;
}

static dp_status read_size_min(reader *self, const config_setting_t *node)
{
    uint64_t value = 0;
    dp_status status = read_number(self, node, DP_SIZE_BYTES_MAX, &value);
    self->route->rule.size_bytes_min = (size_t)value;
    return status;
}

static dp_status read_size_max(reader *self, const config_setting_t *node)
{
    uint64_t value = 0;
    dp_status status = read_number(self, node, DP_SIZE_BYTES_MAX, &value);
    self->route->rule.size_bytes_max = (size_t)value;
    return status;
}

static dp_status read_batch_min(reader *self, const config_setting_t *node)
{
    uint64_t value = 0;
    dp_status status = read_number(self, node, UINT16_MAX, &value);
    self->route->rule.batch_size_min = (uint32_t)value;
    return status;
}

static dp_status read_tenant(reader *self, const config_setting_t *node)
{
    uint64_t value = 0;
    dp_status status = read_number(self, node, UINT16_MAX, &value);
    self->route->rule.tenant = (uint16_t)value;
    return status;
}

static dp_status read_tiers(reader *self, const config_setting_t *node)
{
    int type = config_setting_type(node);
    if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) {
        return wrong_type(self, node, "a list of texts");
    }
    int count = config_setting_length(node);
    uint32_t seen = 0;
    for (int i = 0; i < count; i++) {
        const char *name = config_setting_get_string_elem(node, i);
        if (name == NULL) {
            return config_fail(self->error, "%s: pool.routes: tiers must be a list of texts",
                               self->where);
        }
        dp_tier_id id = dp_tier_by_name(name);
        if (id == DP_TIER_NONE) {
            return config_fail(self->error, "%s: pool.routes: there is no tier \"%.64s\"",
                               self->where, name);
        }
        if ((seen & DP_TIER_BIT(id)) != 0) {
            return config_fail(self->error, "%s: pool.routes: tier %s is named twice", self->where,
                               name);
        }
        seen |= DP_TIER_BIT(id);
        self->route->rule.tiers[i] = id; /* none is named twice, so there is room */
    }
    return DP_OK;
}

static const struct {
    const char *key;
    reader_function *read;
} keys[] = {
    {"kind", read_kind},         {"size_min", read_size_min},   {"size_max", read_size_max},
    {"priority", read_priority}, {"batch_min", read_batch_min}, {"tenant", read_tenant},
    {"tiers", read_tiers},
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])

static dp_status read_key(reader *self, const config_setting_t *node)
{
    const char *name = config_setting_name(node);
    config_where(node, self->path, self->where);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(name, keys[i].key) == 0) {
            return keys[i].read(self, node);
        }
    }
    return config_fail(self->error, "%s: pool.routes: unknown setting %.64s", self->where, name);
}

static void route_clear(config_route *route)
{
    memset(route, 0, sizeof *route);
    route->rule.kind = DP_KIND_COUNT;
    for (unsigned i = 0; i < DP_TIER_COUNT; i++) {
        route->rule.tiers[i] = DP_TIER_NONE;
    }
}

static bool names_host(const dp_route_rule *rule)
{
    bool found = false;
    for (unsigned i = 0; i < DP_TIER_COUNT; i++) {
        found = found || rule->tiers[i] == DP_TIER_HOST;
    }
    return found;
}

/* What no key alone can show. */
static dp_status check_route(const config_route *route, config_error *error)
{
    const dp_route_rule *rule = &route->rule;
    if (rule->tiers[0] == DP_TIER_NONE) {
        return config_fail(error, "%s: pool.routes: a rule must name tiers", route->where);
    }
    if (rule->size_bytes_max != 0 && rule->size_bytes_max < rule->size_bytes_min) {
        return config_fail(error, "%s: pool.routes: size_max is less than size_min", route->where);
    }
    /* Every other tier may be absent or full, and the server works on these with the CPU. */
    if (rule->kind != DP_KIND_SURFACE && !names_host(rule)) {
        return config_fail(error,
                           "%s: pool.routes: a rule must name host, but for one of kind surface",
                           route->where);
    }
    return DP_OK;
}

static dp_status read_route(reader *self, const config_setting_t *group)
{
    config_where(group, self->path, self->where);
    if (!config_setting_is_group(group)) {
        return config_fail(self->error, "%s: pool.routes: a rule must be a group, { ... }, not %s",
                           self->where, config_type_name(config_setting_type(group)));
    }
    route_clear(self->route);
    memcpy(self->route->where, self->where, strlen(self->where));
    int count = config_setting_length(group);
    for (int i = 0; i < count; i++) {
        dp_status status = read_key(self, config_setting_get_elem(group, (unsigned)i));
        if (status != DP_OK) {
            return status;
        }
    }
    return check_route(self->route, self->error);
}

dp_status config_routes_read(config *out, const config_setting_t *list, const char *path,
                             config_error *error)
{
    reader self = {.path = path, .error = error};
    config_where(list, path, self.where);
    if (!config_setting_is_list(list)) {
        return config_fail(error, "%s: pool.routes must be a list, ( { ... }, ... ), not %s",
                           self.where, config_type_name(config_setting_type(list)));
    }
    int count = config_setting_length(list);
    if (count > (int)CONFIG_ROUTES_MAX) {
        return config_fail(error, "%s: pool.routes has %d rules, at most %u", self.where, count,
                           CONFIG_ROUTES_MAX);
    }
    memset(out->pool_routes, 0, sizeof out->pool_routes);
    out->pool_route_count = (size_t)count;
    for (int i = 0; i < count; i++) {
        self.route = &out->pool_routes[i];
        dp_status status = read_route(&self, config_setting_get_elem(list, (unsigned)i));
        if (status != DP_OK) {
            return status;
        }
    }
    return DP_OK;
}

void config_routes_print(FILE *to, const config *in)
{
    fputs(
        "    # which tiers a buffer may come from: the first rule that matches decides, then the"
        " shipped ones\n    routes = (",
        to);
    for (size_t i = 0; i < in->pool_route_count; i++) {
        fputs(i == 0 ? "\n        " : ",\n        ", to);
        route_text_print(to, &in->pool_routes[i].rule);
    }
    fputs(in->pool_route_count == 0 ? ");\n" : "\n    );\n", to);
}

size_t config_rules(const config *in, dp_route_rule rules[CONFIG_RULES_MAX])
{
    size_t shipped_count = 0;
    const dp_route_rule *shipped = dp_route_rules_default(&shipped_count);
    size_t count = 0;
    for (; count < in->pool_route_count; count++) {
        rules[count] = in->pool_routes[count].rule;
    }
    for (size_t i = 0; i < shipped_count && count < CONFIG_RULES_MAX; i++) {
        rules[count++] = shipped[i];
    }
    return count;
}
