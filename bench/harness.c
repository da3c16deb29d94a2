/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options and output of the harness.
 *
 * A row is printed as soon as it is measured and flushed, so that a bench that is cut short leaves
 * what it had.  The table's widths are fixed for the same reason.
 */
#include "harness.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    bench_config config;
    bool json;
    bool quick;
    const char *only; /* NULL: every row */
    int repeats;
    bool header_printed;
    bool failed;
    unsigned goals;
    unsigned goals_met;
};

#define TABLE_FORMAT "%-38s %10s %-5s %10s %10s  %-22s %10s %7s  %-22s %s\n"

static void usage(const bench_config *config, FILE *to)
{
    (void)fprintf(to,
                  "bench_%s: %s\n\n"
                  "  --json           one JSON object a line, the machine first\n"
                  "  --quick          smoke run: small loads, few repeats\n"
                  "  --only TEXT      only rows whose name contains TEXT\n"
                  "  --repeats N      repeats of every figure (default %d, quick %d)\n"
                  "  --help           this\n",
                  config->name, config->summary, config->repeats_default, config->repeats_quick);
    for (size_t i = 0; i < config->option_count; i++) {
        const bench_option *option = &config->options[i];
        char head[64];
        (void)snprintf(head, sizeof head, "%s %s", option->name, option->value_name);
        if (option->number != NULL) {
            (void)fprintf(to, "  %-16s %s (default %" PRId64 ")\n", head, option->help,
                          *option->number);
        } else {
            (void)fprintf(to, "  %-16s %s\n", head, option->help);
        }
    }
}

static bool parse_number(const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < min || value > max) {
        return false;
    }
    *out = value;
    return true;
}

/* Takes one option with a value; returns NULL, or what is wrong with it. */
static const char *take_value(bench *b, const char *name, const char *value)
{
    static char message[160];
    int64_t number = 0;
    if (strcmp(name, "--only") == 0) {
        b->only = value;
        return NULL;
    }
    if (strcmp(name, "--repeats") == 0) {
        if (!parse_number(value, 1, BENCH_REPEATS_MAX, &number)) {
            return "--repeats takes a number from 1 to 1000";
        }
        b->repeats = (int)number;
        return NULL;
    }
    for (size_t i = 0; i < b->config.option_count; i++) {
        const bench_option *option = &b->config.options[i];
        if (strcmp(name, option->name) != 0) {
            continue;
        }
        if (option->text != NULL) {
            *option->text = value;
            return NULL;
        }
        if (!parse_number(value, option->min, option->max, option->number)) {
            (void)snprintf(message, sizeof message,
                           "%s takes a number from %" PRId64 " to %" PRId64, name, option->min,
                           option->max);
            return message;
        }
        return NULL;
    }
    (void)snprintf(message, sizeof message, "unknown option %.60s", name);
    return message;
}

/* Returns NULL, or what is wrong with the command line; *help is set by --help. */
static const char *parse(bench *b, int argc, char **argv, bool *help)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            b->json = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            b->quick = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *help = true;
            return NULL;
        } else if (i + 1 < argc) {
            const char *wrong = take_value(b, argv[i], argv[i + 1]);
            if (wrong != NULL) {
                return wrong;
            }
            i++;
        } else {
            return "unknown option, or its value is missing";
        }
    }
    return NULL;
}

static void print_machine(const bench *b)
{
    bench_machine m;
    bench_machine_read(&m);
    if (!b->json) {
        printf("bench %s on %s, %d cores, %.1f GiB, %s, GPU %s\n", b->config.name, m.cpu, m.cores,
               (double)m.memory_bytes / (1024.0 * 1024.0 * 1024.0), m.kernel, m.gpu);
        printf("built by %s, %s; %s; clock %s, %.1f ns taken off; %d repeats%s\n\n", m.compiler,
               m.build_type, m.date, bench_clock_name(), bench_clock_overhead_ns(), b->repeats,
               b->quick ? " (quick: a smoke run, not a measurement)" : "");
        return;
    }
    char cpu[300];
    char kernel[300];
    char gpu[300];
    char compiler[160];
    char build[160];
    (void)bench_json_string(cpu, sizeof cpu, m.cpu);
    (void)bench_json_string(kernel, sizeof kernel, m.kernel);
    (void)bench_json_string(gpu, sizeof gpu, m.gpu);
    (void)bench_json_string(compiler, sizeof compiler, m.compiler);
    (void)bench_json_string(build, sizeof build, m.build_type);
    printf("{\"machine\":{\"cpu\":%s,\"cores\":%d,\"memory_bytes\":%" PRIu64
           ",\"kernel\":%s,\"gpu\":%s,\"compiler\":%s,\"build_type\":%s,\"date\":\"%s\","
           "\"clock\":\"%s\",\"clock_overhead_ns\":%.1f,\"repeats\":%d,\"quick\":%s}}\n",
           cpu, m.cores, m.memory_bytes, kernel, gpu, compiler, build, m.date, bench_clock_name(),
           bench_clock_overhead_ns(), b->repeats, b->quick ? "true" : "false");
}

bench *bench_open(const bench_config *config, int argc, char **argv, int *exit_status)
{
    bench *b = calloc(1, sizeof *b);
    if (b == NULL) {
        (void)fprintf(stderr, "bench_%s: out of memory\n", config->name);
        *exit_status = 1;
        return NULL;
    }
    b->config = *config;
    bool help = false;
    const char *wrong = parse(b, argc, argv, &help);
    if (help || wrong != NULL) {
        if (wrong != NULL) {
            (void)fprintf(stderr, "bench_%s: %s\n", config->name, wrong);
        } else {
            usage(config, stdout);
        }
        *exit_status = help ? 0 : 2;
        free(b);
        return NULL;
    }
    if (b->repeats == 0) {
        b->repeats = b->quick ? config->repeats_quick : config->repeats_default;
    }
    bench_setup();
    print_machine(b);
    (void)fflush(stdout);
    return b;
}

int bench_close(bench *b)
{
    if (!b->json && b->goals > 0) {
        printf("\n%u of %u goals met\n", b->goals_met, b->goals);
    }
    int status = b->failed ? 1 : 0;
    if (fflush(stdout) != 0) {
        status = 1;
    }
    free(b);
    return status;
}

bool bench_is_quick(const bench *b)
{
    return b->quick;
}

int bench_repeats(const bench *b)
{
    return b->repeats;
}

bool bench_wants(const bench *b, const char *row)
{
    return b->only == NULL || strstr(row, b->only) != NULL;
}

const bench_peer *bench_row_best_peer(const bench_row *row)
{
    const bench_peer *best = NULL;
    for (size_t i = 0; i < row->peer_count; i++) {
        const bench_peer *peer = &row->peers[i];
        if (isnan(peer->value)) {
            continue;
        }
        if (best == NULL ||
            (row->more_is_better ? peer->value > best->value : peer->value < best->value)) {
            best = peer;
        }
    }
    return best;
}

static double row_ratio(const bench_row *row, const bench_peer *peer)
{
    return peer != NULL && peer->value > 0.0 ? row->value / peer->value : NAN;
}

int bench_row_met(const bench_row *row)
{
    double ratio = row_ratio(row, bench_row_best_peer(row));
    switch (row->goal.kind) {
    case BENCH_GOAL_RATIO_MAX:
        return isnan(ratio) ? -1 : ratio <= row->goal.limit;
    case BENCH_GOAL_VALUE_MAX:
        return isnan(row->value) ? -1 : row->value <= row->goal.limit;
    case BENCH_GOAL_VALUE_MIN:
        return isnan(row->value) ? -1 : row->value >= row->goal.limit;
    case BENCH_GOAL_NONE:
        break;
    }
    return -1;
}

static void goal_text(const bench_row *row, char *out, size_t out_size)
{
    switch (row->goal.kind) {
    case BENCH_GOAL_NONE:
        (void)snprintf(out, out_size, "%s", "");
        break;
    case BENCH_GOAL_RATIO_MAX:
        (void)snprintf(out, out_size, "<= %.3g x best peer", row->goal.limit);
        break;
    case BENCH_GOAL_VALUE_MAX:
        (void)snprintf(out, out_size, "<= %.6g%s%s", row->goal.limit, *row->unit ? " " : "",
                       row->unit);
        break;
    case BENCH_GOAL_VALUE_MIN:
        (void)snprintf(out, out_size, ">= %.6g%s%s", row->goal.limit, *row->unit ? " " : "",
                       row->unit);
        break;
    }
}

/* Three significant digits for people; "-" for what was not measured. */
static const char *human(double value, char out[24])
{
    double size = fabs(value);
    if (isnan(value)) {
        (void)snprintf(out, 24, "-");
    } else if (size >= 100.0 || value == floor(value)) {
        (void)snprintf(out, 24, "%.0f", value);
    } else if (size >= 10.0) {
        (void)snprintf(out, 24, "%.1f", value);
    } else if (size >= 0.1) {
        (void)snprintf(out, 24, "%.2f", value);
    } else {
        (void)snprintf(out, 24, "%.3g", value);
    }
    return out;
}

static void table_header(bench *b)
{
    if (!b->header_printed) {
        printf(TABLE_FORMAT, "row", "value", "unit", "p50", "p99", "best peer", "its value",
               "ratio", "goal", "met");
        b->header_printed = true;
    }
}

static void emit_table(bench *b, const bench_row *row, const char *goal, int met)
{
    char cells[5][24];
    const bench_peer *best = bench_row_best_peer(row);
    table_header(b);
    printf(TABLE_FORMAT, row->name, human(row->value, cells[0]), row->unit,
           human(row->p50, cells[1]), human(row->p99, cells[2]), best == NULL ? "-" : best->name,
           human(best == NULL ? NAN : best->value, cells[3]), human(row_ratio(row, best), cells[4]),
           goal,
           met < 0 ? ""
           : met   ? "yes"
                   : "NO");
    if (row->peer_count > 1) {
        printf("%38s", "others:");
        for (size_t i = 0; i < row->peer_count; i++) {
            if (&row->peers[i] != best) {
                printf("  %s %s", row->peers[i].name, human(row->peers[i].value, cells[0]));
            }
        }
        printf("\n");
    }
    if (row->note != NULL) {
        printf("    %s\n", row->note);
    }
}

static void json_number(const char *key, double value)
{
    if (isfinite(value)) {
        printf(",\"%s\":%.6g", key, value);
    } else {
        printf(",\"%s\":null", key);
    }
}

static void json_text(const char *key, const char *value)
{
    char quoted[1024];
    (void)bench_json_string(quoted, sizeof quoted, value);
    printf(",\"%s\":%s", key, quoted);
}

static void json_open(const bench *b, const char *row)
{
    char quoted[256];
    (void)bench_json_string(quoted, sizeof quoted, b->config.name);
    printf("{\"bench\":%s", quoted);
    json_text("row", row);
}

static void emit_json(const bench *b, const bench_row *row, const char *goal, int met)
{
    const bench_peer *best = bench_row_best_peer(row);
    json_open(b, row->name);
    json_number("value", row->value);
    json_text("unit", row->unit);
    json_number("min", row->min);
    json_number("p50", row->p50);
    json_number("p99", row->p99);
    if (best != NULL) {
        json_text("peer", best->name);
    } else {
        printf(",\"peer\":null");
    }
    json_number("peer_value", best == NULL ? NAN : best->value);
    json_number("ratio", row_ratio(row, best));
    json_text("goal", goal);
    printf(",\"met\":%s", met < 0 ? "null" : met ? "true" : "false");
    printf(",\"peers\":[");
    for (size_t i = 0; i < row->peer_count; i++) {
        char quoted[128];
        (void)bench_json_string(quoted, sizeof quoted, row->peers[i].name);
        printf("%s{\"name\":%s", i == 0 ? "" : ",", quoted);
        json_number("value", row->peers[i].value);
        json_number("p99", row->peers[i].p99);
        printf("}");
    }
    printf("]");
    if (row->note != NULL) {
        json_text("note", row->note);
    }
    printf("}\n");
}

void bench_emit(bench *b, const bench_row *row)
{
    char goal[64];
    goal_text(row, goal, sizeof goal);
    int met = bench_row_met(row);
    if (row->goal.kind != BENCH_GOAL_NONE) {
        b->goals++;
        b->goals_met += met == 1 ? 1u : 0u;
    }
    if (b->json) {
        emit_json(b, row, goal, met);
    } else {
        emit_table(b, row, goal, met);
    }
    (void)fflush(stdout);
    if (row->goal.required && met != 1) {
        bench_fail(b, "%s: the required goal %s was missed", row->name, goal);
    }
}

void bench_skip(bench *b, const char *row, const char *why)
{
    if (b->json) {
        json_open(b, row);
        json_text("skipped", why);
        printf("}\n");
    } else {
        table_header(b);
        printf("%-38s skipped: %s\n", row, why);
    }
    (void)fflush(stdout);
}

void bench_fail(bench *b, const char *format, ...)
{
    (void)fprintf(stderr, "bench_%s: ", b->config.name);
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "\n");
    b->failed = true;
}
