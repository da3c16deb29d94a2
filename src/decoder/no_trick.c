/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program that is installed plays no tricks.
 */
#include "decoder/serve.h"

dp_status decoder_trick(const wire_request *request, uint8_t *region, wire_reply *reply)
{
    (void)request;
    (void)region;
    (void)reply;
    return DP_ERR_UNSUPPORTED;
}
