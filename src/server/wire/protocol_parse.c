/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Untrusted bytes to a request.
 *
 * One pass of yajl over the frame.  Its callbacks look at the values of the top-level object only:
 * each known field is checked when it is met and remembered as ABSENT, GOOD or BAD, so that a
 * repeated key simply overwrites it (the last wins), and the verdict falls after the whole frame
 * was seen to be JSON.  `ext` is kept as two offsets: behind its key, and behind its value.
 *
 * Strings with escapes reach a callback in a buffer that the next one overwrites.  Short ones are
 * turned into numbers at once; the text is cleaned into the parser's own memory.  A parser belongs
 * to one thread and owns arena and text; a request points into both and into the frame.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "server/wire/protocol_internal.h"
#include "server/wire/text.h"

#define ID_MAX      9007199254740992 /* 2^53, the largest that every JSON reader keeps exact */
#define SIZE_PX_MIN 12
#define SIZE_PX_MAX 64

typedef enum field { OP, ID, TEXT, MODE, COLOR, SIZE, EXT, FIELD_COUNT, FIELD_UNKNOWN } field;
typedef enum verdict { ABSENT, GOOD, BAD } verdict;
typedef enum value_type { VALUE_STRING, VALUE_NUMBER, VALUE_OTHER } value_type;

/* In the order of `field`. */
static const char *const field_names[FIELD_COUNT] = {"op",    "id",   "text", "mode",
                                                     "color", "size", "ext"};

struct protocol_parser {
    protocol_limits limits;
    protocol_arena arena;
    char *text; /* PROTOCOL_FRAME_BYTES_MAX bytes: a cleaned text is never longer than the frame */

    /* The state of one parse. */
    yajl_handle handle;
    const char *frame;
    size_t depth; /* containers open */
    bool too_deep;
    bool is_object;
    bool op_known;
    field field;       /* the top-level key whose value comes next */
    size_t ext_offset; /* behind the key "ext" */
    size_t end_offset; /* behind the outermost container */
    size_t text_chars;
    verdict verdicts[FIELD_COUNT];
    protocol_request request;
};

/* Every block is preceded by its size, because yajl's realloc does not tell the old one. */
typedef struct block {
    _Alignas(max_align_t) size_t size_bytes;
} block;

static void *arena_allocate(void *context, size_t size_bytes)
{
    protocol_arena *arena = context;
    size_t align = _Alignof(max_align_t);
    size_t left = arena->capacity_bytes - arena->used_bytes;
    if (left < sizeof(block) || size_bytes > left - sizeof(block)) {
        longjmp(arena->full, 1);
    }
    block *header = (block *)(void *)(arena->bytes + arena->used_bytes);
    header->size_bytes = size_bytes;
    size_t taken = sizeof(block) + (size_bytes + align - 1) / align * align;
    arena->used_bytes += taken < left ? taken : left;
    if (arena->used_bytes > arena->high_bytes) {
        arena->high_bytes = arena->used_bytes;
    }
    return header + 1;
}

static void arena_release(void *context, void *memory)
{
    /* The next parse empties the arena; nothing is given back one by one. */
    (void)context;
    (void)memory;
}

static void *arena_resize(void *context, void *memory, size_t size_bytes)
{
    protocol_arena *arena = context;
    if (memory == NULL) {
        return arena_allocate(context, size_bytes);
    }
    block *header = (block *)memory - 1;
    size_t old_bytes = header->size_bytes;
    if (size_bytes <= old_bytes) {
        return memory;
    }
    size_t align = _Alignof(max_align_t);
    size_t end =
        (size_t)((unsigned char *)memory - arena->bytes) + (old_bytes + align - 1) / align * align;
    if (end == arena->used_bytes) {
        /* The newest block grows where it is: step back to its header and take it anew. */
        size_t start = (size_t)((unsigned char *)header - arena->bytes);
        arena->used_bytes = start;
        return arena_allocate(context, size_bytes);
    }
    void *copy = arena_allocate(context, size_bytes);
    memcpy(copy, memory, old_bytes);
    return copy;
}

yajl_alloc_funcs protocol_arena_funcs(protocol_arena *arena)
{
    return (yajl_alloc_funcs){arena_allocate, arena_resize, arena_release, arena};
}

static bool equals(const char *bytes, size_t size_bytes, const char *name)
{
    return strlen(name) == size_bytes && memcmp(bytes, name, size_bytes) == 0;
}

/* Digits only, at most `max`: 1.0, 1e3 and -0 are numbers but no integers as we ask for them. */
static bool parse_integer(const char *bytes, size_t size_bytes, int64_t max, int64_t *out)
{
    int64_t value = 0;
    if (size_bytes == 0) {
        return false;
    }
    for (size_t i = 0; i < size_bytes; i++) {
        if (bytes[i] < '0' || bytes[i] > '9') {
            return false;
        }
        value = value * 10 + (bytes[i] - '0');
        if (value > max) {
            return false;
        }
    }
    *out = value;
    return true;
}

static bool parse_color(const char *bytes, size_t size_bytes, uint32_t *out)
{
    if (size_bytes != 7 || bytes[0] != '#') {
        return false;
    }
    uint32_t color = 0;
    for (size_t i = 1; i < 7; i++) {
        char c = bytes[i];
        uint32_t digit;
        if (c >= '0' && c <= '9') {
            digit = (uint32_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (uint32_t)(c - 'a' + 10);
        } else if (c >= 'A' && c <= 'F') {
            digit = (uint32_t)(c - 'A' + 10);
        } else {
            return false;
        }
        color = color << 4 | digit;
    }
    *out = color;
    return true;
}

static bool accept_op(protocol_parser *parser, const char *bytes, size_t size_bytes)
{
    parser->op_known = true;
    if (equals(bytes, size_bytes, "send")) {
        parser->request.op = PROTOCOL_OP_SEND;
    } else if (equals(bytes, size_bytes, "ping")) {
        parser->request.op = PROTOCOL_OP_PING;
    } else {
        parser->op_known = false;
    }
    return true;
}

static bool accept_size(protocol_parser *parser, const char *bytes, size_t size_bytes)
{
    int64_t size_px;
    if (!parse_integer(bytes, size_bytes, SIZE_PX_MAX, &size_px) || size_px < SIZE_PX_MIN) {
        return false;
    }
    parser->request.size_px = (int)size_px;
    return true;
}

static bool accept_text(protocol_parser *parser, const char *bytes, size_t size_bytes)
{
    parser->request.text = parser->text;
    parser->request.text_bytes = text_clean(bytes, size_bytes, parser->text, &parser->text_chars);
    return true;
}

static bool accept_ext(protocol_parser *parser)
{
    size_t start = parser->ext_offset;
    size_t end = yajl_get_bytes_consumed(parser->handle);
    /* Between key and value stand white space and one colon; no value starts with either. */
    while (start < end && strchr(" \t\r\n:", parser->frame[start]) != NULL) {
        start++;
    }
    parser->request.ext = parser->frame + start;
    parser->request.ext_bytes = end - start;
    return true;
}

/* Whether the value is right for the pending top-level field; it is stored when it is. */
static bool accept(protocol_parser *parser, value_type type, const char *bytes, size_t size_bytes)
{
    protocol_request *request = &parser->request;
    switch (parser->field) {
    case OP:
        return type == VALUE_STRING && accept_op(parser, bytes, size_bytes);
    case ID:
        return type == VALUE_NUMBER && parse_integer(bytes, size_bytes, ID_MAX, &request->id);
    case TEXT:
        return type == VALUE_STRING && accept_text(parser, bytes, size_bytes);
    case MODE:
        return type == VALUE_STRING && protocol_mode_by_name(bytes, size_bytes, &request->mode);
    case COLOR:
        return type == VALUE_STRING && parse_color(bytes, size_bytes, &request->color);
    case SIZE:
        return type == VALUE_NUMBER && accept_size(parser, bytes, size_bytes);
    case EXT:
        return accept_ext(parser);
    default:
        return true;
    }
}

/* A whole value has ended at the present depth. */
static int on_value(protocol_parser *parser, value_type type, const char *bytes, size_t size_bytes)
{
    if (parser->depth == 1 && parser->is_object && parser->field < FIELD_COUNT) {
        bool good = accept(parser, type, bytes, size_bytes);
        parser->verdicts[parser->field] = good ? GOOD : BAD;
        parser->field = FIELD_UNKNOWN;
    }
    return 1;
}

static int on_null(void *context)
{
    return on_value(context, VALUE_OTHER, NULL, 0);
}

static int on_boolean(void *context, int value)
{
    (void)value;
    return on_value(context, VALUE_OTHER, NULL, 0);
}

static int on_number(void *context, const char *bytes, size_t size_bytes)
{
    return on_value(context, VALUE_NUMBER, bytes, size_bytes);
}

static int on_string(void *context, const unsigned char *bytes, size_t size_bytes)
{
    return on_value(context, VALUE_STRING, (const char *)bytes, size_bytes);
}

static int on_open(protocol_parser *parser)
{
    if (parser->depth == PROTOCOL_DEPTH_MAX) {
        parser->too_deep = true;
        return 0;
    }
    parser->depth++;
    return 1;
}

static int on_open_object(void *context)
{
    protocol_parser *parser = context;
    if (parser->depth == 0) {
        parser->is_object = true;
    }
    return on_open(parser);
}

static int on_open_array(void *context)
{
    return on_open(context);
}

static int on_close(void *context)
{
    protocol_parser *parser = context;
    parser->depth--;
    if (parser->depth == 0) {
        parser->end_offset = yajl_get_bytes_consumed(parser->handle);
    }
    return on_value(parser, VALUE_OTHER, NULL, 0);
}

static int on_key(void *context, const unsigned char *bytes, size_t size_bytes)
{
    protocol_parser *parser = context;
    if (parser->depth != 1) {
        return 1;
    }
    int candidate = 0;
    while (candidate < FIELD_COUNT &&
           !equals((const char *)bytes, size_bytes, field_names[candidate])) {
        candidate++;
    }
    parser->field = candidate < FIELD_COUNT ? (field)candidate : FIELD_UNKNOWN;
    if (parser->field == EXT) {
        parser->ext_offset = yajl_get_bytes_consumed(parser->handle);
    }
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number, /* as written: no overflow, no rounding */
    .yajl_string = on_string,
    .yajl_start_map = on_open_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_close,
    .yajl_start_array = on_open_array,
    .yajl_end_array = on_close,
};

static void reset(protocol_parser *parser, const char *frame)
{
    parser->arena.used_bytes = 0;
    parser->handle = NULL;
    parser->frame = frame;
    parser->depth = 0;
    parser->too_deep = false;
    parser->is_object = false;
    parser->op_known = false;
    parser->field = FIELD_UNKNOWN;
    parser->end_offset = 0;
    parser->text_chars = 0;
    memset(parser->verdicts, 0, sizeof parser->verdicts);
    parser->request = (protocol_request){
        .mode = PROTOCOL_MODE_SCROLL,
        .color = 0xffffff,
        .size_px = 25,
    };
}

/*
 * What stands behind the outermost container, which yajl does not always see as garbage: a string
 * or word that the frame's end cuts off counts as "more to come" there.
 */
static bool has_garbage(const protocol_parser *parser, size_t size_bytes, size_t *at)
{
    for (size_t i = parser->end_offset; parser->end_offset > 0 && i < size_bytes; i++) {
        if (parser->frame[i] == '\0' || strchr(" \t\r\n", parser->frame[i]) == NULL) {
            *at = i;
            return true;
        }
    }
    return false;
}

/* Runs yajl over the frame.  The only function that longjmp() comes back to: it has no locals that
 * change. */
static protocol_error read_json(protocol_parser *parser, size_t size_bytes, char *message,
                                size_t message_bytes)
{
    if (setjmp(parser->arena.full) != 0) {
        snprintf(message, message_bytes, "no memory to read this message");
        return PROTOCOL_BUSY;
    }
    yajl_alloc_funcs allocator = protocol_arena_funcs(&parser->arena);
    parser->handle = yajl_alloc(&callbacks, &allocator, parser);
    /* The whole frame was checked already, and by a stricter reader. */
    yajl_config(parser->handle, yajl_dont_validate_strings, 1);
    const unsigned char *frame = (const unsigned char *)parser->frame;
    yajl_status status = yajl_parse(parser->handle, frame, size_bytes);
    size_t at = yajl_get_bytes_consumed(parser->handle);
    if (status == yajl_status_ok) {
        status = yajl_complete_parse(parser->handle);
        at = size_bytes;
    }
    if (parser->too_deep) {
        snprintf(message, message_bytes, "nested deeper than %u", PROTOCOL_DEPTH_MAX);
        return PROTOCOL_BAD_JSON;
    }
    if (status != yajl_status_ok || has_garbage(parser, size_bytes, &at)) {
        snprintf(message, message_bytes, "not JSON at byte %zu", at);
        return PROTOCOL_BAD_JSON;
    }
    return PROTOCOL_OK;
}

/*
 * yajl takes vertical tab and form feed for white space, JSON does not: inside an `ext` they would
 * reach every viewer and break his parser.  No control character but these three is JSON anywhere.
 */
static bool has_wrong_control(const unsigned char *bytes, size_t size_bytes, size_t *at)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (bytes[i] < 0x20 && bytes[i] != '\t' && bytes[i] != '\n' && bytes[i] != '\r') {
            *at = i;
            return true;
        }
    }
    return false;
}

static protocol_error refuse(protocol_message *message, protocol_error error, const char *words)
{
    snprintf(message->text, sizeof message->text, "%s", words);
    return error;
}

/* The fields of a send, in the order of docs/protocol.md. */
static protocol_error judge_send(const protocol_parser *parser, protocol_message *message)
{
    const verdict *verdicts = parser->verdicts;
    const protocol_limits *limits = &parser->limits;
    if (verdicts[TEXT] != GOOD) {
        return refuse(message, PROTOCOL_BAD_REQUEST, "text must be a string");
    }
    if (verdicts[MODE] == BAD) {
        return refuse(message, PROTOCOL_BAD_REQUEST, "mode must be scroll, top, bottom or reverse");
    }
    if (verdicts[COLOR] == BAD) {
        return refuse(message, PROTOCOL_BAD_REQUEST, "color must be #rrggbb");
    }
    if (verdicts[SIZE] == BAD) {
        return refuse(message, PROTOCOL_BAD_REQUEST, "size must be an integer from 12 to 64");
    }
    if (parser->text_chars == 0) {
        return refuse(message, PROTOCOL_TEXT_EMPTY, "text is empty after trimming");
    }
    if (parser->text_chars > limits->text_chars_max) {
        snprintf(message->text, sizeof message->text, "text has %zu characters, at most %zu",
                 parser->text_chars, limits->text_chars_max);
        return PROTOCOL_TEXT_TOO_LONG;
    }
    if (verdicts[EXT] == GOOD && parser->request.ext_bytes > limits->ext_bytes_max) {
        snprintf(message->text, sizeof message->text, "ext has %zu bytes, at most %zu",
                 parser->request.ext_bytes, limits->ext_bytes_max);
        return PROTOCOL_EXT_TOO_LARGE;
    }
    return PROTOCOL_OK;
}

static protocol_error judge(const protocol_parser *parser, bool need_op, protocol_message *message)
{
    if (!parser->is_object) {
        return refuse(message, PROTOCOL_BAD_REQUEST, "a message is an object");
    }
    if (!need_op) {
        return judge_send(parser, message);
    }
    if (parser->verdicts[OP] != GOOD) {
        return refuse(message, PROTOCOL_BAD_REQUEST, "op must be a string");
    }
    if (!parser->op_known) {
        return refuse(message, PROTOCOL_UNKNOWN_OP, "op must be send or ping");
    }
    if (parser->verdicts[ID] == BAD) {
        return refuse(message, PROTOCOL_BAD_REQUEST,
                      "id must be an integer from 0 to 9007199254740992");
    }
    if (parser->request.op == PROTOCOL_OP_PING) {
        return PROTOCOL_OK;
    }
    return judge_send(parser, message);
}

protocol_error protocol_parse(protocol_parser *parser, const void *bytes, size_t size_bytes,
                              bool need_op, protocol_request *out, protocol_message *message)
{
    protocol_error error = PROTOCOL_OK;
    size_t at = 0;
    message->text[0] = '\0';
    reset(parser, bytes);
    if (size_bytes > PROTOCOL_FRAME_BYTES_MAX) {
        snprintf(message->text, sizeof message->text, "a message has at most %u bytes",
                 PROTOCOL_FRAME_BYTES_MAX);
        error = PROTOCOL_TOO_LARGE;
    } else if (!text_is_utf8(bytes, size_bytes)) {
        error = refuse(message, PROTOCOL_BAD_JSON, "not UTF-8");
    } else if (has_wrong_control(bytes, size_bytes, &at)) {
        snprintf(message->text, sizeof message->text, "not JSON at byte %zu", at);
        error = PROTOCOL_BAD_JSON;
    } else {
        error = read_json(parser, size_bytes, message->text, sizeof message->text);
    }
    if (error == PROTOCOL_OK) {
        error = judge(parser, need_op, message);
    }
    /* Without an op there is no id either: what stands there is an unknown field. */
    parser->request.has_id = need_op && parser->verdicts[ID] == GOOD;
    if (!need_op) {
        parser->request.op = PROTOCOL_OP_SEND;
    }
    *out = parser->request;
    return error;
}

dp_status protocol_parser_create_sized(const protocol_limits *limits, size_t arena_bytes,
                                       protocol_parser **out)
{
    protocol_parser *parser = calloc(1, sizeof *parser);
    if (parser == NULL) {
        return DP_ERR_NOMEM;
    }
    parser->limits = *limits;
    parser->arena.capacity_bytes = arena_bytes;
    parser->arena.bytes = malloc(arena_bytes > 0 ? arena_bytes : 1);
    parser->text = malloc(PROTOCOL_FRAME_BYTES_MAX);
    if (parser->arena.bytes == NULL || parser->text == NULL) {
        protocol_parser_destroy(parser);
        return DP_ERR_NOMEM;
    }
    *out = parser;
    return DP_OK;
}

dp_status protocol_parser_create(const protocol_limits *limits, protocol_parser **out)
{
    return protocol_parser_create_sized(limits, PROTOCOL_ARENA_BYTES, out);
}

size_t protocol_parser_arena_high_bytes(const protocol_parser *parser)
{
    return parser->arena.high_bytes;
}

void protocol_parser_destroy(protocol_parser *parser)
{
    if (parser == NULL) {
        return;
    }
    free(parser->arena.bytes);
    free(parser->text);
    free(parser);
}
