/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 2: a recording in the Trace Event Format that chrome://tracing and Perfetto open (the JSON
 * object form: {"traceEvents":[...]}).
 *
 * What took time is a complete event ("X"), the rest an instant of its thread ("i"); a counter
 * ("C") for each tier follows the blocks that gets and puts of this recording leave held, in bytes.
 * Times are microseconds from the first event on.  Paths in it come from the file system or from a
 * foreign file, so every string is escaped.
 */
#include <inttypes.h>
#include <string.h>

#include "pool/size_class.h"
#include "pool/tier.h"
#include "pool/trace_file.h"

/* As JSON wants it; bytes that are no ASCII are replaced, since paths need not be UTF-8. */
static void write_string(const char *text, FILE *to)
{
    (void)fputc('"', to);
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\')
            (void)fprintf(to, "\\%c", byte);
        else if (byte < 0x20 || byte > 0x7e)
            (void)fprintf(to, "\\u%04x", byte < 0x80 ? byte : 0xfffd);
        else
            (void)fputc(byte, to);
    }
    (void)fputc('"', to);
}

/* "name+0x12" of a call site, or the bare address. */
static void write_site(const trace_file *file, uint64_t site, FILE *to)
{
    const trace_module *module = trace_file_module(file, site);
    char text[TRACE_MODULE_PATH_MAX + 32];
    if (module == NULL) {
        (void)snprintf(text, sizeof text, "0x%" PRIx64, site);
    } else {
        const char *slash = strrchr(module->path, '/');
        (void)snprintf(text, sizeof text, "%s+0x%" PRIx64,
                       slash != NULL && slash[1] != '\0' ? slash + 1 : module->path,
                       site - module->bias);
    }
    write_string(text, to);
}

static void write_args(const trace_file *file, const trace_event *event, FILE *to)
{
    (void)fprintf(to, "\"args\":{\"size\":%" PRIu32, event->size_bytes);
    switch (event->type) {
    case DP_TRACE_GET:
        (void)fprintf(to, ",\"class\":%u,\"buffer\":\"0x%" PRIx64 "\",\"fresh\":%s,\"kind\":\"%s\"",
                      event->size_class, event->id,
                      (event->detail & TRACE_GET_FRESH) != 0 ? "true" : "false",
                      dp_kind_name((dp_kind)(event->detail >> TRACE_GET_KIND_SHIFT)));
        (void)fputs(",\"site\":", to);
        write_site(file, event->site, to);
        break;
    case DP_TRACE_PUT:
        (void)fprintf(to, ",\"class\":%u,\"buffer\":\"0x%" PRIx64 "\"", event->size_class,
                      event->id);
        break;
    case DP_TRACE_MIGRATE:
        (void)fprintf(to, ",\"to\":\"%s\"", dp_tier_name((dp_tier_id)event->detail));
        break;
    case DP_TRACE_EVICT:
        (void)fprintf(to, ",\"priority\":%u", event->detail);
        break;
    case DP_TRACE_HEALTH:
        (void)fprintf(to, ",\"class\":%u,\"from\":%u,\"to\":%u", event->size_class,
                      event->detail >> 4, event->detail & 15u);
        break;
    default:
        break;
    }
    (void)fputc('}', to);
}

typedef struct chrome {
    const trace_file *file;
    FILE *to;
    uint64_t origin_ns;
    int64_t held_bytes[DP_TIER_COUNT];
} chrome;

static void write_time(const chrome *self, const char *key, uint64_t ns)
{
    (void)fprintf(self->to, "\"%s\":%" PRIu64 ".%03u,", key, ns / 1000, (unsigned)(ns % 1000));
}

static void write_event(chrome *self, const trace_event *event)
{
    bool timed = event->duration_ns != 0;
    const char *name = event->type == DP_TRACE_TIER_CALL ? tier_call_name((tier_call)event->detail)
                                                         : trace_event_name(event->type);
    (void)fprintf(self->to, ",\n{\"name\":\"%s\",\"cat\":\"%s\",\"ph\":\"%s\",", name,
                  dp_tier_name((dp_tier_id)event->tier), timed ? "X" : "i");
    (void)fprintf(self->to, "\"pid\":%" PRIu32 ",\"tid\":%" PRIu32 ",", self->file->process,
                  event->thread);
    write_time(self, "ts", event->time_ns - event->duration_ns - self->origin_ns);
    if (timed)
        write_time(self, "dur", event->duration_ns);
    else
        (void)fputs("\"s\":\"t\",", self->to);
    write_args(self->file, event, self->to);
    (void)fputc('}', self->to);
}

static void write_held(chrome *self, const trace_event *event)
{
    int64_t *held = &self->held_bytes[event->tier];
    int64_t block_bytes = (int64_t)size_class_bytes(event->size_class);
    *held += event->type == DP_TRACE_GET ? block_bytes : -block_bytes;
    const char *tier = dp_tier_name((dp_tier_id)event->tier);
    (void)fprintf(self->to, ",\n{\"name\":\"held in %s\",\"ph\":\"C\",\"pid\":%" PRIu32 ",", tier,
                  self->file->process);
    write_time(self, "ts", event->time_ns - self->origin_ns);
    /* What was got before the recording began may be put in it. */
    (void)fprintf(self->to, "\"args\":{\"bytes\":%" PRId64 "}}", *held < 0 ? 0 : *held);
}

dp_status trace_file_write_chrome(const trace_file *file, FILE *to)
{
    chrome self = {.file = file, .to = to, .origin_ns = UINT64_MAX};
    for (size_t i = 0; i < file->event_count; i++) {
        uint64_t begun_ns = file->events[i].time_ns - file->events[i].duration_ns;
        self.origin_ns = begun_ns < self.origin_ns ? begun_ns : self.origin_ns;
    }
    (void)fprintf(to, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"dropped\":\"%" PRIu64 "\"},",
                  file->dropped);
    (void)fprintf(to,
                  "\"traceEvents\":[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%" PRIu32
                  ","
                  "\"args\":{\"name\":\"danpool\"}}",
                  file->process);
    for (size_t i = 0; i < file->event_count; i++) {
        const trace_event *event = &file->events[i];
        write_event(&self, event);
        if (event->type == DP_TRACE_GET || event->type == DP_TRACE_PUT)
            write_held(&self, event);
    }
    (void)fputs("\n]}\n", to);
    return fflush(to) == 0 && !ferror(to) ? DP_OK : DP_ERR_IO;
}
