/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What render and thumb print: a block for one file, a line each for many, or JSON lines; and the
 * progress on a terminal.  The main thread alone.
 */
#include <stdio.h>
#include <unistd.h>

#include "ctl/batch.h"
#include "ctl/ctl.h"

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static void print_json_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c < 0x20 || c == 0x7f) {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

static void print_json_picture(const batch_picture *picture)
{
    fputs("{\"file\":", stdout);
    if (picture->path != NULL) {
        print_json_text(picture->path);
    } else {
        fputs("null", stdout);
    }
    printf(
        ",\"format\":\"%s\",\"width\":%u,\"height\":%u,\"frames\":%u,\"bytes\":%zu,"
        "\"tier\":\"%s\"}",
        dp_media_format_name(picture->format), picture->width, picture->height,
        picture->frame_count, picture->size_bytes, dp_tier_name(picture->tier));
}

static void print_json(const batch_options *options, const batch_entry *entry)
{
    const dp_render_result *r = &entry->result;
    fputs("{\"file\":", stdout);
    print_json_text(entry->file);
    if (entry->status != DP_OK) {
        printf(",\"ok\":false,\"status\":\"%s\",\"message\":", dp_status_name(entry->status));
        print_json_text(entry->message);
        fputs("}\n", stdout);
        return;
    }
    printf(
        ",\"ok\":true,\"engine\":\"%s\",\"surface_tier\":\"%s\",\"source\":{\"format\":\"%s\","
        "\"width\":%u,\"height\":%u,\"frames\":%u},\"pictures\":[",
        r->engine, dp_tier_name(r->surface_tier), dp_media_format_name(r->source_format),
        r->source_width, r->source_height, r->source_frame_count);
    for (unsigned i = 0; i < options->size_count; i++) {
        fputs(i == 0 ? "" : ",", stdout);
        print_json_picture(&entry->pictures[i]);
    }
    printf(
        "],\"ms\":{\"queued\":%.3f,\"decode\":%.3f,\"batch\":%.3f,\"resize\":%.3f,"
        "\"encode\":%.3f}}\n",
        ms(r->queued_ns), ms(r->decode_ns), ms(r->batch_ns), ms(r->resize_ns), ms(r->encode_ns));
}

static void print_frames(uint32_t frame_count)
{
    if (frame_count > 1) {
        printf(", %u frames", frame_count);
    }
}

static void print_block(const batch_options *options, const batch_entry *entry)
{
    const dp_render_result *r = &entry->result;
    printf("engine   %s\n", r->engine);
    printf("tier     surfaces %s, result %s\n", dp_tier_name(r->surface_tier),
           dp_tier_name(entry->pictures[0].tier));
    printf("source   %s, %u x %u pixels", dp_media_format_name(r->source_format), r->source_width,
           r->source_height);
    print_frames(r->source_frame_count);
    for (unsigned i = 0; i < options->size_count; i++) {
        const batch_picture *picture = &entry->pictures[i];
        printf("\nresult   %s, %u x %u pixels, %zu bytes", dp_media_format_name(picture->format),
               picture->width, picture->height, picture->size_bytes);
        print_frames(picture->frame_count);
        printf("%s%s", picture->path != NULL ? ", " : "",
               picture->path != NULL ? picture->path : "");
    }
    printf(
        "\ntime     queued %.2f ms, decode %.2f ms, batch %.2f ms, resize %.2f ms, "
        "encode %.2f ms\n",
        ms(r->queued_ns), ms(r->decode_ns), ms(r->batch_ns), ms(r->resize_ns), ms(r->encode_ns));
}

static void print_line(const batch_options *options, const batch_entry *entry)
{
    const dp_render_result *r = &entry->result;
    printf("%s: %s, %s, %.2f ms, %s %u x %u ->", entry->file, r->engine,
           dp_tier_name(r->surface_tier),
           ms(r->decode_ns + r->batch_ns + r->resize_ns + r->encode_ns),
           dp_media_format_name(r->source_format), r->source_width, r->source_height);
    for (unsigned i = 0; i < options->size_count; i++) {
        const batch_picture *picture = &entry->pictures[i];
        printf("%s %s %u x %u", i == 0 ? "" : ",", dp_media_format_name(picture->format),
               picture->width, picture->height);
        print_frames(picture->frame_count);
    }
    putchar('\n');
}

void report_entry(const batch_options *options, const batch_entry *entry)
{
    if (options->json) {
        print_json(options, entry);
    }
    if (entry->status != DP_OK) {
        fflush(stdout); /* what is said about others stays before it */
        ctl_error("%s: %s", entry->file, entry->message);
    } else if (!options->json && options->file_count == 1) {
        print_block(options, entry);
    } else if (!options->json) {
        print_line(options, entry);
    }
}

void report_summary(const batch_options *options, unsigned failed, uint64_t spent_ns,
                    const char *backend)
{
    const double seconds = (double)spent_ns / 1e9;
    if (options->json || options->file_count == 1) {
        return;
    }
    printf("%d files, %u failed, %.2f s, %.1f files a second, backend %s\n", options->file_count,
           failed, seconds, seconds > 0 ? options->file_count / seconds : 0.0, backend);
}

void report_progress(unsigned done, unsigned failed, unsigned count, uint64_t spent_ns)
{
    if (!isatty(STDERR_FILENO)) {
        return;
    }
    const double seconds = (double)spent_ns / 1e9;
    fflush(stdout);
    fprintf(stderr, "\r%u of %u files, %u failed, %.1f a second\033[K", done, count, failed,
            seconds > 0 ? done / seconds : 0.0);
    fflush(stderr);
}

void report_progress_clear(void)
{
    if (isatty(STDERR_FILENO)) {
        fputs("\r\033[K", stderr);
    }
}
