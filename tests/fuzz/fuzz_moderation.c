/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer over the state file of moderation.  The fuzzer cannot know the checksum, so each input
 * is read as it is and once more with a right last line; what is accepted has a list that is text.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/os.h"
#include "server/gate/moderation_internal.h"
#include "server/wire/text.h"

#define HEAD "danpool moderation 1\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static void parse(const char *bytes, size_t size)
{
    const moderation_config config = {
        .state_path = "", .audit_path = "", .entries_max = 64, .held_max = 1};
    char error[256] = "";
    moderation *table = NULL;
    char *json;
    require(moderation_create(&config, &table, error, sizeof error) == DP_OK);
    dp_status status = moderation_state_parse(table, bytes, size, error, sizeof error);
    require((status == DP_OK) == (error[0] == '\0'));
    require(moderation_list(table, "", 0, &json) == DP_OK);
    require(text_is_utf8(json, strlen(json)));
    os_free(json);
    moderation_destroy(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse((const char *)data, size);
    char *sealed = malloc(sizeof HEAD + size + 96);
    require(sealed != NULL);
    size_t used = (size_t)sprintf(sealed, "%s", HEAD);
    memcpy(sealed + used, data, size);
    used += size;
    sealed[used++] = '\n';
    size_t lines = 0;
    uint64_t sum = 0xCBF29CE484222325u;
    for (size_t i = 0; i < used; i++) {
        sum = (sum ^ (unsigned char)sealed[i]) * 0x100000001B3u;
        lines += i >= strlen(HEAD) && sealed[i] == '\n';
    }
    used += (size_t)sprintf(sealed + used, "end %zu %016" PRIx64 "\n", lines, sum);
    parse(sealed, used);
    free(sealed);
    return 0;
}
