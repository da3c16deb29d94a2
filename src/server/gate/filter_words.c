/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The automaton: a node for each beginning of a word, node 0 for none.
 *
 * Steps lie in one open-addressed table (node, character) -> node, at most half full.  Most
 * characters of a text begin no word: a small Bloom filter over the first three characters of the
 * words (over all of shorter ones) says so, without a look into the table, which no cache holds.
 * `fail` is the node of the longest proper end of this beginning that is a beginning too, `ends`
 * the first node on that chain, itself included, where a word is complete.
 */
#include "server/gate/filter_words.h"

#include <string.h>

#include "pool/os.h"

#define NONE       UINT32_MAX
#define BLOOM_BITS 18u /* 32 KiB */
#define NO_POINT   0xFFFFFFu

typedef struct word_step {
    uint32_t node, point;
    uint32_t to; /* 0 = free: nothing leads to the first node */
} word_step;

typedef struct word_node {
    uint32_t fail;
    uint32_t ends;  /* node, 0 = none */
    uint32_t word;  /* first that is complete here, NONE = none */
    uint32_t depth; /* characters up to here */
} word_node;

typedef struct word_entry {
    uint32_t rule;
    uint32_t next; /* another word that is written the same, NONE = no more */
} word_entry;

struct filter_words {
    word_step *steps;
    uint32_t step_mask;
    word_node *nodes;
    uint32_t node_count;
    word_entry *entries;
    uint64_t bloom[(1u << BLOOM_BITS) / 64];
    bool has_shorter[3]; /* words of one, of two characters */
};

static uint32_t step_hash(uint32_t node, uint32_t point)
{
    uint64_t mixed = ((uint64_t)node << 21 | point) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(mixed >> 32);
}

static uint32_t bloom_bit(uint32_t first, uint32_t second, uint32_t third)
{
    uint64_t mixed = (first * UINT64_C(0x9E3779B97F4A7C15)) ^
                     (second * UINT64_C(0xC2B2AE3D27D4EB4F)) ^
                     (third * UINT64_C(0x165667B19E3779F9));
    return (uint32_t)(mixed >> (64 - BLOOM_BITS));
}

static bool bloom_has(const filter_words *words, uint32_t bit)
{
    return (words->bloom[bit / 64] >> bit % 64 & 1) != 0;
}

/* Whether a word may begin at points[0], of `left` that there are. */
static bool may_begin(const filter_words *words, const confusable_point *points, size_t left)
{
    uint32_t first = points[0].point;
    uint32_t second = left > 1 ? points[1].point : NO_POINT;
    return (left > 2 && bloom_has(words, bloom_bit(first, second, points[2].point))) ||
           (words->has_shorter[2] && left > 1 &&
            bloom_has(words, bloom_bit(first, second, NO_POINT))) ||
           (words->has_shorter[1] && bloom_has(words, bloom_bit(first, NO_POINT, NO_POINT)));
}

/* 0 = no such step. */
static uint32_t step_find(const filter_words *words, uint32_t node, uint32_t point)
{
    for (uint32_t at = step_hash(node, point) & words->step_mask;;
         at = (at + 1) & words->step_mask) {
        const word_step *step = &words->steps[at];
        if (step->to == 0 || (step->node == node && step->point == point)) {
            return step->to;
        }
    }
}

static void step_add(filter_words *words, uint32_t node, uint32_t point, uint32_t to)
{
    uint32_t at = step_hash(node, point) & words->step_mask;
    while (words->steps[at].to != 0) {
        at = (at + 1) & words->step_mask;
    }
    words->steps[at] = (word_step){.node = node, .point = point, .to = to};
}

static void add_word(filter_words *words, const filter_word *word, uint32_t index)
{
    uint32_t node = 0;
    uint32_t bit = bloom_bit(word->points[0], word->count > 1 ? word->points[1] : NO_POINT,
                             word->count > 2 ? word->points[2] : NO_POINT);
    words->bloom[bit / 64] |= UINT64_C(1) << bit % 64;
    words->has_shorter[word->count < 3 ? word->count : 0] = true;
    for (uint32_t i = 0; i < word->count; i++) {
        uint32_t next = step_find(words, node, word->points[i]);
        if (next == 0) {
            next = words->node_count++;
            words->nodes[next] = (word_node){.word = NONE, .depth = words->nodes[node].depth + 1};
            step_add(words, node, word->points[i], next);
        }
        node = next;
    }
    words->entries[index] = (word_entry){.rule = word->rule, .next = words->nodes[node].word};
    words->nodes[node].word = index;
}

/* Where `point` leads from `node` or from the ends of what led there. */
static uint32_t advance(const filter_words *words, uint32_t node, uint32_t point)
{
    for (;;) {
        uint32_t next = step_find(words, node, point);
        if (next != 0 || node == 0) {
            return next;
        }
        node = words->nodes[node].fail;
    }
}

/*
 * Links ends to beginnings, shorter beginnings first.  `order` holds the steps by depth: a counting
 * sort, since nodes were made word by word.
 */
static void link_nodes(filter_words *words, word_step *order)
{
    size_t starts[FILTER_WORD_POINTS_MAX + 2] = {0};
    for (uint32_t i = 0; i <= words->step_mask; i++) {
        if (words->steps[i].to != 0) {
            starts[words->nodes[words->steps[i].to].depth + 1]++;
        }
    }
    for (size_t depth = 1; depth < sizeof starts / sizeof starts[0]; depth++) {
        starts[depth] += starts[depth - 1];
    }
    for (uint32_t i = 0; i <= words->step_mask; i++) {
        if (words->steps[i].to != 0) {
            order[starts[words->nodes[words->steps[i].to].depth]++] = words->steps[i];
        }
    }
    for (uint32_t i = 0; i + 1 < words->node_count; i++) {
        word_node *node = &words->nodes[order[i].to];
        if (node->depth > 1) {
            node->fail = advance(words, words->nodes[order[i].node].fail, order[i].point);
        }
        node->ends = node->word != NONE ? order[i].to : words->nodes[node->fail].ends;
    }
}

dp_status filter_words_create(const filter_word *list, size_t count, filter_words **out)
{
    size_t nodes_max = 1;
    for (size_t i = 0; i < count; i++) {
        DP_ASSERT(list[i].count > 0 && list[i].count <= FILTER_WORD_POINTS_MAX);
        nodes_max += list[i].count;
    }
    size_t steps = 16;
    while (steps < 2 * nodes_max) {
        steps *= 2;
    }
    filter_words *words = os_calloc(1, sizeof *words);
    word_step *order = os_calloc(nodes_max, sizeof *order);
    if (words == NULL || order == NULL) {
        goto failed;
    }
    words->steps = os_calloc(steps, sizeof *words->steps);
    words->nodes = os_calloc(nodes_max, sizeof *words->nodes);
    words->entries = os_calloc(count + 1, sizeof *words->entries);
    if (words->steps == NULL || words->nodes == NULL || words->entries == NULL) {
        goto failed;
    }
    words->step_mask = (uint32_t)steps - 1;
    words->nodes[0].word = NONE;
    words->node_count = 1;
    /* Backwards, so that of words written the same the first comes first. */
    for (size_t i = count; i-- > 0;) {
        add_word(words, &list[i], (uint32_t)i);
    }
    link_nodes(words, order);
    os_free(order);
    *out = words;
    return DP_OK;
failed:
    os_free(order);
    filter_words_destroy(words);
    return DP_ERR_NOMEM;
}

void filter_words_destroy(filter_words *words)
{
    if (words == NULL) {
        return;
    }
    os_free(words->steps);
    os_free(words->nodes);
    os_free(words->entries);
    os_free(words);
}

void filter_words_scan(const filter_words *words, const confusable_point *points, size_t count,
                       filter_words_found *found, void *user)
{
    uint32_t node = 0;
    for (size_t i = 0; i < count; i++) {
        if (node == 0 && !may_begin(words, points + i, count - i)) {
            continue;
        }
        node = advance(words, node, points[i].point);
        /* A word's first character after a word that came to nothing: the same question. */
        if (words->nodes[node].depth == 1 && !may_begin(words, points + i, count - i)) {
            node = 0;
            continue;
        }
        for (uint32_t end = words->nodes[node].ends; end != 0;
             end = words->nodes[words->nodes[end].fail].ends) {
            const word_node *here = &words->nodes[end];
            for (uint32_t entry = here->word; entry != NONE; entry = words->entries[entry].next) {
                if (!found(user, words->entries[entry].rule, i + 1 - here->depth, i)) {
                    return;
                }
            }
        }
    }
}
