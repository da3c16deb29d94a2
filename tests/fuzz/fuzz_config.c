/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer over config_load_file(): a file is refused with words and changes nothing, or it is
 * taken, and then what is printed reads back the same.
 *
 * @include is left out: it would open whatever file the fuzzer can name.  libconfig 1.5 leaks the
 * string it was reading when it meets an error; its leaks are not counted, ours are.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/config/config.h"
#include "server/config/config_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so\n";
}

static char path[] = "/tmp/fuzz_config_XXXXXX";

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static void remove_file(void)
{
    unlink(path);
}

static void write_file(const void *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    require(file != NULL);
    require(fwrite(bytes, 1, size, file) == size);
    require(fclose(file) == 0);
}

static void check_round_trip(const config *first)
{
    config second;
    config_error error;
    char *text = config_print(first);
    require(text != NULL);
    write_file(text, strlen(text));
    config_defaults(&second);
    require(config_load_file(&second, path, &error) == DP_OK);
    for (size_t i = 0; i < second.pool_route_count; i++) { /* rules stand in other lines now */
        memcpy(second.pool_routes[i].where, first->pool_routes[i].where, CONFIG_WHERE_BYTES);
    }
    require(memcmp(first, &second, sizeof second) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int made;
    config subject;
    config untouched;
    config_error error = {{0}};
    if (!made) {
        int descriptor = mkstemp(path);
        require(descriptor >= 0);
        close(descriptor);
        atexit(remove_file);
        made = 1;
    }
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '@') {
            return 0;
        }
    }
    config_scan_wrapped((const char *)data, size);
    write_file(data, size);
    config_defaults(&subject);
    config_defaults(&untouched);
    if (config_load_file(&subject, path, &error) == DP_OK) {
        check_round_trip(&subject);
    } else {
        require(error.message[0] != '\0');
        require(memcmp(&subject, &untouched, sizeof subject) == 0);
    }
    return 0;
}
