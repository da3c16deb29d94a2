/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 2: the file's bytes, out and in; trace_file.h tells the format.
 *
 * Numbers are put together byte by byte, so that the format depends on neither the machine's byte
 * order nor the compiler's padding.  Single threaded but for trace_file_from(), whose snapshot is
 * the trace's own business.
 */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "pool/trace_file.h"

#include <link.h>
#include <string.h>
#include <unistd.h>

#include "pool/os.h"
#include "pool/size_class.h"
#include "pool/tier.h"

static const char magic[8] = "dptrace\n";

#define HEADER_BYTES 40u
#define MODULE_BYTES 28u

static const char *const event_names[DP_TRACE_EVENT_COUNT] = {
#define EVENT_NAME(id, name) [id] = (name),
    DP_TRACE_EVENT_LIST(EVENT_NAME)
#undef EVENT_NAME
};

const char *trace_event_name(unsigned type)
{
    return type < DP_TRACE_EVENT_COUNT ? event_names[type] : "unknown";
}

void trace_file_clear(trace_file *file)
{
    for (uint32_t i = 0; i < file->module_count; i++)
        os_free(file->modules[i].path);
    os_free(file->events);
    *file = (trace_file){.event_count = 0};
}

const trace_module *trace_file_module(const trace_file *file, uint64_t address)
{
    for (uint32_t i = 0; i < file->module_count; i++) {
        const trace_module *module = &file->modules[i];
        if (address >= module->begin && address < module->end)
            return module;
    }
    return NULL;
}

/* ---- from this process ---- */

/* The program itself has no name in the loader's list. */
static char *program_path(void)
{
    char path[TRACE_MODULE_PATH_MAX + 1];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    return os_strdup(length > 0 ? path : "(program)");
}

static void module_extent(const struct dl_phdr_info *info, trace_module *out)
{
    *out = (trace_module){.bias = info->dlpi_addr, .begin = UINT64_MAX};
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD)
            continue;
        uint64_t begin = info->dlpi_addr + segment->p_vaddr;
        out->begin = begin < out->begin ? begin : out->begin;
        out->end = begin + segment->p_memsz > out->end ? begin + segment->p_memsz : out->end;
    }
}

static bool has_site_in(const trace_file *file, const trace_module *module)
{
    for (size_t i = 0; i < file->event_count; i++) {
        uint64_t site = file->events[i].site;
        if (site >= module->begin && site < module->end)
            return true;
    }
    return false;
}

/* Stops the walk (not 0) when there is no memory or no room for more. */
static int module_add(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size;
    trace_file *file = user;
    trace_module module;
    module_extent(info, &module);
    if (!has_site_in(file, &module))
        return 0;
    if (file->module_count == TRACE_MODULES_MAX)
        return 0; /* the sites in it stay numbers */
    bool named = info->dlpi_name != NULL && info->dlpi_name[0] != '\0' &&
                 strlen(info->dlpi_name) <= TRACE_MODULE_PATH_MAX;
    module.path = named ? os_strdup(info->dlpi_name) : program_path();
    if (module.path == NULL)
        return 1;
    file->modules[file->module_count++] = module;
    return 0;
}

dp_status trace_file_from(trace *from, trace_file *out)
{
    trace_file file = {.process = (uint32_t)getpid()};
    dp_status status = trace_snapshot(from, &file.events, &file.event_count, &file.dropped);
    if (status != DP_OK)
        return status;
    if (dl_iterate_phdr(module_add, &file) != 0) {
        trace_file_clear(&file);
        return DP_ERR_NOMEM;
    }
    *out = file;
    return DP_OK;
}

/* ---- writing ---- */

static unsigned char *put32(unsigned char *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        *at++ = (unsigned char)(value >> (8 * i));
    return at;
}

static unsigned char *put64(unsigned char *at, uint64_t value)
{
    return put32(put32(at, (uint32_t)value), (uint32_t)(value >> 32));
}

static void write_event(const trace_event *event, FILE *to)
{
    unsigned char bytes[TRACE_FILE_EVENT_BYTES];
    unsigned char *at = put64(put64(put64(bytes, event->time_ns), event->id), event->site);
    at = put32(put32(put32(at, event->size_bytes), event->thread), event->duration_ns);
    *at++ = event->type;
    *at++ = event->tier;
    *at++ = event->size_class;
    *at++ = event->detail;
    (void)fwrite(bytes, 1, sizeof bytes, to); /* ferror() remembers */
}

dp_status trace_file_write(const trace_file *file, FILE *to)
{
    unsigned char bytes[HEADER_BYTES];
    memcpy(bytes, magic, sizeof magic);
    unsigned char *at = put32(put32(bytes + sizeof magic, TRACE_FILE_VERSION), file->module_count);
    at = put32(put32(at, file->process), 0);
    put64(put64(at, file->event_count), file->dropped);
    (void)fwrite(bytes, 1, HEADER_BYTES, to);
    for (uint32_t i = 0; i < file->module_count; i++) {
        const trace_module *module = &file->modules[i];
        uint32_t length = (uint32_t)strlen(module->path);
        at = put64(put64(put64(bytes, module->bias), module->begin), module->end);
        put32(at, length);
        (void)fwrite(bytes, 1, MODULE_BYTES, to);
        (void)fwrite(module->path, 1, length, to);
    }
    for (size_t i = 0; i < file->event_count; i++)
        write_event(&file->events[i], to);
    return fflush(to) == 0 && !ferror(to) ? DP_OK : DP_ERR_IO;
}

/* ---- reading ---- */

/* What is left of the file. */
typedef struct scan {
    const unsigned char *at;
    size_t left;
} scan;

static uint64_t take(scan *from, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)from->at[i] << (8 * i);
    from->at += bytes;
    from->left -= bytes;
    return value;
}

static dp_status parse_module(scan *from, trace_file *file)
{
    if (from->left < MODULE_BYTES)
        return DP_ERR_FORMAT;
    trace_module module = {.bias = take(from, 8)};
    module.begin = take(from, 8);
    module.end = take(from, 8);
    uint64_t length = take(from, 4);
    if (length == 0 || length > TRACE_MODULE_PATH_MAX || length > from->left ||
        module.begin >= module.end || memchr(from->at, '\0', (size_t)length) != NULL)
        return DP_ERR_FORMAT;
    module.path = os_calloc(1, (size_t)length + 1);
    if (module.path == NULL)
        return DP_ERR_NOMEM;
    memcpy(module.path, from->at, (size_t)length);
    from->at += length;
    from->left -= (size_t)length;
    file->modules[file->module_count++] = module;
    return DP_OK;
}

static bool event_is_valid(const trace_event *event, uint64_t time_ns_before)
{
    return event->time_ns >= time_ns_before && event->duration_ns <= event->time_ns &&
           event->type < DP_TRACE_EVENT_COUNT && event->tier < DP_TIER_COUNT &&
           event->size_class < SIZE_CLASS_COUNT &&
           (event->type != DP_TRACE_TIER_CALL || event->detail < TIER_CALL_COUNT) &&
           (event->type != DP_TRACE_MIGRATE || event->detail < DP_TIER_COUNT) &&
           (event->type != DP_TRACE_GET ||
            (event->id != 0 && event->size_bytes != 0 && event->size_bytes <= DP_SIZE_BYTES_MAX &&
             event->detail >> TRACE_GET_KIND_SHIFT < DP_KIND_COUNT));
}

static dp_status parse_events(scan *from, trace_file *file)
{
    uint64_t time_ns = 0;
    file->events =
        file->event_count == 0 ? NULL : os_calloc(file->event_count, sizeof(trace_event));
    if (file->event_count != 0 && file->events == NULL)
        return DP_ERR_NOMEM;
    for (size_t i = 0; i < file->event_count; i++) {
        trace_event *event = &file->events[i];
        event->time_ns = take(from, 8);
        event->id = take(from, 8);
        event->site = take(from, 8);
        event->size_bytes = (uint32_t)take(from, 4);
        event->thread = (uint32_t)take(from, 4);
        event->duration_ns = (uint32_t)take(from, 4);
        event->type = (uint8_t)take(from, 1);
        event->tier = (uint8_t)take(from, 1);
        event->size_class = (uint8_t)take(from, 1);
        event->detail = (uint8_t)take(from, 1);
        if (!event_is_valid(event, time_ns))
            return DP_ERR_FORMAT;
        time_ns = event->time_ns;
    }
    return DP_OK;
}

static dp_status parse(scan *from, trace_file *file)
{
    if (from->left < HEADER_BYTES || memcmp(from->at, magic, sizeof magic) != 0)
        return DP_ERR_FORMAT;
    from->at += sizeof magic;
    from->left -= sizeof magic;
    uint64_t version = take(from, 4);
    uint64_t module_count = take(from, 4);
    file->process = (uint32_t)take(from, 4);
    uint64_t zero = take(from, 4);
    uint64_t event_count = take(from, 8);
    file->dropped = take(from, 8);
    if (version != TRACE_FILE_VERSION || module_count > TRACE_MODULES_MAX ||
        file->process > INT32_MAX || zero != 0)
        return DP_ERR_FORMAT;
    for (uint64_t i = 0; i < module_count; i++) {
        dp_status status = parse_module(from, file);
        if (status != DP_OK)
            return status;
    }
    /* The rest is the events and nothing else; a count that says otherwise buys no memory. */
    if (from->left % TRACE_FILE_EVENT_BYTES != 0 ||
        event_count != from->left / TRACE_FILE_EVENT_BYTES)
        return DP_ERR_FORMAT;
    file->event_count = (size_t)event_count;
    return parse_events(from, file);
}

dp_status trace_file_parse(const void *bytes, size_t size_bytes, trace_file *out)
{
    scan from = {.at = bytes, .left = size_bytes};
    trace_file file = {.event_count = 0};
    dp_status status = parse(&from, &file);
    if (status != DP_OK) {
        trace_file_clear(&file);
        return status;
    }
    *out = file;
    return DP_OK;
}

/* The file's bytes, to be freed; NULL with *status said. */
static unsigned char *read_all(FILE *from, size_t *size_bytes, dp_status *status)
{
    long length = fseek(from, 0, SEEK_END) == 0 ? ftell(from) : -1;
    *status = DP_ERR_IO;
    if (length < 0 || fseek(from, 0, SEEK_SET) != 0)
        return NULL;
    *status = DP_ERR_TOO_LARGE;
    if ((unsigned long)length > TRACE_FILE_BYTES_MAX)
        return NULL;
    *status = DP_ERR_NOMEM;
    unsigned char *bytes = os_calloc(1, (size_t)length + 1);
    if (bytes == NULL)
        return NULL;
    *size_bytes = fread(bytes, 1, (size_t)length, from);
    *status = DP_OK;
    return bytes;
}

dp_status trace_file_load(const char *path, trace_file *out)
{
    FILE *from = fopen(path, "rb");
    if (from == NULL)
        return DP_ERR_IO;
    size_t size_bytes = 0;
    dp_status status = DP_OK;
    unsigned char *bytes = read_all(from, &size_bytes, &status);
    (void)fclose(from);
    if (bytes == NULL)
        return status;
    status = trace_file_parse(bytes, size_bytes, out);
    os_free(bytes);
    return status;
}
