/* SPDX-License-Identifier: Apache-2.0 */
/*
 * danpoolctl decoders: how pictures would be decoded on this machine.  Starts one decoder as
 * danpoold does, and ends it.
 */
#include <stdio.h>

#include "ctl/ctl.h"
#include "pool/os.h"
#include "render/sandbox.h"

int ctl_decoders(int argc, char **argv)
{
    char program[PROCESS_PATH_BYTES];
    sandbox_process process;

    if (argc > 2) {
        ctl_error("decoders takes the path of danpool-decoder at most");
        return CTL_USAGE;
    }
    if (!process_find_program(argc == 2 ? argv[1] : NULL, program)) {
        printf("isolation  thread\nwhy        danpool-decoder was not found\n");
        return CTL_FAILED;
    }
    const uint64_t begun_ns = os_clock_ns();
    const dp_status status = process_start(program, SANDBOX_MEMORY_DEFAULT, &process);
    if (status != DP_OK) {
        printf("isolation  thread\nprogram    %s\nwhy        it does not start: %s\n", program,
               dp_status_message(status));
        return CTL_FAILED;
    }
    const double took_ms = (double)(os_clock_ns() - begun_ns) / 1e6;
    printf("isolation  %s\nprogram    %s\nstart      %.1f ms\n",
           process.filtered ? "process+seccomp" : "process", program, took_ms);
    process_dismiss(&process);
    return CTL_OK;
}
