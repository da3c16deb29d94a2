/* SPDX-License-Identifier: Apache-2.0 */
/*
 * danpoolctl thumb: files through the same pipeline, each in several sizes of one decode.
 */
#include "ctl/batch_options.h"
#include "ctl/ctl.h"

int ctl_thumb(int argc, char **argv)
{
    batch_options o = {.command = "thumb", .format = DP_MEDIA_WEBP};
    return batch_read_options(argc, argv, &o) ? batch_run(&o) : CTL_USAGE;
}
