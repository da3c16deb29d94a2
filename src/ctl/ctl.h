/* SPDX-License-Identifier: Apache-2.0 */
/*
 * danpoolctl's commands.  Each gets its own arguments (argv[0] is its name) and returns the
 * process's exit status; results go to stdout, words about errors to stderr.  Single threaded but
 * for the workers of render and thumb.
 */
#ifndef DP_CTL_CTL_H
#define DP_CTL_CTL_H

/* Exit statuses, as in danpoolctl(1). */
#define CTL_OK     0
#define CTL_FAILED 1 /* the world said no */
#define CTL_USAGE  2 /* the command line makes no sense */

typedef int ctl_command(int argc, char **argv);

ctl_command ctl_decoders, ctl_render, ctl_reuse, ctl_route, ctl_thumb, ctl_tiers, ctl_trace;

/* "danpoolctl: ..." on stderr. */
void ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A whole decimal number within the limits, else says so, naming `option`, and returns false. */
int ctl_number(const char *option, const char *text, unsigned long long min, unsigned long long max,
               unsigned long long *out);

#endif
