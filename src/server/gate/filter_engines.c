/* SPDX-License-Identifier: Apache-2.0 */
/* The pattern engines that were found when building, in order of preference. */
#include "server/gate/filter_patterns.h"

#include <dp_features.h>

const filter_engine *const filter_engines[] = {
#if DP_HAVE_HYPERSCAN
    &filter_hyperscan,
#endif
#if DP_HAVE_PCRE2
    &filter_pcre2,
#endif
    NULL,
};
