/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer over trace_file_parse(): bytes are refused, or what they say can be written as JSON and
 * as a file again that holds the same bytes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/trace_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static char *write_all(const trace_file *file, dp_status (*write)(const trace_file *, FILE *),
                       size_t *size)
{
    char *bytes = NULL;
    FILE *to = open_memstream(&bytes, size);
    require(to != NULL);
    require(write(file, to) == DP_OK);
    require(fclose(to) == 0);
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    trace_file file;
    if (trace_file_parse(data, size, &file) != DP_OK) {
        return 0;
    }
    size_t length = 0;
    char *again = write_all(&file, trace_file_write, &length);
    require(length == size && memcmp(again, data, size) == 0);
    free(again);
    free(write_all(&file, trace_file_write_chrome, &length));
    trace_file_clear(&file);
    return 0;
}
