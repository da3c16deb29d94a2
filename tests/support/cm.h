/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka wants these four before it, in this order. */
#ifndef DP_TESTS_CM_H
#define DP_TESTS_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The exit status that ctest shows as "skipped". */
#define CM_SKIP_ALL 77

#endif
