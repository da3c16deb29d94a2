/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoders in real processes: the same pictures as in ours, and every way in which a process can
 * fail stays its job's own.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include <danpool/stats.h>

#include "sandbox_rig.h"

static sandbox_rig rig;

static int setup(void **state)
{
    (void)state;
    const sandbox_config config = rig_config(2);
    rig_open(&rig, &config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

#define BOX_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* ---- pictures ---- */

static void decode_here(const made_media *media, const uint32_t size[2], picture *out)
{
    render_task task = rig_task(&rig, 20000);
    const media_bytes bytes = {media->bytes, media->size_bytes};
    decoder *d;
    assert_int_equal(codec_open(&task, bytes, &d), DP_OK);
    const decode_hints hints = {.width = size == NULL ? d->info.width : size[0],
                                .height = size == NULL ? d->info.height : size[1]};
    assert_int_equal(codec_decode(d, &hints, out), DP_OK);
    codec_close(d);
}

static uint64_t copied_bytes(void)
{
    dp_stats stats;
    dp_stats_read(rig.pool, &stats);
    return stats.bytes_copied;
}

static void check_same(made_media media, const uint32_t size[2])
{
    picture here, there;
    if (media.bytes == NULL) {
        return; /* a library that this build lacks */
    }
    render_task task = rig_task(&rig, 20000);
    const uint64_t copied_before = copied_bytes();
    const dp_status status = rig_picture(&rig, &task, &media, size, &there);
    if (status != DP_OK) {
        print_error("%s\n", task.message);
    }
    assert_int_equal(status, DP_OK);
    /* The file into the region; the picture was made where it lies. */
    assert_int_equal(copied_bytes() - copied_before, media.size_bytes);
    decode_here(&media, size, &here);
    assert_int_equal(there.width, here.width);
    assert_int_equal(there.height, here.height);
    assert_int_equal(dp_buf_tier(there.buf), DP_TIER_SHM);
    assert_memory_equal(there.bytes, here.bytes, here.frame_bytes);
    picture_drop(&there);
    picture_drop(&here);
    media_free(&media);
}

static void every_format_gives_the_same_pixels_as_in_this_process(void **state)
{
    (void)state;
    const uint32_t small[2] = {40, 30};
    check_same(media_jpeg(320, 240, &(jpeg_options){.progressive = true}), small);
    check_same(media_jpeg(64, 48, &(jpeg_options){.cmyk = true, .adobe = true}), NULL);
    check_same(media_png(50, 40, &(png_options){.bit_depth = 16, .color_type = 6}), NULL);
    check_same(media_webp(50, 40, &(webp_options){.alpha = true}), NULL);
    check_same(media_gif(50, 40, &(gif_options){.interlaced = true}), NULL);
    if (dp_media_can_decode(DP_MEDIA_SVG)) {
        check_same(media_text("<svg xmlns='http://www.w3.org/2000/svg' width='40' height='30'>"
                              "<circle cx='20' cy='15' r='12' fill='#f80'/></svg>"),
                   small);
    }
}

/* Words of the codec reach the sender through the wire. */
static void a_broken_picture_is_refused_in_words_and_harms_nobody(void **state)
{
    (void)state;
    made_media media = media_png_header(30000, 30000);
    render_task task = rig_task(&rig, 20000);
    picture made;
    if (media.bytes == NULL) {
        skip();
    }
    assert_int_equal(rig_picture(&rig, &task, &media, NULL, &made), DP_ERR_TOO_LARGE);
    assert_non_null(strstr(task.message, "30000 x 30000"));
    media.bytes[0] = 'X';
    task = rig_task(&rig, 20000);
    assert_int_equal(rig_picture(&rig, &task, &media, NULL, &made), DP_ERR_FORMAT);
    media_free(&media);
    for (int cause = 0; cause < SANDBOX_CAUSE_COUNT; cause++) {
        assert_int_equal(rig_deaths(&rig, (sandbox_cause)cause), 0);
    }
}

/* Text needs files that can no longer be opened: any family ends at one that is open. */
static void text_of_any_family_is_drawn(void **state)
{
    (void)state;
    static const char *const families[] = {"sans-serif", "serif", "No Such Font",
                                           "DejaVu Sans Mono", "emoji"};
    if (!dp_media_can_decode(DP_MEDIA_SVG)) {
        skip();
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "<svg xmlns='http://www.w3.org/2000/svg' width='60' height='30'><text y='25' "
                 "font-size='25' font-family='%s'>A1</text></svg>",
                 families[i]);
        made_media media = media_text(text);
        picture here, there;
        render_task task = rig_task(&rig, 20000);
        assert_int_equal(rig_picture(&rig, &task, &media, NULL, &there), DP_OK);
        decode_here(&media, NULL, &here);
        unsigned ink_here = 0, ink_there = 0;
        for (size_t at = 3; at < here.frame_bytes; at += 4) {
            ink_here += here.bytes[at] > 127;
            ink_there += there.bytes[at] > 127;
        }
        /* Another font than here perhaps, but letters; nothing where this machine has no font. */
        assert_true(ink_here == 0 || (ink_there > ink_here / 4 && ink_there < ink_here * 4));
        picture_drop(&here);
        picture_drop(&there);
        media_free(&media);
    }
}

static void pictures_outlive_their_job_and_their_worker(void **state)
{
    (void)state;
    made_media media = media_png(50, 40, &(png_options){.bit_depth = 8, .color_type = 2});
    picture held[8];
    if (media.bytes == NULL) {
        skip();
    }
    for (size_t i = 0; i < 8; i++) {
        render_task task = rig_task(&rig, 20000);
        assert_int_equal(rig_picture(&rig, &task, &media, NULL, &held[i]), DP_OK);
    }
    for (int i = 0; i < 4; i++) {
        render_task task = rig_task(&rig, 20000);
        assert_int_equal(rig_trick_from(&rig, &task, i % 2 == 0 ? "a" : "b", 0, TRICK_CRASH),
                         DP_ERR_FORMAT);
    }
    for (size_t i = 1; i < 8; i++) {
        assert_memory_equal(held[i].bytes, held[0].bytes, held[0].frame_bytes);
    }
    for (size_t i = 0; i < 8; i++) {
        picture_drop(&held[i]);
    }
    media_free(&media);
}

/* ---- ends ---- */

static void check_death(decoder_trick_kind trick, sandbox_cause cause, dp_status status)
{
    char text[32];
    snprintf(text, sizeof text, "trick %d", (int)trick);
    const uint64_t before = rig_deaths(&rig, cause);
    render_task task = rig_task(&rig, 20000);
    assert_int_equal(rig_trick_from(&rig, &task, text, 0, trick), status);
    assert_true(task.message[0] != '\0');
    assert_int_equal(rig_deaths(&rig, cause), before + 1);
    /* And the next job is served, by the other worker or the new one. */
    task = rig_task(&rig, 20000);
    assert_int_equal(rig_trick(&rig, &task, TRICK_NONE), DP_OK);
}

static void a_crash_fails_one_job_and_is_counted_by_its_cause(void **state)
{
    (void)state;
    check_death(TRICK_CRASH, SANDBOX_CRASH, DP_ERR_FORMAT);
    check_death(TRICK_ABORT, SANDBOX_CRASH, DP_ERR_FORMAT);
    check_death(TRICK_EXIT, SANDBOX_CRASH, DP_ERR_FORMAT);
}

static void a_worker_that_speaks_nonsense_is_killed_at_once(void **state)
{
    (void)state;
    check_death(TRICK_LIE, SANDBOX_CRASH, DP_ERR_FORMAT);
}

static void a_decoder_that_hangs_is_killed_at_its_deadline(void **state)
{
    (void)state;
    const uint64_t begun_ns = os_clock_ns();
    render_task task = rig_task(&rig, 300);
    assert_int_equal(rig_trick(&rig, &task, TRICK_HANG), DP_ERR_TIMEOUT);
    const uint64_t took_ms = (os_clock_ns() - begun_ns) / RIG_NS_PER_MS;
    assert_true(took_ms >= 300 && took_ms < 5000);
    assert_string_equal(task.message, "the picture takes too long to decode");
    assert_int_equal(rig_deaths(&rig, SANDBOX_TIMEOUT), 1);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void a_decoder_that_eats_memory_ends_at_its_limit(void **state)
{
    (void)state;
    check_death(TRICK_EAT_MEMORY, SANDBOX_MEMORY, DP_ERR_TOO_LARGE);
}
#endif

static void the_filter_ends_whoever_leaves_the_path(void **state)
{
    (void)state;
    static const decoder_trick_kind tricks[] = {
        TRICK_WRITE_FILE, TRICK_SOCKET,       TRICK_FORK, TRICK_EXEC,       TRICK_TRACE,
        TRICK_MAKE_CODE,  TRICK_SHARE_MEMORY, TRICK_KILL, TRICK_RAISE_LIMIT};
    if (!rig.filtered) {
        print_message("no system call filter on this machine or in this build\n");
        skip();
    }
    for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++) {
        check_death(tricks[i], SANDBOX_FILTER, DP_ERR_FORMAT);
    }
    assert_int_equal(rig_deaths(&rig, SANDBOX_CRASH), 0);
}

static void asking_for_a_file_is_told_no_and_threads_are_allowed(void **state)
{
    (void)state;
    if (!rig.filtered) {
        skip();
    }
    render_task task = rig_task(&rig, 20000);
    assert_int_equal(rig_trick(&rig, &task, TRICK_READ_FILE), DP_OK);
    assert_int_equal(rig_trick(&rig, &task, TRICK_LOOK_AT_FILE), DP_OK);
    assert_int_equal(rig_trick(&rig, &task, TRICK_THREAD), DP_OK);
    assert_int_equal(rig_deaths(&rig, SANDBOX_FILTER), 0);
}

static void nothing_of_one_job_is_there_for_the_next(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        render_task task = rig_task(&rig, 20000);
        assert_int_equal(rig_trick(&rig, &task, TRICK_LEAVE), DP_OK);
        assert_int_equal(rig_trick(&rig, &task, TRICK_FIND_OLD), DP_OK);
    }
}

/* ---- kills from outside ---- */

typedef struct outside {
    pthread_t thread;
    pid_t pid;
    uint64_t wait_ns;
} outside;

static void *kill_later(void *user)
{
    const outside *o = user;
    const struct timespec nap = {.tv_nsec = (long)o->wait_ns};
    nanosleep(&nap, NULL);
    (void)kill(o->pid, SIGKILL);
    return NULL;
}

/* The process of a worker once it is idle; it may be starting just now. */
static pid_t pid_of(unsigned worker)
{
    const uint64_t until_ns = os_clock_ns() + RIG_WAIT_NS;
    pid_t pid = 0;
    while (pid == 0 && os_clock_ns() < until_ns) {
        os_lock(&rig.box->lock);
        const sandbox_worker *w = &rig.box->workers[worker];
        pid = w->state == WORKER_IDLE ? w->process.pid : 0;
        os_unlock(&rig.box->lock);
    }
    assert_true(pid > 0); /* 0 would be ourselves */
    return pid;
}

static void an_idle_worker_that_was_killed_costs_no_job(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        siginfo_t gone;
        const pid_t pid = pid_of(0);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitid(P_PID, (id_t)pid, &gone, WEXITED | WNOWAIT), 0);
        for (int i = 0; i < 3; i++) {
            render_task task = rig_task(&rig, 20000);
            assert_int_equal(rig_trick(&rig, &task, TRICK_NONE), DP_OK);
        }
    }
    assert_int_equal(rig_deaths(&rig, SANDBOX_KILLED), 3);
}

static void a_worker_killed_in_the_middle_fails_its_job_alone(void **state)
{
    (void)state;
    /* The first idle one is taken: worker 0. */
    outside o = {.pid = pid_of(0), .wait_ns = 20 * RIG_NS_PER_MS};
    assert_int_equal(pthread_create(&o.thread, NULL, kill_later, &o), 0);
    render_task task = rig_task(&rig, 20000);
    assert_int_equal(rig_trick(&rig, &task, TRICK_SLEEP), DP_ERR_FORMAT);
    pthread_join(o.thread, NULL);
    assert_int_equal(rig_deaths(&rig, SANDBOX_KILLED), 1);
    task = rig_task(&rig, 20000);
    assert_int_equal(rig_trick(&rig, &task, TRICK_NONE), DP_OK);
}

/* Result by return value: cmocka asserts on the main thread only. */
static void *sleep_there(void *user)
{
    dp_status *status = user;
    render_task task = rig_task(&rig, 20000);
    *status = rig_trick_from(&rig, &task, "sleeper", 0, TRICK_SLEEP);
    return NULL;
}

static void a_job_on_another_worker_goes_on(void **state)
{
    (void)state;
    pthread_t thread;
    dp_status status = DP_ERR_IO;
    assert_int_equal(pthread_create(&thread, NULL, sleep_there, &status), 0);
    for (int i = 0; i < 3; i++) {
        render_task task = rig_task(&rig, 20000);
        char text[16];
        snprintf(text, sizeof text, "crasher %d", i);
        assert_int_equal(rig_trick_from(&rig, &task, text, 0, TRICK_CRASH), DP_ERR_FORMAT);
    }
    pthread_join(thread, NULL);
    assert_int_equal(status, DP_OK);
}

/* ---- repeaters ---- */

static void a_source_that_killed_twice_is_turned_away(void **state)
{
    (void)state;
    sandbox_stats stats;
    for (int i = 0; i < 2; i++) {
        render_task task = rig_task(&rig, 20000);
        assert_int_equal(rig_trick_from(&rig, &task, "killer", 0, TRICK_CRASH), DP_ERR_FORMAT);
    }
    render_task task = rig_task(&rig, 20000);
    assert_int_equal(rig_trick_from(&rig, &task, "killer", 0, TRICK_CRASH), DP_ERR_FORMAT);
    assert_non_null(strstr(task.message, "before"));
    task = rig_task(&rig, 20000);
    assert_int_equal(rig_trick_from(&rig, &task, "kidder", 0, TRICK_NONE), DP_OK);
    sandbox_stats_read(rig.box, &stats);
    assert_int_equal(stats.deaths[SANDBOX_CRASH], 2);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.sources_blocked, 1);
}

static void a_tenant_whose_pictures_kill_is_turned_away_and_others_are_not(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BLOCK_TENANT_DEATHS; i++) {
        char text[32];
        snprintf(text, sizeof text, "killer number %u", i);
        render_task task = rig_task(&rig, 20000);
        assert_int_equal(rig_trick_from(&rig, &task, text, 7, TRICK_CRASH), DP_ERR_FORMAT);
    }
    render_task task = rig_task(&rig, 20000);
    assert_int_equal(rig_trick_from(&rig, &task, "harmless", 7, TRICK_NONE), DP_ERR_QUOTA);
    task = rig_task(&rig, 20000);
    assert_int_equal(rig_trick_from(&rig, &task, "harmless", 8, TRICK_NONE), DP_OK);
    assert_int_equal(rig_trick_from(&rig, &task, "harmless", 0, TRICK_NONE), DP_OK);
}

/* ---- much ---- */

static void a_thousand_jobs_leave_no_descriptor_behind(void **state)
{
    (void)state;
    made_media media = media_png(50, 40, &(png_options){.bit_depth = 8, .color_type = 2});
    if (media.bytes == NULL) {
        skip();
    }
    unsigned before = 0;
    for (int i = 0; i < 1000; i++) {
        picture made;
        render_task task = rig_task(&rig, 20000);
        assert_int_equal(rig_picture(&rig, &task, &media, NULL, &made), DP_OK);
        picture_drop(&made);
        before = i == 9 ? rig_descriptors() : before;
    }
    assert_true(rig_descriptors() <= before);
    media_free(&media);
}

static void a_worker_is_replaced_after_its_share_of_jobs(void **state)
{
    (void)state;
    sandbox_config config = rig_config(1);
    sandbox_rig small;
    sandbox_stats stats;
    config.jobs_max = 3;
    rig_open(&small, &config);
    for (int i = 0; i < 10; i++) {
        render_task task = rig_task(&small, 20000);
        assert_int_equal(rig_trick(&small, &task, TRICK_NONE), DP_OK);
    }
    sandbox_stats_read(small.box, &stats);
    assert_true(stats.started >= 4);
    for (int cause = 0; cause < SANDBOX_CAUSE_COUNT; cause++) {
        assert_int_equal(stats.deaths[cause], 0);
    }
    rig_close(&small);
}

static void without_the_program_there_is_no_sandbox_and_a_reason(void **state)
{
    (void)state;
    char detail[SANDBOX_DETAIL_BYTES] = "";
    sandbox *box;
    sandbox_config config = rig_config(1);
    config.program = "/nowhere/danpool-decoder";
    assert_int_equal(sandbox_create(rig.pool, &config, detail, &box), DP_ERR_NOT_FOUND);
    assert_non_null(strstr(detail, "not found"));
    config.program = "/bin/true";
    assert_int_equal(sandbox_create(rig.pool, &config, detail, &box), DP_ERR_IO);
    assert_non_null(strstr(detail, "ended"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOX_TEST(every_format_gives_the_same_pixels_as_in_this_process),
        BOX_TEST(a_broken_picture_is_refused_in_words_and_harms_nobody),
        BOX_TEST(text_of_any_family_is_drawn),
        BOX_TEST(pictures_outlive_their_job_and_their_worker),
        BOX_TEST(a_crash_fails_one_job_and_is_counted_by_its_cause),
        BOX_TEST(a_worker_that_speaks_nonsense_is_killed_at_once),
        BOX_TEST(a_decoder_that_hangs_is_killed_at_its_deadline),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        BOX_TEST(a_decoder_that_eats_memory_ends_at_its_limit),
#endif
        BOX_TEST(the_filter_ends_whoever_leaves_the_path),
        BOX_TEST(asking_for_a_file_is_told_no_and_threads_are_allowed),
        BOX_TEST(nothing_of_one_job_is_there_for_the_next),
        BOX_TEST(an_idle_worker_that_was_killed_costs_no_job),
        BOX_TEST(a_worker_killed_in_the_middle_fails_its_job_alone),
        BOX_TEST(a_job_on_another_worker_goes_on),
        BOX_TEST(a_source_that_killed_twice_is_turned_away),
        BOX_TEST(a_tenant_whose_pictures_kill_is_turned_away_and_others_are_not),
        BOX_TEST(a_thousand_jobs_leave_no_descriptor_behind),
        BOX_TEST(a_worker_is_replaced_after_its_share_of_jobs),
        BOX_TEST(without_the_program_there_is_no_sandbox_and_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
