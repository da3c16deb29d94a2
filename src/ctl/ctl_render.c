/* SPDX-License-Identifier: Apache-2.0 */
/*
 * danpoolctl render: files through the pipeline that danpoold uses, each fitted into one size.
 */
#include "ctl/batch_options.h"
#include "ctl/ctl.h"

int ctl_render(int argc, char **argv)
{
    batch_options o = {.command = "render", .format = DP_MEDIA_WEBP};
    return batch_read_options(argc, argv, &o) ? batch_run(&o) : CTL_USAGE;
}
