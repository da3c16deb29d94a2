/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench gate: what a comment of 30 characters costs before it enters a room.
 *
 *     filter      folding and 10,000 words; the peer is Hyperscan looking for the same words as
 *                 literals in the bytes as they were written, which finds none that is dressed up
 *     empty       the whole gate while moderators decided nothing: limits of user, address and
 *                 room, filter, repeats
 *     decided     the same with 1,000 mutes and as many bans of prefixes
 *
 * Comments are half Chinese, half Latin, none of them matches, so that nothing ends early.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <dp_features.h>
#if DP_HAVE_HYPERSCAN
#include <hs.h>
#endif

#include "harness.h"
#include "server/gate/gate.h"

#define WORDS          10000u
#define WORD_BYTES     40u
#define COMMENTS       1024u
#define COMMENT_CHARS  30u
#define ROUND_COMMENTS 20000u
#define DECISIONS      1000u

static char words[WORDS][WORD_BYTES];
static char comments[COMMENTS][4 * COMMENT_CHARS + 1];
static unsigned seed = 5;

static unsigned next_random(unsigned bound)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % bound;
}

/* What this thread computed, without what its neighbours took from it. */
static uint64_t cpu_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static size_t put_han(char *to, unsigned index)
{
    unsigned point = 0x4E00u + index;
    to[0] = (char)(0xE0u | point >> 12);
    to[1] = (char)(0x80u | (point >> 6 & 0x3Fu));
    to[2] = (char)(0x80u | (point & 0x3Fu));
    return 3;
}

/* Chinese words of 2 to 4 of 3,000 characters, Latin ones of 5 to 9 letters. */
static void make_word(char *to, unsigned i)
{
    size_t at = 0;
    if (i % 2 == 0) {
        for (unsigned n = 2 + next_random(3); n > 0; n--) {
            at += put_han(to + at, next_random(3000));
        }
    } else {
        for (unsigned n = 5 + next_random(5); n > 0; n--) {
            to[at++] = (char)('a' + next_random(26));
        }
    }
    to[at] = '\0';
}

static void make_comment(char *to, unsigned i)
{
    size_t at = 0;
    for (unsigned n = 0; n < COMMENT_CHARS; n++) {
        if (i % 2 == 0) {
            at += put_han(to + at, next_random(3000));
        } else {
            to[at++] = n % 6 == 5 ? ' ' : (char)('a' + next_random(26));
        }
    }
    to[at] = '\0';
}

/* A comment that any word is part of is made anew: the filter itself says so. */
static void make_comments(filter_set *filter)
{
    for (unsigned i = 0; i < COMMENTS; i++) {
        filter_verdict verdict;
        do {
            make_comment(comments[i], i);
            size_t bytes = strlen(comments[i]);
            verdict = filter_scan(filter, "room", comments[i], &bytes);
        } while (verdict.action != FILTER_PASS);
    }
}

static bool write_list(const char *path)
{
    FILE *to = fopen(path, "wb");
    if (to == NULL) {
        return false;
    }
    for (unsigned i = 0; i < WORDS; i++) {
        make_word(words[i], i);
        fprintf(to, "block %s\n", words[i]);
    }
    return fclose(to) == 0;
}

static double filter_round(filter_set *filter)
{
    uint64_t before_ns = cpu_now_ns();
    for (unsigned i = 0; i < ROUND_COMMENTS; i++) {
        char *text = comments[i % COMMENTS];
        size_t bytes = strlen(text);
        if (filter_scan(filter, "room", text, &bytes).action != FILTER_PASS) {
            abort();
        }
    }
    return (double)(cpu_now_ns() - before_ns) / ROUND_COMMENTS;
}

#if DP_HAVE_HYPERSCAN
static hs_database_t *peer_database;
static hs_scratch_t *peer_scratch;

static bool peer_open(void)
{
    static const char *texts[WORDS];
    static size_t sizes[WORDS];
    static unsigned ids[WORDS], flags[WORDS];
    for (unsigned i = 0; i < WORDS; i++) {
        texts[i] = words[i];
        sizes[i] = strlen(words[i]);
        ids[i] = i;
        flags[i] = HS_FLAG_SINGLEMATCH;
    }
    hs_compile_error_t *why = NULL;
    return hs_compile_lit_multi(texts, flags, ids, sizes, WORDS, HS_MODE_BLOCK, NULL,
                                &peer_database, &why) == HS_SUCCESS &&
           hs_alloc_scratch(peer_database, &peer_scratch) == HS_SUCCESS;
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *user)
{
    (void)id;
    (void)from;
    (void)to;
    (void)flags;
    (void)user;
    return 0;
}

static double peer_round(void)
{
    uint64_t before_ns = cpu_now_ns();
    for (unsigned i = 0; i < ROUND_COMMENTS; i++) {
        const char *text = comments[i % COMMENTS];
        (void)hs_scan(peer_database, text, (unsigned)strlen(text), 0, peer_scratch, on_match, NULL);
    }
    return (double)(cpu_now_ns() - before_ns) / ROUND_COMMENTS;
}

static void peer_close(void)
{
    (void)hs_free_scratch(peer_scratch);
    (void)hs_free_database(peer_database);
}
#else
static bool peer_open(void)
{
    return false;
}

static double peer_round(void)
{
    return (double)NAN;
}

static void peer_close(void)
{
}
#endif

/* Every comment by another of 4,096 users, at 200,000 a second of a clock that is not asked. */
static double gate_round(gate *all, uint64_t *now_ns)
{
    identity who = {.roles = IDENTITY_VIEWER | IDENTITY_PUBLISHER};
    who.address.bytes[10] = who.address.bytes[11] = 0xFF;
    uint64_t before_ns = cpu_now_ns();
    for (unsigned i = 0; i < ROUND_COMMENTS; i++) {
        char *text = comments[i % COMMENTS];
        unsigned sender = i % 4096;
        memcpy(who.sub, "user-000", 9);
        who.sub[5] = (char)('a' + sender / 256);
        who.sub[6] = (char)('a' + sender / 16 % 16);
        who.sub[7] = (char)('a' + sender % 16);
        who.address.bytes[14] = (uint8_t)(sender >> 8);
        who.address.bytes[15] = (uint8_t)sender;
        *now_ns += 5000;
        message in = {.kind = MESSAGE_TEXT,
                      .ts_ms = (int64_t)(*now_ns / 1000000),
                      .sender_key = identity_key(&who),
                      .text = {text, (uint32_t)strlen(text)}};
        admit_result result = {.seq = 0};
        if (gate_check(all, "room", &who, &in, *now_ns, &result) != PROTOCOL_OK) {
            abort();
        }
    }
    return (double)(cpu_now_ns() - before_ns) / ROUND_COMMENTS;
}

static bool decide(gate *all)
{
    for (unsigned i = 0; i < DECISIONS; i++) {
        char target[32];
        moderation_order order = {.action = MODERATION_MUTE_USER, .target = target};
        snprintf(target, sizeof target, "nobody-%u", i);
        if (moderation_apply(all->moderation, &order, 1) != DP_OK) {
            return false;
        }
        order.action = MODERATION_BAN_ADDRESS;
        snprintf(target, sizeof target, "10.%u.%u.0/24", i / 256, i % 256);
        if (moderation_apply(all->moderation, &order, 1) != DP_OK) {
            return false;
        }
    }
    return true;
}

static void emit(bench *b, const char *name, const bench_samples *ours, const bench_samples *peer,
                 double goal_ns)
{
    bench_row row = {.name = name,
                     .unit = "ns",
                     .value = bench_samples_quantile(ours, 0.5),
                     .min = bench_samples_min(ours),
                     .p50 = bench_samples_quantile(ours, 0.5),
                     .p99 = bench_samples_quantile(ours, 0.99),
                     .goal = {.kind = BENCH_GOAL_VALUE_MAX, .limit = goal_ns}};
    if (peer != NULL && peer->count > 0) {
        row.peers[row.peer_count++] = (bench_peer){.name = "hyperscan-raw",
                                                   .value = bench_samples_quantile(peer, 0.5),
                                                   .p99 = (double)NAN};
    }
    bench_emit(b, &row);
}

static void measure_filter(bench *b, filter_set *filter)
{
    bench_samples ours = {.count = 0};
    bench_samples peer = {.count = 0};
    bool has_peer = peer_open();
    for (int i = 0; i < bench_repeats(b); i++) {
        bench_samples_add(&ours, filter_round(filter));
        if (has_peer) {
            bench_samples_add(&peer, peer_round());
        }
    }
    if (has_peer) {
        peer_close();
    }
    emit(b, "filter 10,000 words", &ours, &peer, 2000);
}

static void measure_gate(bench *b, gate *all, const char *name, uint64_t *now_ns)
{
    bench_samples ours = {.count = 0};
    (void)gate_round(all, now_ns);
    for (int i = 0; i < bench_repeats(b); i++) {
        bench_samples_add(&ours, gate_round(all, now_ns));
    }
    /* 200,000 a second on one core. */
    emit(b, name, &ours, NULL, 5000);
}

int main(int argc, char **argv)
{
    static const bench_config about = {.name = "gate",
                                       .summary = "a comment of 30 characters through the gate",
                                       .repeats_default = 15,
                                       .repeats_quick = 2};
    int status = 0;
    bench *b = bench_open(&about, argc, argv, &status);
    if (b == NULL) {
        return status;
    }
    static config settings;
    char path[64];
    char error[256] = "";
    gate *all = NULL;
    uint64_t now_ns = 1000000000;
    config_defaults(&settings);
    snprintf(path, sizeof path, "/tmp/danpool-bench-gate-%d", (int)getpid());
    snprintf(settings.filter_lists, sizeof settings.filter_lists, "%s", path);
    settings.limits_user_messages_per_s = 1000;
    settings.limits_address_messages_per_s = 1000;
    settings.limits_room_messages_per_s = 1000000;
    settings.limits_repeat_times = 100;
    settings.limits_repeat_window_s = 1;
    if (!write_list(path) || gate_open(&settings, &all, error, sizeof error) != DP_OK) {
        bench_fail(b, "no gate: %s", error);
        (void)unlink(path);
        return bench_close(b);
    }
    (void)unlink(path);
    make_comments(all->filter);
    measure_filter(b, all->filter);
    measure_gate(b, all, "gate, nothing decided", &now_ns);
    if (decide(all)) {
        measure_gate(b, all, "gate, 2,000 decisions", &now_ns);
    } else {
        bench_fail(b, "moderators could not decide");
    }
    gate_close(all);
    return bench_close(b);
}
